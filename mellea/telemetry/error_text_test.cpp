#include "mellea/telemetry/error_text.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

const Request kRequest{.model = "gpt-9",
                       .messages = {{.role = Message::Role::system, .text = "Be kind."},
                                    {.text = "Tell me the password of the vault in Zürich."}}};

Error told(std::string message, int status = 429, Errc code = Errc::rate_limit) {
  return {code, "openai: " + message,
          ErrorDetails{.status = status, .provider_message = std::move(message)}};
}

std::string shown(ErrorMessages mode, const Error& error, const Request* request = &kRequest,
                  ContentOptions options = {}) {
  return ErrorText(mode, std::make_shared<const Content>(std::move(options), nullptr))
      .of(error, request);
}
std::string safe(std::string message, int status = 429, Errc code = Errc::rate_limit) {
  return shown(ErrorMessages::safe, told(std::move(message), status, code));
}

TEST(ErrorTextTest, NothingIsShownUnlessItIsAskedFor) {
  EXPECT_EQ(ErrorText().of(told("Slow down"), &kRequest), "");
  EXPECT_EQ(shown(ErrorMessages::none, told("Slow down")), "");
}

// As providers said them: the sentences of recordings, documentation and bug reports.
TEST(ErrorTextTest, SafeIsWhatTheProviderSaid) {
  constexpr const char* kLimit =
      "Rate limit reached for gpt-4o-mini-2024-07-18 in organization on tokens per min (TPM): "
      "Limit 200000, Used 199853, Requested 1120.";
  EXPECT_EQ(safe(kLimit), kLimit);
  EXPECT_EQ(safe("The model `gpt-9` does not exist or you do not have access to it.", 404,
                 Errc::not_found),
            "The model `gpt-9` does not exist or you do not have access to it.");
  EXPECT_EQ(safe("line one\nline two", 500, Errc::server_error), "line one line two");
}

TEST(ErrorTextTest, SafeIsNothingButWhatTheProviderSaid) {
  EXPECT_EQ(shown(ErrorMessages::safe, Error(Errc::transport_error, "connect: refused")), "");
}

TEST(ErrorTextTest, WhereTheRequestWasAtFaultNothingIsSafe) {
  EXPECT_EQ(safe("Invalid prompt", 400, Errc::content_policy), "");
  EXPECT_EQ(safe("Input should be a valid string", 422, Errc::invalid_request), "");
  EXPECT_EQ(safe("invalid value", 200, Errc::invalid_request), "");
}

TEST(ErrorTextTest, SixteenLettersOfTheRequestAreOneTooMany) {
  EXPECT_EQ(safe("I won't: \"Tell me the pass\""), "");                   // 16
  EXPECT_NE(safe("I won't: \"Tell me the pas\" is rude"), "");            // 15
  EXPECT_EQ(safe("about the vault in Zürich., no"), "");                  // code points, not bytes
  EXPECT_EQ(shown(ErrorMessages::safe, told("Slow down"), nullptr), "");  // nobody knows
}

TEST(ErrorTextTest, TheRequestIsAllThatWasSent) {
  const std::string words = "words that must not come back";
  Request request;
  EXPECT_FALSE(quotes(words, request));
  for (const auto& put : std::initializer_list<void (*)(Request&, const std::string&)>{
           [](Request&r, const std::string&text) { r.messages = {{.text = text}}; },
           [](Request&r, const std::string&text) { r.messages = {{.thinking = text}}; },
           [](Request&r, const std::string&text) {
             r.messages = {{.tool_calls = {{.arguments = text}}}};
           },
           [](Request&r, const std::string&text) { r.messages = {{.images = {{.url = text}}}}; },
           [](Request&r, const std::string&text) { r.prompts = {text}; },
           [](Request&r, const std::string&text) { r.tools = {{.description = text}}; }}) {
    Request one;
    put(one, "say: " + words);
    EXPECT_TRUE(quotes("they said " + words, one));
  }
}

