// What goes out to providers: everything that was asked for, or a word about what was not.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "provider_test.h"

namespace mellea::providers {
namespace {

const char* const kPng = "data:image/png;base64,iVBORw0KGgo=";

ToolSpec weather() {
  return {.name = "get_weather",
          .description = "Weather in a city \xE2\x98\x80",
          .parameters = Json::parse(
              R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})")};
}

// Whether there is a notice that `option` was not sent.
bool is_told(const Read& all, std::string_view option) {
  return std::any_of(all.notices.begin(), all.notices.end(), [&](const Notice& notice) {
    return notice.kind == Notice::Kind::option_ignored && notice.name == option &&
           !notice.text.empty();
  });
}

TEST_P(Provider, ModelAndMessagesGoOutInTheirOrder) {
  serve({whole(says({"a"}))});
  Request asked = chat();
  asked.messages = {{.role = Message::Role::system, .text = "Be brief."},
                    {.text = "One?"},
                    {.role = Message::Role::assistant, .text = "1"},
                    {.text = "Two?\n\"\\ \xF0\x9F\x8C\x8A\x01"}};
  EXPECT_EQ(ask(asked).what(), "");
  EXPECT_EQ(sent().kind, Request::Kind::chat);
  EXPECT_EQ(sent().model, "m");
  EXPECT_EQ(shown(sent().messages), shown(asked.messages));
  EXPECT_EQ(received().method, "POST");
  EXPECT_EQ(received().header("content-type"), "application/json");
}

TEST_P(Provider, AStreamIsAskedForWhenWantedOnly) {
  serve({whole(says({"a"})), streamed(says({"a"}))});
  ask(false);
  ask(true);
  EXPECT_FALSE(sent(0).stream);
  EXPECT_TRUE(sent(1).stream);
}

TEST_P(Provider, TheModelOfTheOptionsIsTakenWhereNoneIsNamed) {
  serve({whole(says({"a"}))});
  connect({.model = dialect().model()});
  Request asked = chat();
  asked.model.clear();
  ask(asked);
  EXPECT_EQ(sent().model, dialect().model_sent());
}

TEST_P(Provider, NothingIsSentThatWasNotAskedFor) {
  serve({whole(says({"a"}))});
  ask();
  EXPECT_TRUE(names_of_set(sent().options).empty());
  EXPECT_TRUE(sent().tools.empty());
  EXPECT_FALSE(sent().format);
}

TEST_P(Provider, TheKeyGoesInAHeaderAndNotInTheBody) {
  serve({whole(says({"a"}))});
  ask();
  EXPECT_EQ(received().body.find(kKey), std::string::npos);
  EXPECT_EQ(received().path.find(kKey), std::string::npos);
  EXPECT_TRUE(received().header("authorization").starts_with("Bearer "));
}

TEST_P(Provider, HeadersOfTheRequestReplaceThoseOfTheBackend) {
  serve({whole(says({"a"}))});
  connect({.headers = {{"x-team", "wide"}, {"x-other", "kept"}}});
  Request asked = chat();
  asked.headers = {{"X-Team", "near"}, {"traceparent", "00-1-2-01"}};
  ask(asked);
  EXPECT_EQ(received().header("x-team"), "near");
  EXPECT_EQ(received().header("x-other"), dialect().gaps().headers ? "" : "kept");
  EXPECT_EQ(received().header("traceparent"), "00-1-2-01");
}

TEST_P(Provider, OptionsGoOutWithTheirValues) {
  serve({whole(says({"a"}))});
  Request asked = chat();
  asked.options = {.temperature = 0.25,
                   .top_p = 0.5,
                   .max_tokens = 77,
                   .seed = 42,
                   .stop = std::vector<std::string>{"END", "\n\n"}};
  EXPECT_TRUE(ask(asked).notices.empty());
  const ModelOptions told = sent().options;
  EXPECT_EQ(names_of_set(told), names_of_set(asked.options));
  EXPECT_EQ(*told.temperature, 0.25);
  EXPECT_EQ(*told.top_p, 0.5);
  EXPECT_EQ(*told.max_tokens, 77);
  EXPECT_EQ(*told.seed, 42);
  EXPECT_EQ(*told.stop, (std::vector<std::string>{"END", "\n\n"}));
}

TEST_P(Provider, AnOptionIsSentOrToldNeverDropped) {
  serve({whole(says({"a"}))});
  const std::vector<std::pair<std::string_view, std::string_view>> options = {
      {"temperature", "0.5"},
      {"top_p", "0.5"},
      {"top_k", "5"},
      {"min_p", "0.25"},
      {"frequency_penalty", "1"},
      {"presence_penalty", "1"},
      {"max_tokens", "5"},
      {"seed", "5"},
      {"context_window", "4096"},
      {"stop", "END"},
      {"choices", "2"},
      {"logprobs", "true"},
      {"top_logprobs", "2"},
      {"think", "low"},
      {"think", "on"},
      {"think", "off"},
      {"parallel_tool_calls", "false"},
      {"user", "me"},
      {"service_tier", "flex"}};
  std::size_t count = 0;
  for (const auto& [name, value] : options) {
    Request asked = chat();
    asked.tools = {weather()};  // for those that are about tools
    set_option(asked.options, name, value);
    const Read all = ask(asked);
    ASSERT_EQ(all.what(), "") << name;
    const ModelOptions told = sent(count++).options;
    const auto names = names_of_set(told);
    const bool was_sent = std::find(names.begin(), names.end(), name) != names.end();
    EXPECT_NE(was_sent, is_told(all, name)) << name << '=' << value;
  }
}

TEST_P(Provider, AnOptionThatIsOffIsNotSent) {
  serve({whole(says({"a"}))});
  Request asked = chat();
  asked.options = {.temperature = off, .seed = off, .think = off};
  EXPECT_TRUE(ask(asked).notices.empty());
  EXPECT_TRUE(names_of_set(sent().options).empty());
}

TEST_P(Provider, WhatIsExtraGoesOutAsItIsAndWins) {
  serve({whole(says({"a"}))});
  Request asked = chat();
  asked.options.temperature = 0.25;
  asked.options.extra = Json::parse(R"({"temperature":0.75,"of_tomorrow":{"x":[1,null]}})");
  EXPECT_TRUE(ask(asked).notices.empty());
  EXPECT_EQ(*sent().options.temperature, 0.75);
  const auto body = nlohmann::json::parse(received().body);
  EXPECT_EQ(body.value("of_tomorrow", nlohmann::json()),
            nlohmann::json::parse(R"({"x":[1,null]})"));
}

TEST_P(Provider, ToolsGoOutWithTheirSchemas) {
  serve({whole(says({"a"}))});
  Request asked = chat();
  asked.tools = {weather(), {.name = "now", .description = "The time"}};
  EXPECT_TRUE(ask(asked).notices.empty());
  const std::vector<ToolSpec> told = sent().tools;
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].name, "get_weather");
  EXPECT_EQ(told[0].description, weather().description);
  EXPECT_EQ(*told[0].parameters, *weather().parameters);
  EXPECT_EQ(told[1].name, "now");
}

