#include "mellea/telemetry/content.h"

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "mellea/core/text.h"
#include "mellea/telemetry/tool_arguments.h"
#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

using Json = nlohmann::json;

Json json_at(const SpanRecord& record, Fact fact) {
  const std::string_view text = record.text(fact);
  return text.empty() ? Json() : Json::parse(text);
}

Json part(std::string type, std::string content) {
  return {{"type", std::move(type)}, {"content", std::move(content)}};
}

class ContentTest : public testing::Test {
 protected:
  // What the request says, on a record of its own.
  const SpanRecord& shown(const Request& request, ContentOptions options = {}) {
    record_ = std::make_unique<SpanRecord>();
    options.mode = ContentMode::span;
    Content(std::move(options), warnings_).set_request(*record_, request);
    return *record_;
  }
  const SpanRecord& shown(const std::vector<Reply>& replies, Outcome outcome = Outcome::ok) {
    record_ = std::make_unique<SpanRecord>();
    Content({.mode = ContentMode::span}, warnings_).set_replies(*record_, replies, outcome);
    return *record_;
  }
  std::string arguments(std::string_view written) {
    SpanRecord record;
    Content({.mode = ContentMode::span}, warnings_).set_arguments(record, written);
    return std::string(record.text(Fact::tool_call_arguments));
  }
  std::string result(std::string_view output) {
    SpanRecord record;
    Content({.mode = ContentMode::span}, warnings_).set_result(record, output);
    return std::string(record.text(Fact::tool_call_result));
  }

  std::shared_ptr<Warnings> warnings_ = std::make_shared<Warnings>();
  std::unique_ptr<SpanRecord> record_;
};

TEST_F(ContentTest, IsOffUnlessItIsAskedFor) {
  EXPECT_FALSE(Content().in_spans() || Content().in_events());
  const auto is = [&](ContentMode mode) {
    return std::make_unique<Content>(ContentOptions{mode}, nullptr);
  };
  EXPECT_TRUE(is(ContentMode::span)->in_spans() && !is(ContentMode::span)->in_events());
  EXPECT_TRUE(!is(ContentMode::event)->in_spans() && is(ContentMode::event)->in_events());
  EXPECT_TRUE(is(ContentMode::both)->in_spans() && is(ContentMode::both)->in_events());
}

TEST_F(ContentTest, ShowsAConversationAsTheConventionsSay) {
  const SpanRecord& record = shown(Request{
      .messages =
          {{.role = Message::Role::system, .text = "Be kind."},
           {.role = Message::Role::user, .text = "Weather?"},
           {.role = Message::Role::assistant,
            .tool_calls = {{.id = "c1", .name = "weather", .arguments = R"({"city":"Ulm"})"}},
            .thinking = "I ask."},
           {.role = Message::Role::tool, .text = "sunny", .tool_call_id = "c1"},
           {.role = Message::Role::system, .text = "Be brief."}},
      .tools = {{.name = "weather", .description = "not this"}}});
  EXPECT_EQ(json_at(record, Fact::system_instructions), Json::array({part("text", "Be kind.")}));
  const Json expected = {
      {{"role", "user"}, {"parts", Json::array({part("text", "Weather?")})}},
      {{"role", "assistant"},
       {"parts",
        {part("reasoning", "I ask."),
         {{"type", "tool_call"},
          {"id", "c1"},
          {"name", "weather"},
          {"arguments", {{"city", "Ulm"}}}}}}},
      {{"role", "tool"},
       {"parts",
        Json::array({{{"type", "tool_call_response"}, {"id", "c1"}, {"response", "sunny"}}})}},
      {{"role", "system"}, {"parts", Json::array({part("text", "Be brief.")})}}};
  EXPECT_EQ(json_at(record, Fact::input_messages), expected);
  const Json tools = Json::array({{{"type", "function"}, {"name", "weather"}}});
  EXPECT_EQ(json_at(record, Fact::tool_definitions), tools);
}

