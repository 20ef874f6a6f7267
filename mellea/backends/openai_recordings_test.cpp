// Traffic recorded from real providers: the same whole and cut anywhere.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mellea/backends/decode_for_test.h"

namespace mellea {
namespace {

struct Recording {
  std::string name{};
  int status = 0;
  std::string content_type{};
  std::string body{};
};

// Those of chats and completions; none if the folder is missing.
std::vector<Recording> recordings() {
  std::vector<Recording> all;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(MELLEA_RECORDINGS, none)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path());
    const nlohmann::json recording = nlohmann::json::parse(file);
    const std::string path = recording["request"]["path"];
    const std::string route = path.substr(0, path.find('?'));
    if (!route.ends_with("/chat/completions") && !route.ends_with("/v1/completions")) continue;
    const nlohmann::json& response = recording["response"];
    all.push_back({.name = entry.path().filename(),
                   .status = response["status"],
                   .content_type = response.value("content_type", ""),
                   .body = response["body"]});
  }
  return all;
}

class OpenAiRecordings : public testing::Test {
 protected:
  void SetUp() override {
    if (all_.empty()) GTEST_SKIP() << "no recordings in " << MELLEA_RECORDINGS;
  }

  const std::vector<Recording> all_ = recordings();
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

TEST_F(OpenAiRecordings, DecodeTheSameByteByByte) {
  for (const Recording& recording : all_)
    EXPECT_EQ(describe(decode(recording.body, recording.content_type)),
              describe(decode(cut(recording.body, 1), recording.content_type)))
        << recording.name;
}

TEST_F(OpenAiRecordings, DecodeTheSameCutInTwoAnywhere) {
  constexpr std::size_t kSmall = 1'200;  // the rest is quadratic
  for (const Recording& recording : all_) {
    const std::string_view body = recording.body;
    if (body.size() > kSmall) continue;
    const std::string whole = describe(decode(body, recording.content_type));
    for (std::size_t at = 1; at < body.size(); ++at)
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