TEST_P(Provider, WhichToolIsToBeCalledIsSentOrTold) {
  serve({whole(says({"a"}))});
  std::size_t count = 0;
  for (const ToolChoice& choice :
       {ToolChoice{.mode = ToolChoice::Mode::required},
        ToolChoice{.mode = ToolChoice::Mode::named, .name = "get_weather"}}) {
    Request asked = chat();
    asked.tools = {weather()};
    asked.tool_choice = choice;
    const Read all = ask(asked);
    const ToolChoice told = sent(count++).tool_choice;
    const bool was_sent = told.mode == choice.mode && told.name == choice.name;
    EXPECT_NE(was_sent, is_told(all, "tool_choice")) << static_cast<int>(choice.mode);
  }
}

TEST_P(Provider, NoToolIsOfferedThatMayNotBeCalled) {
  serve({whole(says({"a"}))});
  Request asked = chat();
  asked.tools = {weather()};
  asked.tool_choice.mode = ToolChoice::Mode::none;
  EXPECT_TRUE(ask(asked).notices.empty());
  EXPECT_TRUE(sent().tools.empty() || sent().tool_choice.mode == ToolChoice::Mode::none);
}

TEST_P(Provider, AToolThatIsNotThereCannotBeDemanded) {
  serve({whole(says({"a"}))});
  Request asked = chat();
  asked.tools = {weather()};
  asked.tool_choice = {.mode = ToolChoice::Mode::named, .name = "get_wether"};
  expect_refusal(asked, "did you mean \"get_weather\"");
  asked.tools.clear();
  asked.tool_choice = {.mode = ToolChoice::Mode::required};
  expect_refusal(asked, "there are none");
}

TEST_P(Provider, TheHistoryOfToolCallsIsSent) {
  serve({whole(says({"Sunny."}))});
  Request asked = chat();
  asked.tools = {weather()};
  asked.messages = {{.text = "Weather in Paris and Rome?"},
                    {.role = Message::Role::assistant,
                     .tool_calls = {{"call_1", "get_weather", R"({"city":"Paris"})"},
                                    {"call_2", "get_weather", R"({"city":"Rome"})"}},
                     .thinking = "I should look."},
                    {.role = Message::Role::tool, .text = "sunny", .tool_call_id = "call_1"},
                    {.role = Message::Role::tool, .text = "rain", .tool_call_id = "call_2"}};
  EXPECT_TRUE(ask(asked).notices.empty());
  if (dialect().gaps().thinking) asked.messages[1].thinking.clear();
  EXPECT_EQ(shown(sent().messages), shown(asked.messages));
}