TEST_F(ContentTest, MediaAreShownByWhatTheyAreAndNeverWithTheirBytes) {
  const std::string bytes = base64(std::string(300, 'x'));
  const SpanRecord& record =
      shown(Request{.messages = {{.text = "Look",
                                  .images = {{.url = "data:image/png;base64," + bytes},
                                             {.url = "https://example.com/cat.png"}},
                                  .audio = {{.data = bytes, .format = "wav"}}}}});
  EXPECT_EQ(record.text(Fact::input_messages).find(bytes.substr(0, 16)), std::string_view::npos);
  const Json parts = json_at(record, Fact::input_messages)[0]["parts"];
  const Json image = {
      {"type", "media"}, {"modality", "image"}, {"mime_type", "image/png"}, {"byte_size", 300}};
  const Json link = {
      {"type", "uri"}, {"modality", "image"}, {"uri", "https://example.com/cat.png"}};
  const Json sound = {
      {"type", "media"}, {"modality", "audio"}, {"mime_type", "audio/wav"}, {"byte_size", 300}};
  EXPECT_EQ(parts, Json::array({part("text", "Look"), image, link, sound}));
}

TEST_F(ContentTest, EachPromptOfABatchIsAMessage) {
  const Json messages = json_at(shown(Request{.prompts = {"one", "two"}}), Fact::input_messages);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[1]["role"], "user");
  EXPECT_EQ(messages[1]["parts"][0]["content"], "two");
}

TEST_F(ContentTest, EachChoiceIsAMessageWithItsFinishReason) {
  const Reply reply{.text = "It is sunny.",
                    .thinking = "Easy.",
                    .tool_calls = {{.id = "c2", .name = "weather", .arguments = "no JSON"}},
                    .finish_reasons = {"tool_calls"},
                    .alternatives = {{.text = "Sun", .finish_reason = "stop"}, {.refusal = "No."}}};
  const Json messages = json_at(shown({reply}), Fact::output_messages);
  ASSERT_EQ(messages.size(), 3U);
  const Json call = {
      {"type", "tool_call"}, {"id", "c2"}, {"name", "weather"}, {"arguments", "no JSON"}};
  EXPECT_EQ(messages[0]["parts"],
            Json::array({part("reasoning", "Easy."), part("text", "It is sunny."), call}));
  EXPECT_EQ(messages[0]["finish_reason"], "tool_call");
  EXPECT_EQ(messages[1]["finish_reason"], "stop");
  EXPECT_EQ(messages[2]["parts"], Json::array({part("refusal", "No.")}));
  EXPECT_EQ(messages[2]["finish_reason"], "unknown");
}

TEST_F(ContentTest, WhatWasCutShortSaysHowItEnded) {
  const auto reason = [&](Outcome outcome) {
    return json_at(shown({Reply{.text = "It"}}, outcome),
                   Fact::output_messages)[0]["finish_reason"];
  };
  EXPECT_EQ(reason(Outcome::cancelled), "cancelled");
  EXPECT_EQ(reason(Outcome::error), "error");
  EXPECT_EQ(shown({Reply{}}, Outcome::error).find(Fact::output_messages), nullptr);
}

