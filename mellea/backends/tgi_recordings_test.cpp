// Answers recorded from real servers: the same whole and cut anywhere.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mellea/backends/decode_for_test.h"
#include "mellea/backends/tgi_reply.h"

namespace mellea {
namespace {

using nlohmann::json;

// Those of TGI; none if the folder is missing.
std::vector<json> recordings() {
  std::vector<json> all;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(MELLEA_RECORDINGS, none)) {
    if (!entry.path().filename().string().starts_with("huggingface-")) continue;
    std::ifstream file(entry.path());
    json recording = json::parse(file);
    if (recording["request"]["json"].contains("inputs")) all.push_back(std::move(recording));
  }
  return all;
}

Decoded decoded(const json& recording, std::size_t piece) {
  const auto names = std::make_shared<const RequestNames>(
      RequestNames{.provider = "huggingface", .request = "POST http://h/generate"});
  const json& answer = recording["response"];
  const auto decoder = make_tgi_decoder(names, {.logprobs = true});
  return decode(*decoder, cut(answer["body"].get_ref<const std::string&>(), piece),
                answer["content_type"].get<std::string>());
}

TEST(TgiRecordings, SayWhatTheyTell) {
  const std::vector<json> all = recordings();
  if (all.empty()) GTEST_SKIP() << "no recordings in " << MELLEA_RECORDINGS;
  for (const json& recording : all) {
    const json told = json::parse(recording["response"]["body"].get<std::string>())[0];
    const Decoded decoded = mellea::decoded(recording, std::string::npos);
    EXPECT_EQ(decoded.what(), "");
    EXPECT_EQ(decoded.reply.text, told["generated_text"]);
    EXPECT_EQ(decoded.reply.usage,
              (Usage{.output_tokens = told["details"]["generated_tokens"].get<std::int64_t>()}));
    EXPECT_EQ(decoded.reply.finish_reasons, std::vector<std::string>{"stop"});
    EXPECT_EQ((*decoded.reply.response.metadata)["seed"], told["details"]["seed"]);
    EXPECT_EQ(decoded.reply.logprobs.size() + 1, told["details"]["tokens"].size());
    EXPECT_EQ(describe(mellea::decoded(recording, 1)), describe(decoded));
  }
}

}  // namespace
}  // namespace mellea