TEST_P(Provider, ACallWithoutArgumentsIsSentBack) {
  serve({whole(says({"Noon."}))});
  Request asked = chat();
  asked.messages = {
      {.text = "Time?"},
      {.role = Message::Role::assistant, .text = "Wait.", .tool_calls = {{"c", "now", "{}"}}},
      {.role = Message::Role::tool, .text = "", .tool_call_id = "c"}};
  EXPECT_EQ(ask(asked).what(), "");
  EXPECT_EQ(shown(sent().messages), shown(asked.messages));
}

TEST_P(Provider, AFormatGoesOutAsItsSchema) {
  serve({whole(says({"{}"}))});
  Request asked = chat();
  asked.format =
      Format{.name = "recipe",
             .schema = Json::parse(R"({"type":"object","properties":{"title":{"type":"string"}},)"
                                   R"("required":["title"],"additionalProperties":false})")};
  EXPECT_TRUE(ask(asked).notices.empty());
  ASSERT_TRUE(sent().format);
  ASSERT_TRUE(sent().format->schema);
  EXPECT_EQ(*sent().format->schema, *asked.format->schema);
}

TEST_P(Provider, AnyJsonObjectCanBeAskedFor) {
  serve({whole(says({"{}"}))});
  Request asked = chat();
  asked.format = Format{};
  EXPECT_TRUE(ask(asked).notices.empty());
  ASSERT_TRUE(sent().format);
  EXPECT_FALSE(sent().format->schema);
}

TEST_P(Provider, AnImageGoesWithItsMessage) {
  serve({whole(says({"A cat."}))});
  Request asked = chat();
  asked.messages = {{.text = "What is this?", .images = {{.url = kPng}}}};
  if (const std::string words = dialect().gaps().images; !words.empty())
    return expect_refusal(asked, words);
  EXPECT_TRUE(ask(asked).notices.empty());
  EXPECT_EQ(shown(sent().messages), shown(asked.messages));
}

TEST_P(Provider, AnImageElsewhereGoesAsItsUrl) {
  serve({whole(says({"A cat."}))});
  Request asked = chat();
  asked.messages = {{.text = "What is this?", .images = {{.url = "https://h/cat.png"}}}};
  const Gaps gaps = dialect().gaps();
  if (const std::string words = gaps.images + gaps.image_urls; !words.empty())
    return expect_refusal(asked, words);
  EXPECT_TRUE(ask(asked).notices.empty());
  EXPECT_EQ(shown(sent().messages), shown(asked.messages));
}

TEST_P(Provider, SoundGoesWithItsMessage) {
  serve({whole(says({"Moo."}))});
  Request asked = chat();
  asked.messages = {{.text = "Who says this?", .audio = {{.data = "UklGRg==", .format = "wav"}}}};
  if (const std::string words = dialect().gaps().audio; !words.empty())
    return expect_refusal(asked, words);
  EXPECT_TRUE(ask(asked).notices.empty());
  EXPECT_EQ(shown(sent().messages), shown(asked.messages));
}

TEST_P(Provider, WhatCannotBeSentIsRefusedBeforeItIs) {
  serve({whole(says({"a"}))});
  Request asked = chat();
  asked.messages.clear();
  expect_refusal(asked, "no messages");
  if (!dialect().gaps().model_names) {
    asked = chat();
    asked.model.clear();
    expect_refusal(asked, "no model given");
  }
  asked = chat();
  asked.messages = {{.text = "Hi"}, {.text = "\xFF\xFE"}};
  expect_refusal(asked, "message 2, user: the text is not valid UTF-8");
  asked = chat();
  asked.options.extra = Json::parse("[1]");
  expect_refusal(asked, "extra: not a JSON object");
  asked = chat();
  asked.options.temperature = std::numeric_limits<double>::infinity();
  expect_refusal(asked, "option temperature: not a finite number");
}

TEST_P(Provider, ItSaysWhoItIsAndWhereItSends) {
  serve({whole(says({"a"}))});
  const Endpoint endpoint = dialect().endpoint(*server_);
  EXPECT_EQ(backend_->provider(), dialect().provider());
  EXPECT_EQ(backend_->endpoint().address, endpoint.address);
  EXPECT_EQ(backend_->endpoint().port, endpoint.port);
  EXPECT_EQ(backend_->endpoint().local, endpoint.local);
}

}  // namespace
}  // namespace mellea::providers