TEST_F(ContentTest, LongTextsEndInDotsAndTheWholeStaysWithinItsBound) {
  const Request request{
      .messages = {
          {.text = std::string(100, 'a') + "ä"},
          {.role = Message::Role::assistant,
           .tool_calls = {{.name = "f", .arguments = '[' + std::string(5'000, '1') + ']'}}}}};
  const SpanRecord& record = shown(request, {.text = 20, .attribute = 200});
  const std::string_view text = record.text(Fact::input_messages);
  EXPECT_LE(text.size(), 200U);
  const Json messages = Json::parse(text);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0]["parts"][0]["content"], std::string(20, 'a') + "...");
  EXPECT_EQ(messages[1]["parts"][0]["arguments"], "[" + std::string(19, '1') + "...");
}

TEST_F(ContentTest, WhereTooMuchWasSaidTheLatestIsShown) {
  Request request;
  for (int at = 0; at < 1'000; ++at) request.messages.push_back({.text = std::to_string(at)});
  const Json messages = json_at(shown(request, {.attribute = 2'000}), Fact::input_messages);
  EXPECT_GT(messages.size(), 20U);
  EXPECT_EQ(messages.back()["parts"][0]["content"], "999");
}

TEST_F(ContentTest, TheRedactorSeesAllOfEachTextBeforeItIsCut) {
  std::vector<std::string> seen;
  const auto redact = [&](std::string_view text) {
    seen.emplace_back(text);
    return "<" + std::to_string(text.size()) + ">";
  };
  const Request request{
      .messages = {{.role = Message::Role::system, .text = "s"}, {.text = std::string(100, 'u')}}};
  const SpanRecord& record = shown(request, {.redact = redact, .text = 10});
  EXPECT_EQ(seen, (std::vector<std::string>{"s", std::string(100, 'u')}));
  EXPECT_EQ(json_at(record, Fact::input_messages)[0]["parts"][0]["content"], "<100>");
  EXPECT_EQ(json_at(record, Fact::system_instructions)[0]["content"], "<1>");
}

TEST_F(ContentTest, WhatTheRedactorThrowsOnIsWithheldAndToldOnce) {
  const auto redact = [](std::string_view text) -> std::string {
    throw std::runtime_error("SECRET: " + std::string(text));
  };
  const Request request{.messages = {{.text = "SECRET"}, {.text = "SECRET"}}};
  const SpanRecord& record = shown(request, {.redact = redact});
  EXPECT_EQ(json_at(record, Fact::input_messages)[1]["parts"][0]["content"], Content::kWithheld);
  ASSERT_EQ(warnings_->all().size(), 1U);
  EXPECT_EQ(warnings_->all()[0].find("SECRET"), std::string::npos) << warnings_->all()[0];
}

TEST_F(ContentTest, WhatIsNoUtf8IsMadeSo) {
  EXPECT_EQ(Content({}, nullptr).text("a\xFF"), "a\uFFFD");
  const Content redacting({.redact = [](std::string_view) { return std::string("\xC3"); }},
                          nullptr);
  EXPECT_EQ(redacting.text("a"), "\uFFFD");
}

TEST_F(ContentTest, ArgumentsAreTheJsonThatIsHashedAndStayJson) {
  EXPECT_EQ(arguments(R"({ "q":"Zoë","a":1 })"), R"({"a": 1, "q": "Zo\u00eb"})");
  EXPECT_EQ(arguments_hash(arguments(R"({"q":"Zoë"})")), arguments_hash(R"({"q":"Zoë"})"));
  EXPECT_EQ(arguments("weather in Ulm"), "weather in Ulm");
  const std::string cut = arguments(R"({"a":1,"q":")" + std::string(2'000, 'x') + "\"}");
  EXPECT_LE(cut.size(), Content::kShort);
  EXPECT_GT(cut.size(), Content::kShort - 10);
  const Json json = Json::parse(cut);
  EXPECT_EQ(json["a"], 1);
  EXPECT_TRUE(json["q"].get<std::string>().ends_with("x..."));
}

TEST_F(ContentTest, AResultIsWhatTheModelWasToldAndStaysJsonIfItWas) {
  EXPECT_EQ(result(R"({"t":21})"), R"({"t":21})");
  EXPECT_EQ(result(std::string(600, 'x')), std::string(500, 'x') + "...");
  const Json json = Json::parse(result(R"({"t":")" + std::string(600, 'x') + "\"}"));
  EXPECT_TRUE(json["t"].get<std::string>().ends_with("x..."));
}

TEST_F(ContentTest, ATemplateIsShownBesideWhatWasPutIn) {
  SpanRecord record;
  Content({.mode = ContentMode::span}, nullptr)
      .set_prompt(record,
                  {.text = "Write about {{topic}}", .variables = {{"topic", "the \"sea\""}}});
  EXPECT_EQ(record.text(Fact::prompt_template), "Write about {{topic}}");
  EXPECT_EQ(json_at(record, Fact::prompt_variables), Json({{"topic", "the \"sea\""}}));
}

// The plugins, with content on.
class ContentTracingTest : public TracingTest {
 protected:
  void SetUp() override { hooks_ = plugins({.mode = ContentMode::span}); }
  Hooks plugins(ContentOptions options) {
    return Hooks(make_tracing_plugins(tracer_, false, nullptr,
                                      std::make_shared<const Content>(std::move(options), nullptr)),
                 nullptr);
  }
  static bool says(const SpanPtr& span, Fact fact, std::string_view text) {
    return at(span, fact).find(text) != std::string::npos;
  }
};

TEST_F(ContentTracingTest, AFailedGenerationShowsWhatWasAskedAndWhatHadCome) {
  const auto g = generation(Scope::root(Kind::generation),
                            {.model = "granite", .messages = {{.text = "the question"}}});
  end(g, failed(Errc::timeout), {.text = "the beginning"});
  EXPECT_TRUE(says(span("chat granite"), Fact::input_messages, "the question"));
  EXPECT_TRUE(says(span("chat granite"), Fact::output_messages, "the beginning"));
}

TEST_F(ContentTracingTest, WhatAPluginTookOutOfTheRequestIsNotShown) {
  class Masks : public Plugin {
   public:
    std::string_view name() const override { return "masks"; }
    void subscribe(Subscriber& hooks) override {
      hooks.intercept<GenerationPreCall>([](GenerationPreCall& event) {
        event.request.edit().messages[0].text = "my name is ***";
        return Verdict::go_on();
      });
    }
  };
  hooks_ = hooks_.with({std::make_shared<Masks>()});
  const auto g = generation(Scope::root(Kind::generation),
                            {.model = "granite", .messages = {{.text = "my name is Zoë"}}});
  end(g);
  EXPECT_TRUE(says(span("chat granite"), Fact::input_messages, "my name is ***"));
  EXPECT_EQ(all_of(span("chat granite")).find("Zo"), std::string::npos);
}

TEST_F(ContentTracingTest, AnActionShowsItsAnswerAndAFailedOneItsBeginning) {
  end(action(Scope::root(Kind::action)), {}, {.text = std::string(600, 'x')});
  EXPECT_EQ(at(span("action"), Fact::action_response), std::string(500, 'x') + "...");
  memory_->take();
  end(action(Scope::root(Kind::action)), failed(Errc::timeout, {.partial_text = "It was"}));
  EXPECT_EQ(at(span("action"), Fact::action_response), "It was");
}

TEST_F(ContentTracingTest, AToolShowsItsArgumentsAndItsResultIfItHasOne) {
  const auto call = [&](Ending ending) {
    const auto tool = begin(ToolPreInvoke{
        .scope = Scope::root(Kind::tool), .at = kStart, .call = {.arguments = R"({"q":"hi"})"}});
    hooks_.tell(ToolPostInvoke{
        .opening = tool.opening, .ending = std::move(ending), .took = 1ms, .output = "hello"});
    const SpanPtr found = span("execute_tool unknown");
    memory_->take();
    return found;
  };
  EXPECT_EQ(at(call({}), Fact::tool_call_arguments), R"({"q": "hi"})");
  EXPECT_EQ(at(call({}), Fact::tool_call_result), "hello");
  EXPECT_EQ(at(call(failed(Errc::unknown)), Fact::tool_call_result), "");
}

TEST_F(ContentTracingTest, AValidationShowsWhyAnAnswerFailed) {
  const auto validation = begin(ValidationPreCheck{.scope = Scope::root(Kind::validation),
                                                   .at = kStart,
                                                   .reply = std::make_shared<const Reply>()});
  hooks_.tell(ValidationPostCheck{.opening = validation.opening,
                                  .checks = {found("a", true), found("b", false)}});
  const SpanPtr traced = span("validation");
  EXPECT_EQ(at(traced, Fact::failure_reasons), "SECRET reason;");
  ASSERT_EQ(traced->events().size(), 2U);
  EXPECT_EQ(at(traced->events()[1], Fact::evaluation_explanation), "SECRET reason");
}

TEST_F(ContentTracingTest, AnAgentShowsItsGoalAndItsAnswer) {
  const auto agent = begin(AgentStart{.scope = Scope::root(Kind::agent),
                                      .at = kStart,
                                      .agent = "react",
                                      .goal = std::make_shared<const std::string>("the goal"),
                                      .tools = std::make_shared<const Tools>()});
  hooks_.tell(AgentEnd{.opening = agent.opening,
                       .answer = std::make_shared<const std::string>("the answer")});
  EXPECT_TRUE(says(span("invoke_agent react"), Fact::input_messages, "the goal"));
  EXPECT_TRUE(says(span("invoke_agent react"), Fact::output_messages, "the answer"));
}

TEST_F(ContentTracingTest, ContentInEventsOnlyIsNotOnSpans) {
  hooks_ = plugins({.mode = ContentMode::event});
  end(generation(Scope::root(Kind::generation),
                 {.model = "granite", .messages = {{.text = "the question"}}}),
      {}, {.text = "the answer"});
  const std::string all = all_of(span("chat granite"));
  EXPECT_EQ(all.find("the question"), std::string::npos);
  EXPECT_EQ(all.find("the answer"), std::string::npos);
}

}  // namespace
}  // namespace mellea::telemetry
