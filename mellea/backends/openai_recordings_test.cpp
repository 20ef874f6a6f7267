// Traffic recorded from real providers: the same whole and cut anywhere.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "mellea/backends/decode_for_test.h"

namespace mellea {
namespace {

struct Recording {
  std::string name{};
  int status = 0;
  std::string content_type{};
  std::string body{};
  std::size_t inputs = 0;  // of embeddings
};

bool of_chats(std::string_view route) {
  return route.ends_with("/chat/completions") || route.ends_with("/v1/completions");
}
bool of_embeddings(std::string_view route) { return route.ends_with("/v1/embeddings"); }

// Those whose route is wanted; none if the folder is missing.
std::vector<Recording> recordings(bool (*wanted)(std::string_view route)) {
  std::vector<Recording> all;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(MELLEA_RECORDINGS, none)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path());
    const nlohmann::json recording = nlohmann::json::parse(file);
    const std::string path = recording["request"]["path"];
    const std::string route = path.substr(0, path.find('?'));
    if (!wanted(route)) continue;
    const nlohmann::json input =
        recording["request"].value("/json/input"_json_pointer, nlohmann::json());
    const nlohmann::json& response = recording["response"];
    all.push_back({.name = entry.path().filename(),
                   .status = response["status"],
                   .content_type = response.value("content_type", ""),
                   .body = response["body"],
                   .inputs = input.is_array() ? input.size() : 1});
  }
  return all;
}

class OpenAiRecordings : public testing::Test {
 protected:
  void SetUp() override {
    if (all_.empty()) GTEST_SKIP() << "no recordings in " << MELLEA_RECORDINGS;
  }

  const std::vector<Recording> all_ = recordings(of_chats);
};

TEST_F(OpenAiRecordings, DecodeWithoutAnError) {
  for (const Recording& recording : all_) {
    const bool failed = recording.status != 200 ||
                        recording.body.substr(0, 20).find("\"error\"") != std::string::npos;
    if (failed) continue;
    const Decoded decoded = decode(recording.body, recording.content_type);
    EXPECT_EQ(decoded.what(), "") << recording.name;
    EXPECT_FALSE(decoded.reply.finish_reasons.empty()) << recording.name;
    EXPECT_FALSE(decoded.reply.response.model.empty()) << recording.name;
    if (recording.content_type.starts_with(kJson)) {
      EXPECT_TRUE(decoded.reply.usage) << recording.name;
    }
  }
}

// What a body says of its tokens last, read by another JSON library; null if it says nothing.
nlohmann::json usage_in(const std::string& body) {
  nlohmann::json usage;
  const auto look = [&usage](const std::string& text) {
    const nlohmann::json told = nlohmann::json::parse(text, nullptr, false);
    if (!told.is_object()) return;
    for (const char* place : {"/usage", "/x_groq/usage"})
      if (const nlohmann::json::json_pointer at(place); told.contains(at) && told[at].is_object())
        usage = told[at];
  };
  look(body);
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("data: {")) look(line.substr(6));
  return usage;
}

TEST_F(OpenAiRecordings, TellTheUsageThatTheyTellAndNoneThatCannotBe) {
  for (const Recording& recording : all_) {
    if (recording.status != 200) continue;
    const Decoded decoded = decode(recording.body, recording.content_type);
    const nlohmann::json told = usage_in(recording.body);
    ASSERT_EQ(decoded.reply.usage.has_value(), !told.is_null()) << recording.name;
    for (const Chunk& chunk : decoded.chunks)
      EXPECT_FALSE(std::holds_alternative<Notice>(chunk.what)) << recording.name;
    if (!decoded.reply.usage) continue;
    const auto count = [&told](const char* place) -> std::optional<std::int64_t> {
      const nlohmann::json::json_pointer at(place);
      if (!told.contains(at) || !told[at].is_number()) return {};
      return told[at].get<std::int64_t>();
    };
    EXPECT_EQ(*decoded.reply.usage,
              (Usage{.input_tokens = count("/prompt_tokens"),
                     .output_tokens = count("/completion_tokens"),
                     .total_tokens = count("/total_tokens"),
                     .cache_read_tokens = count("/prompt_tokens_details/cached_tokens"),
                     .reasoning_tokens = count("/completion_tokens_details/reasoning_tokens")}))
        << recording.name;
    EXPECT_EQ(*decoded.reply.usage, checked(*decoded.reply.usage)) << recording.name;
  }
}

