// Answers recorded from real servers: the same whole and cut anywhere.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mellea/backends/decode_for_test.h"

namespace mellea {
namespace {

struct Recording {
  std::string name{};
  std::string body{};
};

bool of_texts(std::string_view path) { return path == "/api/chat" || path == "/api/generate"; }
bool of_embeddings(std::string_view path) { return path.starts_with("/api/embed"); }

// Those whose path is wanted; none if the folder is missing.
std::vector<Recording> recordings(bool (*wanted)(std::string_view path)) {
  std::vector<Recording> all;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(MELLEA_RECORDINGS, none)) {
    if (!entry.path().filename().string().starts_with("ollama-")) continue;
    std::ifstream file(entry.path());
    const nlohmann::json recording = nlohmann::json::parse(file);
    const std::string path = recording["request"]["path"];
    if (!wanted(path)) continue;
    const nlohmann::json& response = recording["response"];
    all.push_back({.name = entry.path().filename(), .body = response["body"]});
  }
  return all;
}

// What a body says, put together by another JSON library.
struct Told {
  std::string text{};
  nlohmann::json last{};
};

Told told_by(const std::string& body) {
  Told told;
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);) {
    told.last = nlohmann::json::parse(line);
    told.text += told.last.contains("message") ? told.last["message"]["content"].get<std::string>()
                                               : told.last["response"].get<std::string>();
  }
  return told;
}

// The first lines and the last one: cutting a stream everywhere takes the square of its size.
std::string shortened(const std::string& body) {
  constexpr int kLinesKept = 4;
  std::size_t front = 0;
  for (int i = 0; i < kLinesKept && front != std::string::npos; ++i)
    front = body.find('\n', front + 1);
  const std::size_t last = body.rfind('\n', body.rfind('}'));
  return front >= last ? body : body.substr(0, front) + body.substr(last);
}

class OllamaRecordings : public testing::Test {
 protected:
  void SetUp() override {
    if (all_.empty()) GTEST_SKIP() << "no recordings in " << MELLEA_RECORDINGS;
  }

  const std::vector<Recording> all_ = recordings(of_texts);
};

TEST_F(OllamaRecordings, SayWhatTheirLinesSay) {
  for (const Recording& recording : all_) {
    const Decoded decoded = decode_ollama({recording.body});
    const Told told = told_by(recording.body);
    EXPECT_EQ(decoded.what(), "") << recording.name;
    EXPECT_EQ(decoded.reply.text, told.text) << recording.name;
    EXPECT_FALSE(decoded.reply.text.empty()) << recording.name;
    EXPECT_EQ(decoded.reply.response.model, told.last["model"]) << recording.name;
    EXPECT_EQ(decoded.reply.finish_reasons.at(0), told.last["done_reason"]) << recording.name;
    EXPECT_EQ((*decoded.reply.response.metadata)["total_duration"], told.last["total_duration"]);
    const Usage usage = decoded.reply.usage.value();
    EXPECT_EQ(usage.output_tokens, told.last["eval_count"].get<std::int64_t>()) << recording.name;
    EXPECT_EQ(usage.input_tokens.has_value(), told.last.contains("prompt_eval_count"))
        << recording.name;
    EXPECT_EQ(usage.input_tokens.value_or(0), told.last.value("prompt_eval_count", 0));
    EXPECT_EQ(usage, checked(usage)) << recording.name;
  }
}

TEST_F(OllamaRecordings, DecodeTheSameByteByByte) {
  for (const Recording& recording : all_)
    EXPECT_EQ(describe(decode_ollama({recording.body})),
              describe(decode_ollama(cut(recording.body, 1))))
        << recording.name;
}

TEST_F(OllamaRecordings, DecodeTheSameCutInTwoAnywhere) {
  for (const Recording& recording : all_) {
    const std::string kept = shortened(recording.body);
    const std::string_view body = kept;
    const std::string whole = describe(decode_ollama({body}));
    for (std::size_t at = 1; at < body.size(); ++at)
      ASSERT_EQ(whole, describe(decode_ollama({body.substr(0, at), body.substr(at)})))
          << recording.name << " at " << at;
  }
}

TEST_F(OllamaRecordings, LostAtAnyByteNeverPassForWhole) {
  for (const Recording& recording : all_) {
    const std::string kept = shortened(recording.body);
    const std::string_view body = kept;
    const std::string all = decode_ollama({body}).reply.text;
    for (std::size_t at = 0; at < body.rfind('}'); ++at) {
      const Decoded decoded = decode_ollama({body.substr(0, at)});
      ASSERT_TRUE(decoded.error) << recording.name << " at " << at;
      ASSERT_TRUE(all.starts_with(decoded.reply.text)) << recording.name << " at " << at;
    }
  }
}

TEST(OllamaEmbeddingRecordings, DecodeTheSameByteByByte) {
  const std::vector<Recording> all = recordings(of_embeddings);
  if (all.empty()) GTEST_SKIP() << "no recordings in " << MELLEA_RECORDINGS;
  for (const Recording& recording : all) {
    const auto decoded = [&](std::size_t size) {
      const auto names = std::make_shared<const RequestNames>();
      return decode(*make_ollama_embeddings_decoder(names, 1), cut(recording.body, size), kJson);
    };
    const Decoded whole = decoded(recording.body.size());
    EXPECT_EQ(describe(whole), describe(decoded(1))) << recording.name;
    ASSERT_EQ(whole.reply.embeddings.size(), 1U) << recording.name;
    EXPECT_EQ(whole.reply.embeddings[0].values,
              nlohmann::json::parse(recording.body)["embedding"].get<std::vector<float>>());
    EXPECT_FALSE(whole.reply.usage) << "it tells none";
  }
}

}  // namespace
}  // namespace mellea
