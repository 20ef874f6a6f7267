#include "mellea/backends/models_reply.h"

#include <gtest/gtest.h>

namespace mellea {
namespace {

// The names in an answer that comes byte by byte; or the message of the Error.
std::vector<std::string> names_in(std::string_view answer, ModelList form) {
  const auto decoder = make_models_decoder(std::make_shared<const RequestNames>(RequestNames{
                                               .provider = "p", .request = "GET http://h/models"}),
                                           form);
  std::vector<std::string> names;
  try {
    std::vector<Chunk> chunks;
    decoder->begin("application/json");
    for (const char& byte : answer) decoder->feed({&byte, 1}, {}, chunks);
    decoder->end({}, chunks);
    for (const Chunk& chunk : chunks) names.push_back(std::get<std::string>(chunk.what));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::parse_error);
    names = {error.what()};
  }
  return names;
}

TEST(ModelsDecoder, NamesTheModels) {
  EXPECT_EQ(names_in(R"({"object":"list","data":[{"id":"a"},{"id":"b"},{"x":1},7]})", {}),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(names_in(R"({"models":[{"name":"a:latest","model":"a:latest","size":1}]})",
                     {.list = "models", .name = "name"}),
            std::vector<std::string>{"a:latest"});
  EXPECT_EQ(names_in(R"({"data":[]})", {}), std::vector<std::string>{});
}

TEST(ModelsDecoder, AServerOfOneModelNamesIt) {
  const ModelList one{.list = nullptr, .name = "model_id"};
  EXPECT_EQ(names_in(R"({"model_id":"a/b","version":"3.3.5"})", one),
            std::vector<std::string>{"a/b"});
  for (const char* answer : {"", "[]", "{}", R"({"model_id":7})", "nope"})
    EXPECT_EQ(names_in(answer, one),
              std::vector<std::string>{"p: GET http://h/models: the answer names no model: \"" +
                                       std::string(answer) + '"'});
}

TEST(ModelsDecoder, WhatIsNoListIsRefused) {
  const std::vector<std::string> refused = {
      R"(p: GET http://h/models: the answer is no list of models: "nope")"};
  EXPECT_EQ(names_in("nope", {}), refused);
  for (const char* answer : {"", "[]", "{}", R"({"data":{}})", R"({"data":null})"})
    EXPECT_TRUE(names_in(answer, {}).at(0).find("no list of models") != std::string::npos)
        << answer;
  EXPECT_TRUE(names_in(R"({"data":)" + std::string(1000, '[') + std::string(1000, ']') + '}', {})
                  .at(0)
                  .find("no list of models") != std::string::npos);
}

}  // namespace
}  // namespace mellea