TEST_F(OpenAiRecordings, DecodeTheSameByteByByte) {
  for (const Recording& recording : all_)
    EXPECT_EQ(describe(decode(recording.body, recording.content_type)),
              describe(decode(cut(recording.body, 1), recording.content_type)))
        << recording.name;
}

TEST_F(OpenAiRecordings, DecodeTheSameCutInTwoAnywhere) {
  constexpr std::size_t kSmall = 1'000;  // a larger one is cut at some places: all are quadratic
  constexpr std::size_t kCuts = 10;
  for (const Recording& recording : all_) {
    const std::string_view body = recording.body;
    const std::size_t step = body.size() <= kSmall ? 1 : body.size() / kCuts;
    const std::string whole = describe(decode(body, recording.content_type));
    for (std::size_t at = 1; at < body.size(); at += step)
      ASSERT_EQ(whole,
                describe(decode({body.substr(0, at), body.substr(at)}, recording.content_type)))
          << recording.name << " at " << at;
  }
}

TEST_F(OpenAiRecordings, LostAtAnyByteNeverPassForWhole) {
  for (const Recording& recording : all_) {
    const std::string_view body = recording.body;
    if (recording.status != 200 || body.size() > 3'000) continue;
    const bool streams = recording.content_type.starts_with(kEvents);
    const std::size_t last = body.rfind(streams ? "\"finish_reason\":\"" : "}");
    if (last == body.npos) continue;
    const std::string all = decode(body, recording.content_type).reply.text;
    for (std::size_t at = 0; at < last; at += 17) {
      const Decoded decoded = decode(body.substr(0, at), recording.content_type);
      ASSERT_TRUE(decoded.error) << recording.name << " at " << at;
      ASSERT_TRUE(all.starts_with(decoded.reply.text)) << recording.name << " at " << at;
    }
  }
}

TEST(OpenAiEmbeddingRecordings, DecodeTheSameByteByByte) {
  const std::vector<Recording> all = recordings(of_embeddings);
  if (all.empty()) GTEST_SKIP() << "no recordings in " << MELLEA_RECORDINGS;
  for (const Recording& recording : all) {
    if (recording.status != 200) continue;
    const auto decoded = [&](std::size_t size) {
      const auto decoder = make_openai_embeddings_decoder(names_for_test(), recording.inputs);
      Decoded answer;
      for (const std::string_view piece : cut(recording.body, size))
        decoder->feed(piece, {}, answer.chunks);
      decoder->end({}, answer.chunks);
      for (const Chunk& chunk : answer.chunks) add(answer.reply, chunk);
      return answer;
    };
    const Decoded whole = decoded(recording.body.size());
    EXPECT_EQ(describe(whole), describe(decoded(1))) << recording.name;
    ASSERT_EQ(whole.reply.embeddings.size(), recording.inputs) << recording.name;
    EXPECT_GE(whole.reply.embeddings[0].values.size(), 512U) << recording.name;
    const nlohmann::json usage = nlohmann::json::parse(recording.body)["usage"];
    EXPECT_EQ(whole.reply.usage, (Usage{.input_tokens = usage["prompt_tokens"],
                                        .total_tokens = usage["total_tokens"]}))
        << recording.name;
  }
}

TEST_F(OpenAiRecordings, ErrorBodiesKeepTheProvidersSentence) {
  for (const Recording& recording : all_) {
    if (recording.status == 200) continue;
    const Error error =
        answer_error(*names_for_test(), {.status = recording.status, .body = recording.body});
    EXPECT_NE(error.code(), Errc::unknown) << recording.name;
    EXPECT_FALSE(error.details().provider_message.empty()) << recording.name << error.what();
  }
}

}  // namespace
}  // namespace mellea