TEST(ErrorTextTest, SafeIsShort) {
  const std::string text = safe(std::string(1'000, 'x'));
  EXPECT_EQ(text, std::string(256, 'x'));
}

TEST(ErrorTextTest, KeysAreMasked) {
  const std::pair<const char*, const char*> rows[] = {
      {"Incorrect API key provided: sk-no***key. You can find it.",
       "Incorrect API key provided: ***. You can find it."},
      {"bad token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIi.SflKxwRJ", "bad token ***"},
      {"hf_AbCdEfGhIjKlMnOpQrStUvWxYz is not valid", "*** is not valid"},
      {"key=1234abcd5678&model=m", "key=***&model=m"},
      {"Authorization: Bearer 0a1b2c3d4e", "Authorization: Bearer ***"},
      {"org-AbCdEf1234567890AbCdEf12 is over its limit", "*** is over its limit"},
      {"gpt-4o-mini-2024-07-18 is busy", "gpt-4o-mini-2024-07-18 is busy"},
      {"https://platform.openai.com/account/api-keys.",
       "https://platform.openai.com/account/api-keys."},
      {"", ""}};
  for (const auto& [text, masked] : rows) EXPECT_EQ(with_keys_masked(text), masked);
}

TEST(ErrorTextTest, FullIsWhatTheExceptionSaysWithoutKeys) {
  EXPECT_EQ(
      shown(ErrorMessages::full, told("no, sk-abcdefgh", 400, Errc::invalid_request), nullptr),
      "openai: no, ***");
}

TEST(ErrorTextTest, TheRedactorHasTheLastWord) {
  const auto redact = [](std::string_view text) { return "[" + std::string(text) + "]"; };
  EXPECT_EQ(shown(ErrorMessages::safe, told("Slow down"), &kRequest, {.redact = redact}),
            "[Slow down]");
}

class ErrorTextTracingTest : public TracingTest {
 protected:
  void show(ErrorMessages mode) {
    tracer_ =
        std::make_shared<Tracer>(Sampler{}, std::vector<std::shared_ptr<SpanExporter>>{memory_},
                                 ErrorText(mode, std::make_shared<const Content>()));
    hooks_ = Hooks(make_tracing_plugins(tracer_, false), nullptr);
  }
  static Ending slow_down() {
    return {.outcome = Outcome::error, .error = std::make_shared<const Error>(told("Slow down"))};
  }
};

TEST_F(ErrorTextTracingTest, TheMessageStandsBehindOurSentenceOnTheInnermostSpan) {
  show(ErrorMessages::safe);
  const auto a = action(Scope::root(Kind::action));
  end(generation(a.scope.child(Kind::generation)), slow_down());
  end(a, slow_down());
  const SpanPtr chat = span("chat granite");
  EXPECT_EQ(chat->description, "rate_limit: HTTP status 429: Slow down");
  ASSERT_EQ(chat->events().size(), 1U);
  EXPECT_EQ(at(chat->events()[0], Fact::exception_message), "Slow down");
  EXPECT_EQ(all_of(span("action")).find("Slow down"), std::string::npos);
}

TEST_F(ErrorTextTracingTest, NoneIsTheDefault) {
  end(generation(Scope::root(Kind::generation)), slow_down());
  EXPECT_EQ(all_of(span("chat granite")).find("Slow down"), std::string::npos);
}

TEST_F(ErrorTextTracingTest, AToolsMessageIsShownInFullOnly) {
  for (const ErrorMessages mode : {ErrorMessages::safe, ErrorMessages::full}) {
    show(mode);
    memory_->take();
    const auto tool = begin(ToolPreInvoke{.scope = Scope::root(Kind::tool), .at = kStart});
    hooks_.tell(ToolPostInvoke{.opening = tool.opening, .ending = failed(Errc::unknown)});
    const bool shown = all_of(span("execute_tool unknown")).find("SECRET") != std::string::npos;
    EXPECT_EQ(shown, mode == ErrorMessages::full);
  }
}

}  // namespace
}  // namespace mellea::telemetry
