#include "mellea/backends/tei_request.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

Request embedding(std::vector<std::string> prompts, ModelOptions options = {}) {
  return {.kind = Request::Kind::embedding,
          .prompts = std::move(prompts),
          .options = std::move(options)};
}

std::string refusal(const Request& request) {
  try {
    write_tei_request(request);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "";
}

TEST(TeiRequestTest, TextsGoTogetherAndExtraBesideThem) {
  EXPECT_EQ(write_tei_request(embedding({"a", "b"})).bodies,
            std::vector<std::string>{R"({"inputs":["a","b"]})"});
  EXPECT_EQ(write_tei_request(
                embedding({"a"}, {.extra = Json::parse(R"({"normalize":false,"truncate":true})")}))
                .bodies,
            std::vector<std::string>{R"({"inputs":["a"],"normalize":false,"truncate":true})"});
}

TEST(TeiRequestTest, NoMoreTextsGoTogetherThanAServerTakes) {
  const std::vector<std::string> prompts(65, "x");
  std::vector<std::size_t> sizes;
  for (const std::string& body : write_tei_request(embedding(prompts)).bodies)
    sizes.push_back(nlohmann::json::parse(body)["inputs"].size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{32, 32, 1}));
}

TEST(TeiRequestTest, NoOptionOfOursIsKnown) {
  Request request = embedding({"a"}, {.temperature = 0.5, .user = std::string("me")});
  request.tools = {{.name = "f"}};
  request.format = Format{};
  std::vector<std::string> names;
  for (const Notice& notice : write_tei_request(request).notices) names.push_back(notice.name);
  EXPECT_EQ(names, (std::vector<std::string>{"temperature", "user", "tools", "format"}));
}

TEST(TeiRequestTest, WhatCannotBeSentIsNamed) {
  EXPECT_EQ(refusal(embedding({})), "huggingface: no prompts");
  EXPECT_EQ(refusal(embedding({"a", "\xFF"})),
            "huggingface: prompt 2: the text is not valid UTF-8");
  EXPECT_EQ(refusal(embedding({"a"}, {.extra = Json::parse(R"({"inputs":"b"})")})),
            "huggingface: extra: inputs are the prompts");
}

}  // namespace
}  // namespace mellea
