#include "mellea/backends/tgi_request.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

using nlohmann::json;

Request completion(ModelOptions options = {}) {
  return {.kind = Request::Kind::completion, .prompts = {"Hi"}, .options = std::move(options)};
}

json parameters(const TgiRequest& request) {
  return json::parse(request.written.bodies.at(0))["parameters"];
}
json parameters(ModelOptions options) {
  return parameters(write_tgi_request(completion(std::move(options))));
}

std::vector<std::string> ignored(const Request& request) {
  std::vector<std::string> names;
  for (const Notice& notice : write_tgi_request(request).written.notices) {
    EXPECT_EQ(notice.kind, Notice::Kind::option_ignored);
    names.push_back(notice.name);
  }
  return names;
}

std::string refusal(const Request& request) {
  try {
    write_tgi_request(request);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    return error.what();
  }
  return "";
}

TEST(TgiRequestTest, EachPromptIsARequest) {
  Request request = completion({.max_tokens = 20});
  request.prompts = {"one", "tw\xC3\xB6\n"};
  const TgiRequest written = write_tgi_request(request);
  EXPECT_EQ(written.written.path, "/generate");
  EXPECT_EQ(written.written.bodies,
            (std::vector<std::string>{
                R"({"inputs":"one","parameters":{"max_new_tokens":20,"details":true}})",
                "{\"inputs\":\"tw\xC3\xB6\\n\","
                R"("parameters":{"max_new_tokens":20,"details":true}})"}));
  EXPECT_EQ(written.asked.answers, 1U);
  EXPECT_FALSE(written.asked.logprobs);
  request.stream = true;
  EXPECT_EQ(write_tgi_request(request).written.path, "/generate_stream");
}

TEST(TgiRequestTest, OptionsStandUnderTgisNames) {
  EXPECT_EQ(parameters({.temperature = 0.5,
                        .top_p = 0.9,
                        .top_k = 40,
                        .frequency_penalty = 0.25,
                        .max_tokens = 7,
                        .seed = 3,
                        .stop = std::vector<std::string>{"\n", "END"}}),
            json::parse(R"({"do_sample":true,"temperature":0.5,"top_p":0.9,"top_k":40,
                            "frequency_penalty":0.25,"max_new_tokens":7,"seed":3,
                            "stop":["\n","END"],"details":true})"));
}

TEST(TgiRequestTest, WhatAsksForNothingIsNotSentWhereItWouldBeAnError) {
  EXPECT_EQ(parameters({.temperature = 0.0, .top_p = 1.0, .top_k = 0}),
            json::parse(R"({"do_sample":false,"details":true})"));
  EXPECT_EQ(parameters({.temperature = 0.0, .seed = 1}),
            json::parse(R"({"do_sample":false,"seed":1,"details":true})"));
  EXPECT_EQ(parameters({.seed = 1}), json::parse(R"({"do_sample":true,"seed":1,"details":true})"))
      << "a seed is for sampling";
}

TEST(TgiRequestTest, SeveralChoicesAreTheBestOfAsManyWithAllOfThem) {
  const TgiRequest several = write_tgi_request(completion({.choices = 3}));
  EXPECT_EQ(parameters(several), json::parse(R"({"do_sample":true,"best_of":3,"details":true})"));
  EXPECT_EQ(several.asked.answers, 3U);
  EXPECT_EQ(ignored(completion({.seed = 1, .choices = 2})), std::vector<std::string>{"seed"});
  EXPECT_EQ(ignored(completion({.temperature = 0.0, .choices = 2})),
            std::vector<std::string>{"choices"});
  Request streamed = completion({.seed = 1, .choices = 2});
  streamed.stream = true;
  EXPECT_EQ(ignored(streamed), std::vector<std::string>{"choices"});
  EXPECT_EQ(write_tgi_request(streamed).asked.answers, 1U);
  EXPECT_EQ(refusal(completion({.choices = 0})), "huggingface: option choices: 0 answers");
}

