#include "mellea/backends/gguf_header.h"

#include <gtest/gtest.h>

#include <sstream>

#include "mellea/backends/gguf_for_test.h"
#include "mellea/core/error.h"

namespace mellea {
namespace {

GgufHeader read(const std::string& bytes) {
  std::istringstream file(bytes);
  return read_gguf_header(file, "m.gguf");
}

std::string refusal(const std::string& bytes) {
  try {
    read(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "";
}

TEST(GgufHeader, SaysWhatModelItIs) {
  const GgufHeader header = read(GgufForTest("qwen3")
                                     .text("general.name", "Tiny")
                                     .texts("tokenizer.ggml.tokens", 1000)
                                     .numbers("tokenizer.ggml.scores", 30'000)
                                     .uint32("qwen3.context_length", 4096)
                                     .uint32("other.context_length", 1)
                                     .text("tokenizer.chat_template", "{{ messages }}")
                                     .uint32("qwen3.pooling_type", 1)
                                     .file());
  EXPECT_EQ(header.version, 3);
  EXPECT_EQ(header.architecture, "qwen3");
  EXPECT_EQ(header.name, "Tiny");
  EXPECT_EQ(header.chat_template, "{{ messages }}");
  EXPECT_EQ(header.context_length, 4096);
  EXPECT_EQ(header.pooling, 1);
  EXPECT_EQ(header.parts, 1U);
}

TEST(GgufHeader, WhatIsNotThereIsAbsent) {
  const GgufHeader header = read(GgufForTest().file());
  EXPECT_EQ(header.name, "");
  EXPECT_EQ(header.chat_template, "");
  EXPECT_FALSE(header.context_length);
  EXPECT_FALSE(header.pooling);
}

TEST(GgufHeader, WhatIsOfAnotherTypeThanItShouldBeIsAbsent) {
  const GgufHeader header =
      read(GgufForTest().uint32("general.name", 7).text("llama.context_length", "long").file());
  EXPECT_EQ(header.name, "");
  EXPECT_FALSE(header.context_length);
}

TEST(GgufHeader, AFileThatIsCutShortAnywhereIsRefused) {
  const std::string whole =
      GgufForTest().texts("t", 3).numbers("n", 3).uint32("llama.context_length", 8).file();
  for (std::size_t size = 4; size + 16 <= whole.size(); ++size)
    EXPECT_EQ(
        refusal(whole.substr(0, size)),
        "local: m.gguf: is cut short after " + std::to_string(size) + " bytes: download it again");
}

TEST(GgufHeader, SaysWhatAFileIsThatIsNoModel) {
  EXPECT_EQ(refusal(""), "local: m.gguf: is empty");
  EXPECT_EQ(refusal("<html>"), "local: m.gguf: is no GGUF file: it begins with \"<htm\"");
  EXPECT_EQ(refusal("version https://git-lfs.github.com/spec/v1\n"),
            "local: m.gguf: is no GGUF file but stands for one, as Git LFS has it: git lfs pull");
  EXPECT_EQ(refusal(GgufForTest().version(1).file()),
            "local: m.gguf: is of version 1 of the format, which nothing reads any more");
  EXPECT_EQ(refusal(GgufForTest().version(9).file()),
            "local: m.gguf: is of version 9 of the format; known are 2 and 3");
  EXPECT_EQ(refusal(GgufForTest().version(0x03000000).file()),
            "local: m.gguf: has the byte order of another kind of machine");
}

TEST(GgufHeader, OfAModelInPartsOnlyTheFirstIsNamed) {
  EXPECT_EQ(read(GgufForTest().uint16("split.no", 0).uint16("split.count", 3).file()).parts, 3U);
  EXPECT_EQ(refusal(GgufForTest().uint16("split.no", 2).uint16("split.count", 3).file()),
            "local: m.gguf: is part 3 of 3: name the first");
}

TEST(GgufHeader, NumbersThatCannotBeTrueAreRefused) {
  const std::string much = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F";
  EXPECT_NE(refusal(GgufForTest().raw("t", 8, much).file()), "");
  EXPECT_NE(refusal(GgufForTest().raw("t", 9, std::string("\x06\0\0\0", 4) + much).file()), "");
  EXPECT_NE(refusal(GgufForTest().raw("t", 9, std::string("\x08\0\0\0", 4) + much).file()), "");
  EXPECT_EQ(refusal(GgufForTest().raw("t", 9, std::string("\x09\0\0\0", 4) + much).file()),
            "local: m.gguf: has lists of lists, which no model has");
  EXPECT_EQ(refusal(GgufForTest().raw("t", 13, "").file()),
            "local: m.gguf: has a value of the unknown type 13");
  EXPECT_EQ(refusal(GgufForTest("").file()), "local: m.gguf: names no architecture");
  std::string many = GgufForTest().file();
  many.replace(8, 8, much);
  EXPECT_EQ(refusal(many), "local: m.gguf: says that it has 9223372036854775807 tensors");
}

TEST(GgufHeader, AFileThatIsNotThereIsNotFound) {
  try {
    read_gguf_header(std::filesystem::path("/nowhere/m.gguf"));
    FAIL() << "was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::not_found);
    EXPECT_STREQ(error.what(), "local: /nowhere/m.gguf: No such file or directory");
  }
  EXPECT_THROW(read_gguf_header(std::filesystem::temp_directory_path()), Error);
}

}  // namespace
}  // namespace mellea
