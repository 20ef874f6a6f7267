// Answers recorded from the real service: the same whole and cut anywhere.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mellea/backends/decode_for_test.h"
#include "mellea/backends/iam_reply.h"
#include "mellea/backends/models_reply.h"
#include "mellea/backends/watsonx_reply.h"

namespace mellea {
namespace {

using Pieces = std::vector<std::string_view>;

struct Recording {
  std::string name{};
  std::string path{};
  std::string type{};
  std::string body{};
};

// None if the folder is missing.
std::vector<Recording> recordings() {
  std::vector<Recording> all;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(MELLEA_RECORDINGS, none)) {
    if (!entry.path().filename().string().starts_with("watsonx-")) continue;
    std::ifstream file(entry.path());
    const nlohmann::json recording = nlohmann::json::parse(file);
    const nlohmann::json& response = recording["response"];
    all.push_back({.name = entry.path().filename(),
                   .path = recording["request"]["path"],
                   .type = response["content_type"],
                   .body = response["body"]});
  }
  return all;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// By what was asked. The library asks for no instances: to it they are an answer to something else.
std::string decoded(const Recording& recording, const Pieces& pieces) {
  const auto names = std::make_shared<const RequestNames>(
      RequestNames{.provider = "watsonx", .request = "POST https://h"});
  if (has(recording.path, "/oidc/token")) {
    std::string token;
    const auto take = [&](const IamToken& taken) {
      token = taken.value + ' ' + std::to_string(taken.life.value().count());
    };
    return describe(decode(*make_iam_decoder(names, take), pieces, recording.type)) + token;
  }
  if (has(recording.path, "foundation_model_specs")) {
    const ModelList form{.list = "resources", .name = "model_id"};
    return describe(decode(*make_models_decoder(names, form), pieces, recording.type));
  }
  return describe(decode(*make_watsonx_generation_decoder(names), pieces, recording.type));
}

class WatsonxRecordings : public testing::Test {
 protected:
  void SetUp() override {
    if (all_.empty()) GTEST_SKIP() << "no recordings in " << MELLEA_RECORDINGS;
  }

  const std::vector<Recording> all_ = recordings();
};

TEST_F(WatsonxRecordings, SayWhatTheySay) {
  int read = 0;
  for (const Recording& recording : all_) {
    const std::string told = decoded(recording, {recording.body});
    if (has(recording.path, "/oidc/token")) {
      EXPECT_EQ(told, "ok REDACTED 3600000") << recording.name;
    } else if (has(recording.path, "foundation_model_specs")) {
      EXPECT_TRUE(told.starts_with("0: text bigcode/starcoder\n")) << recording.name;
      EXPECT_TRUE(told.ends_with("ok ")) << recording.name;
    } else if (has(recording.path, "/instances/")) {
      EXPECT_TRUE(has(told, "the answer has no results")) << recording.name;
    } else {
      EXPECT_TRUE(has(told, "0: info  google/flan-ul2   {\"system\":{\"warnings\":[")) << told;
      EXPECT_TRUE(has(told, "0: finish stop\n")) << told;
      const bool streams = has(recording.path, "stream");
      EXPECT_TRUE(has(told, streams ? "0: usage 8 11 - - - -\n" : "0: usage 7 2 - - - -\n"))
          << told;
      EXPECT_TRUE(has(told, streams ? "0: text the\n" : "0: text 2\n")) << told;
      EXPECT_TRUE(told.ends_with("ok ")) << told;
    }
    ++read;
  }
  EXPECT_EQ(read, 15);
}

TEST_F(WatsonxRecordings, DecodeTheSameCutInTwoAnywhere) {
  for (const Recording& recording : all_) {
    const std::string_view body = recording.body;
    const std::string whole = decoded(recording, {body});
    EXPECT_EQ(whole, decoded(recording, cut(body, 1))) << recording.name;
    // Streams go on as they begin, and lists of models are long and only read once whole.
    const bool is_list = body.size() > 10'000;
    for (std::size_t at = 1; at < body.size(); at += is_list ? 997 : 1) {
      if (!is_list && at == 1'000 && body.size() > 1'300) at = body.size() - 300;
      ASSERT_EQ(whole, decoded(recording, {body.substr(0, at), body.substr(at)}))
          << recording.name << " at " << at;
    }
  }
}

}  // namespace
}  // namespace mellea