TEST(TgiRequestTest, LogprobsAreAlwaysToldAndGivenOutWhereAskedFor) {
  const auto asked = [](ModelOptions options) {
    const TgiRequest request = write_tgi_request(completion(std::move(options)));
    return std::pair(request.asked.logprobs, parameters(request).value("top_n_tokens", 0));
  };
  EXPECT_EQ(asked({}), std::pair(false, 0));
  EXPECT_EQ(asked({.logprobs = true}), std::pair(true, 0));
  EXPECT_EQ(asked({.top_logprobs = 5}), std::pair(true, 5));
  EXPECT_EQ(asked({.logprobs = true, .top_logprobs = 0}), std::pair(true, 0));
  EXPECT_EQ(asked({.logprobs = false, .top_logprobs = 5}), std::pair(false, 0));
}

TEST(TgiRequestTest, AFormatIsAGrammar) {
  Request request = completion();
  request.format = Format{.name = "n", .schema = Json::parse(R"({"type":"array"})")};
  EXPECT_EQ(parameters(write_tgi_request(request))["grammar"],
            json::parse(R"({"type":"json","value":{"type":"array"}})"));
  request.format->schema = {};
  EXPECT_EQ(parameters(write_tgi_request(request))["grammar"],
            json::parse(R"({"type":"json","value":{"type":"object"}})"));
}

TEST(TgiRequestTest, ExtraIsAmongTheParametersAndWins) {
  EXPECT_EQ(parameters({.max_tokens = 7,
                        .stop = std::vector<std::string>{"a"},
                        .extra = Json::parse(R"({"max_new_tokens":9,"stop":["b"],"typical_p":0.5,
                                                 "adapter_id":"me/lora","details":false})")}),
            json::parse(R"({"max_new_tokens":9,"stop":["b"],"typical_p":0.5,
                            "adapter_id":"me/lora","details":false})"));
}

TEST(TgiRequestTest, WhatTgiCannotDoIsReported) {
  Request request = completion({.min_p = 0.1,
                                .presence_penalty = 0.5,
                                .think = std::string("on"),
                                .parallel_tool_calls = true,
                                .user = std::string("me"),
                                .service_tier = std::string("flex")});
  request.tools = {{.name = "f"}};
  EXPECT_EQ(ignored(request),
            (std::vector<std::string>{"min_p", "presence_penalty", "think", "parallel_tool_calls",
                                      "user", "service_tier", "tools"}));
  EXPECT_EQ(parameters(write_tgi_request(request)), json::parse(R"({"details":true})"));
}

TEST(TgiRequestTest, EveryOptionIsSentOrReported) {
  const ModelOptions all{.temperature = 0.5,
                         .top_p = 0.5,
                         .top_k = 1,
                         .min_p = 0.5,
                         .frequency_penalty = 0.5,
                         .presence_penalty = 0.5,
                         .max_tokens = 1,
                         .context_window = 1,
                         .seed = 1,
                         .stop = std::vector<std::string>{"x"},
                         .choices = 2,
                         .logprobs = true,
                         .top_logprobs = 1,
                         .think = std::string("on"),
                         .parallel_tool_calls = true,
                         .user = std::string("u"),
                         .service_tier = std::string("s")};
  ASSERT_EQ(names_of_set(all).size(), 17U) << "a new option: see to it here, and in the writer";
  const TgiRequest written = write_tgi_request(completion(all));
  EXPECT_EQ(parameters(written).size(), 10U);  // do_sample and details beside those that are sent
  EXPECT_EQ(written.written.notices.size(), 8U);
}

TEST(TgiRequestTest, WhatCannotBeSentIsNamed) {
  EXPECT_EQ(refusal({.kind = Request::Kind::completion}), "huggingface: no prompts");
  Request request = completion();
  request.prompts.emplace_back("\xFF");
  EXPECT_EQ(refusal(request), "huggingface: prompt 2: the text is not valid UTF-8");
  EXPECT_EQ(refusal(completion({.temperature = NAN})),
            "huggingface: option temperature: not a finite number");
  EXPECT_EQ(refusal(completion({.stop = std::vector<std::string>{"\xFF"}})),
            "huggingface: option stop: the text is not valid UTF-8");
  EXPECT_EQ(refusal(completion({.extra = Json::parse("[]")})),
            "huggingface: extra: not a JSON object");
}

}  // namespace
}  // namespace mellea
