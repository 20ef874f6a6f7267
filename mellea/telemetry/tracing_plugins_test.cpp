#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

class TracingPluginsTest : public TracingTest {};

// A plugin that stops what it is told to stop.
template <class E>
class Blocker : public Plugin {
 public:
  std::string_view name() const override { return "no_secrets"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<E>([](E&) { return Verdict::stop({.reason = "SECRET", .code = "has_key"}); });
  }
};

TEST_F(TracingPluginsTest, SpansNestAsTheOperationsDid) {
  const auto s = session();
  const auto a = action(s.scope.child(Kind::action));
  const auto g = generation(a.scope.child(Kind::generation));
  end(g);
  end(a);
  end(s);
  EXPECT_EQ(span("chat granite")->parent, span("action")->ids.span);
  EXPECT_EQ(span("action")->parent, span("session")->ids.span);
  EXPECT_EQ(span("session")->parent, (std::array<std::uint8_t, 8>{}));
  EXPECT_EQ(span("chat granite")->ids.trace, span("session")->ids.trace);
  EXPECT_LE(span("session")->began, span("action")->began);
  EXPECT_LE(span("chat granite")->ended, span("action")->ended);
}

TEST_F(TracingPluginsTest, AChatSaysWhatWasAskedAndWhatIsKnownOfTheAnswer) {
  const auto conversation = std::make_shared<const std::string>("conversation-1");
  Request request{.model = "granite",
                  .options = {.temperature = 0.5,
                              .top_k = 4,
                              .max_tokens = 64,
                              .seed = 7,
                              .stop = std::vector<std::string>{"END", "."},
                              .choices = 1},
                  .tools = {{.name = "weather"}},
                  .format = Format{.name = "Recipe"},
                  .stream = true};
  const Scope scope = Scope::root(Kind::generation, {.iteration = 2, .labels = {{"tenant", "t1"}}});
  const auto g = generation(scope, request,
                            {.provider = "watsonx",
                             .endpoint = {.address = "example.com", .port = 443},
                             .component = "Instruction",
                             .conversation = conversation,
                             .context_size = 3});
  end(g, {},
      {.finish_reasons = {"stop", "length"},
       .response = {.id = "r-1", .model = "granite-3", .service_tier = "flex"},
       .usage = Usage{.input_tokens = 42,
                      .output_tokens = 18,
                      .total_tokens = 60,
                      .cache_read_tokens = 40,
                      .reasoning_tokens = 0}},
      {.times = {.started = kStart, .first_chunk = kStart + 30ms, .first_content = kStart + 40ms},
       .chunks = 5,
       .retries = 1});
  const SpanPtr chat = span("chat granite");
  EXPECT_EQ(chat->kind, SpanKind::client);
  EXPECT_EQ(chat->library, "mellea.backend");
  EXPECT_EQ(chat->status, SpanStatus::unset);
  EXPECT_EQ(chat->ended - chat->began, 68'000'000);
  const std::vector<std::pair<std::string_view, std::string_view>> expected = {
      {"gen_ai.operation.name", "chat"},
      {"gen_ai.provider.name", "ibm.watsonx.ai"},
      {"gen_ai.request.model", "granite"},
      {"server.address", "example.com"},
      {"server.port", "443"},
      {"gen_ai.conversation.id", "conversation-1"},
      {"mellea.component.type", "Instruction"},
      {"gen_ai.output.type", "json"},
      {"mellea.request.format_type", "Recipe"},
      {"gen_ai.request.stream", "true"},
      {"mellea.action.tool_calls", "true"},
      {"gen_ai.request.temperature", "0.5"},
      {"gen_ai.request.top_p", ""},
      {"gen_ai.request.top_k", "4"},
      {"gen_ai.request.max_tokens", "64"},
      {"gen_ai.request.seed", "7"},
      {"gen_ai.request.stop_sequences", "END;.;"},
      {"gen_ai.request.choice.count", ""},
      {"mellea.request.context_size", "3"},
      {"mellea.sampling.iteration", "2"},
      {"gen_ai.response.id", "r-1"},
      {"gen_ai.response.model", "granite-3"},
      {"gen_ai.response.finish_reasons", "stop;length;"},
      {"openai.response.service_tier", "flex"},
      {"openai.response.system_fingerprint", ""},
      {"gen_ai.usage.input_tokens", "42"},
      {"gen_ai.usage.output_tokens", "18"},
      {"mellea.usage.total_tokens", "60"},
      {"gen_ai.usage.cache_read.input_tokens", "40"},
      {"gen_ai.usage.cache_creation.input_tokens", ""},
      {"gen_ai.usage.reasoning.output_tokens", "0"},
      {"gen_ai.response.time_to_first_chunk", "0.03"},
      {"mellea.response.time_to_first_token", "0.04"},
      {"mellea.generation.retry_count", "1"},
      {"mellea.outcome", ""},
      {"tenant", "t1"},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(at(chat, key), value) << key;
  EXPECT_EQ(at(chat, Fact::generation_id), g.scope.id().text());
}

TEST_F(TracingPluginsTest, WhatIsNotStreamedHasNoFirstChunk) {
  const auto g = generation(Scope::root(Kind::generation));
  end(g, {}, {}, {.times = {.started = kStart, .first_chunk = kStart + 30ms}, .chunks = 1});
  EXPECT_EQ(at(span("chat granite"), Fact::time_to_first_chunk), "");
  EXPECT_EQ(at(span("chat granite"), Fact::request_stream), "");
}

TEST_F(TracingPluginsTest, OnlyProvidersElsewhereAreClients) {
  const auto kind = [&](std::string_view provider, bool local) {
    end(generation(Scope::root(Kind::generation), {.model = "m"},
                   {.provider = provider, .endpoint = {.local = local}}));
    return memory_->take().at(0)->kind;
  };
  for (const auto* provider : {"openai", "ollama", "watsonx", "litellm", "huggingface"})
    EXPECT_EQ(kind(provider, false), SpanKind::client) << provider;
  EXPECT_EQ(kind("huggingface", true), SpanKind::internal);
  EXPECT_EQ(kind("scripted", false), SpanKind::internal);
}

TEST_F(TracingPluginsTest, WithoutAModelTheSpanIsCalledChatAlone) {
  end(generation(Scope::root(Kind::generation), Request{}));
  EXPECT_EQ(at(span("chat"), Fact::request_model), "");
}

TEST_F(TracingPluginsTest, TheProviderGetsTheIdsOfTheSpan) {
  const auto g = generation(Scope::root(Kind::generation));
  end(g);
  const Headers expected = {{"traceparent", span("chat granite")->ids.traceparent()}};
  EXPECT_EQ(g.opening->headers, expected);
}

TEST_F(TracingPluginsTest, ABatchIsOneSpan) {
  const auto b = begin(GenerationBatchPreCall{
      .scope = Scope::root(Kind::batch),
      .at = kStart,
      .target = std::make_shared<const Target>(Target{.provider = "ollama"}),
      .request = Request{.kind = Request::Kind::completion, .model = "m", .prompts = {"a", "b"}}});
  EXPECT_EQ(b.opening->headers.size(), 1U);
  hooks_.tell(GenerationBatchPostCall{.opening = b.opening, .usage = Usage{.input_tokens = 3}});
  const SpanPtr batch = span("text_completion m");
  EXPECT_EQ(at(batch, Fact::operation), "text_completion");
  EXPECT_EQ(at(batch, Fact::num_actions), "2");
  EXPECT_EQ(at(batch, Fact::input_tokens), "3");
  EXPECT_EQ(at(batch, Fact::context_size), "");
  EXPECT_EQ(at(batch, Fact::batch_failed_count), "");
  EXPECT_EQ(at(batch, Fact::usage_partial), "");
}

TEST_F(TracingPluginsTest, ABatchThatFailedSaysHowManyPromptsHaveNoAnswer) {
  const auto b = begin(GenerationBatchPreCall{
      .scope = Scope::root(Kind::batch),
      .at = kStart,
      .target = std::make_shared<const Target>(Target{.provider = "ollama"}),
      .request =
          Request{.kind = Request::Kind::completion, .model = "m", .prompts = {"a", "b", "c"}}});
  hooks_.tell(GenerationRetry{.scope = b.scope, .at = kStart, .index = 1});
  hooks_.tell(GenerationBatchError{
      .opening = b.opening,
      .ending = failed(Errc::server_error),
      .replies = std::make_shared<const std::vector<Reply>>(std::vector<Reply>{
          {.text = "whole", .finish_reasons = {"stop"}}, {.text = "cut of"}, {}}),
      .usage = Usage{.input_tokens = 3}});
  const SpanPtr batch = span("text_completion m");
  EXPECT_EQ(at(batch, Fact::batch_failed_count), "2");
  EXPECT_EQ(at(batch, Fact::usage_partial), "true");
  ASSERT_EQ(batch->events().size(), 2U);
  EXPECT_EQ(at(batch->events()[0], Fact::batch_index), "1");
}

TEST_F(TracingPluginsTest, ABatchOfTextsToEmbedGoesByTheConventionsName) {
  const auto b = begin(GenerationBatchPreCall{
      .scope = Scope::root(Kind::batch),
      .target = std::make_shared<const Target>(),
      .request = Request{.kind = Request::Kind::embedding, .model = "m", .prompts = {"SECRET"}}});
  hooks_.tell(GenerationBatchError{.opening = b.opening, .ending = failed(Errc::timeout)});
  const SpanPtr batch = span("embeddings m");
  EXPECT_EQ(at(batch, Fact::operation), "embeddings");
  EXPECT_EQ(at(batch, Fact::error_type), "timeout");
  EXPECT_EQ(at(batch, Fact::batch_failed_count), "1");
  EXPECT_EQ(at(batch, Fact::usage_partial), "");
  EXPECT_EQ(all_of(batch).find("SECRET"), std::string::npos);
}

TEST_F(TracingPluginsTest, ASessionSaysWhatItIs) {
  const auto s = session();
  end(s);
  const SpanPtr span_of_it = span("session");
  EXPECT_EQ(at(span_of_it, Fact::session_id), s.scope.id().text());
  EXPECT_EQ(at(span_of_it, Fact::context_type), "ChatContext");
  EXPECT_EQ(at(span_of_it, Fact::provider), "openai");
  EXPECT_EQ(at(span_of_it, Fact::backend_name), "openai");
  EXPECT_EQ(at(span_of_it, Fact::default_model), "granite");
}

TEST_F(TracingPluginsTest, ASessionThatIsNoSpanLeavesItsActionsAsRoots) {
  const auto s = session(Scope::root(Kind::session), false);
  const auto a = action(s.scope.child(Kind::action));
  end(a);
  end(s);
  EXPECT_EQ(memory_->spans().size(), 1U);
  EXPECT_EQ(span("action")->parent, (std::array<std::uint8_t, 8>{}));
}

TEST_F(TracingPluginsTest, AnActionTellsTheLengthOfTheAnswerInCodePoints) {
  const auto a = action(Scope::root(Kind::action));
  end(a, {}, {.text = "Zoë"});
  EXPECT_EQ(at(span("action"), Fact::response_length), "3");
  EXPECT_EQ(at(span("action"), Fact::num_generate_logs), "1");
  EXPECT_EQ(at(span("action"), Fact::has_format), "false");
}

TEST_F(TracingPluginsTest, AnActionSaysWhatItsAnswerHasToBeAndWhichAttemptItIs) {
  const auto prompt = std::make_shared<const Prompt>(
      Prompt{.name = "haiku", .version = "3", .text = "abc", .variables = {{"topic", "SECRET"}}});
  const auto a = begin(ComponentPreExecute{.scope = Scope::root(Kind::action),
                                           .at = kStart,
                                           .prompt = prompt,
                                           .requirements = {requirement("three lines")},
                                           .strategy = repair(3)});
  const Attempts attempts = {{.iteration = 1, .checks = {found("three lines", false)}},
                             {.iteration = 2, .checks = {found("three lines", true)}}};
  hooks_.tell(ComponentPostSuccess{.opening = a.opening,
                                   .generations = 2,
                                   .attempts = std::make_shared<const Attempts>(attempts),
                                   .chosen = 1});
  const SpanPtr traced = span("action");
  const std::vector<std::pair<std::string_view, std::string_view>> expected = {
      {"gen_ai.prompt.name", "haiku"},
      {"mellea.prompt.version", "3"},
      {"mellea.prompt.hash", "ba7816bf8f01cfea"},
      {"mellea.action.has_requirements", "true"},
      {"mellea.action.has_strategy", "true"},
      {"mellea.sampling.strategy_type", "RepairTemplateStrategy"},
      {"mellea.action.num_generate_logs", "2"},
      {"mellea.sampling.success", "true"},
      {"mellea.sampling.chosen_iteration", "2"},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(at(traced, key), value) << key;
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

TEST_F(TracingPluginsTest, AnActionWithoutAStrategySaysNothingOfSampling) {
  const auto a = action(Scope::root(Kind::action));
  end(a);
  EXPECT_EQ(at(span("action"), Fact::has_strategy), "false");
  EXPECT_EQ(at(span("action"), Fact::has_requirements), "false");
  EXPECT_EQ(at(span("action"), Fact::strategy_type), "");
  EXPECT_EQ(at(span("action"), Fact::sampling_success), "");
  EXPECT_EQ(at(span("action"), Fact::prompt_name), "");
}

TEST_F(TracingPluginsTest, AChatSaysWhichPromptItWasMadeFrom) {
  const auto prompt = std::make_shared<const Prompt>(Prompt{.name = "haiku", .version = "3"});
  end(generation(Scope::root(Kind::generation), {.model = "granite"}, {.prompt = prompt}));
  EXPECT_EQ(at(span("chat granite"), Fact::prompt_name), "haiku");
  EXPECT_EQ(at(span("chat granite"), Fact::prompt_version), "3");
}

TEST_F(TracingPluginsTest, ACompactedContextIsAnEventOfWhatCausedIt) {
  const auto s = session();
  const auto a = action(s.scope.child(Kind::action));
  const Context two = Context::chat().add({.text = "SECRET"}).add({.text = "SECRET"});
  hooks_.tell(ContextCompacted{
      .scope = a.opening->scope, .how = "summary", .before = two, .after = two.cleared()});
  end(a);
  end(s);
  EXPECT_TRUE(span("session")->events().empty());
  ASSERT_EQ(span("action")->events().size(), 1U);
  const SpanEvent& event = span("action")->events()[0];
  EXPECT_EQ(event.name, "context_compacted");
  EXPECT_EQ(at(event, Fact::compaction), "summary");
  EXPECT_EQ(at(event, Fact::turns_before), "2");
  EXPECT_EQ(at(event, Fact::turns_after), "0");
}

// The rows of table T2.

TEST_F(TracingPluginsTest, CancelledIsNoErrorAndKeepsWhatIsKnown) {
  for (const CancelReason reason :
       {CancelReason::consumer, CancelReason::caller, CancelReason::dropped,
        CancelReason::superseded, CancelReason::requirement_failed, CancelReason::parent,
        CancelReason::shutdown}) {
    end(generation(Scope::root(Kind::generation)), cancelled(reason),
        {.response = {.id = "r-1"}, .usage = Usage{.output_tokens = 2}});
    const SpanPtr chat = memory_->take().at(0);
    EXPECT_EQ(chat->status, SpanStatus::unset);
    EXPECT_EQ(at(chat, Fact::outcome), "cancelled");
    EXPECT_EQ(at(chat, Fact::cancel_reason), to_string(reason));
    EXPECT_EQ(at(chat, Fact::error_type), "");
    EXPECT_EQ(at(chat, Fact::response_id), "r-1");
    EXPECT_EQ(at(chat, Fact::output_tokens), "2");
    EXPECT_TRUE(chat->events().empty());
  }
}

TEST_F(TracingPluginsTest, WhatIsBlockedBeforeItIsSentHasASpanToo) {
  hooks_ = hooks_.with({std::make_shared<Blocker<GenerationPreCall>>()});
  const auto g = generation(Scope::root(Kind::generation));
  ASSERT_TRUE(g.opening->stopped);
  EXPECT_FALSE(g.opening->trace);
  end(g, failed(Errc::blocked, {.plugin = "no_secrets", .block_code = "has_key"}));
  const SpanPtr chat = span("chat granite");
  EXPECT_EQ(chat->status, SpanStatus::error);
  EXPECT_EQ(chat->description, "blocked by plugin no_secrets");
  EXPECT_EQ(at(chat, Fact::error_type), "blocked");
  EXPECT_EQ(at(chat, Fact::outcome), "blocked");
  EXPECT_EQ(at(chat, Fact::block_plugin), "no_secrets");
  EXPECT_EQ(at(chat, Fact::block_code), "has_key");
  EXPECT_TRUE(chat->events().empty());
}

TEST_F(TracingPluginsTest, ABlockedActionAndABlockedSessionHaveSpansToo) {
  hooks_ = hooks_.with({std::make_shared<Blocker<ComponentPreExecute>>(),
                        std::make_shared<Blocker<SessionPreInit>>()});
  const auto s = session();
  end(action(s.scope.child(Kind::action)), failed(Errc::blocked, {.plugin = "no_secrets"}));
  end(s, failed(Errc::blocked, {.plugin = "no_secrets"}));
  EXPECT_EQ(at(span("action"), Fact::block_plugin), "no_secrets");
  EXPECT_EQ(at(span("session"), Fact::outcome), "blocked");
}

TEST_F(TracingPluginsTest, WhatIsBlockedAfterTheReplyKeepsUsageAndIds) {
  const auto g = generation(Scope::root(Kind::generation));
  end(g, failed(Errc::blocked, {.plugin = "no_secrets", .block_code = "not a code"}),
      {.response = {.id = "r-1"}, .usage = Usage{.input_tokens = 42}});
  const SpanPtr chat = span("chat granite");
  EXPECT_EQ(at(chat, Fact::error_type), "blocked");
  EXPECT_EQ(at(chat, Fact::input_tokens), "42");
  EXPECT_EQ(at(chat, Fact::response_id), "r-1");
  EXPECT_EQ(at(chat, Fact::block_code), "");
}

TEST_F(TracingPluginsTest, AnErrorIsItsCategoryAndWhatIsSafeOfTheRest) {
  const auto g = generation(Scope::root(Kind::generation));
  end(g, failed(Errc::rate_limit, {.status = 429,
                                   .provider_code = "rate_limit_exceeded",
                                   .provider_message = "SECRET",
                                   .request_id = "req_8f2"}));
  const SpanPtr chat = span("chat granite");
  EXPECT_EQ(chat->status, SpanStatus::error);
  EXPECT_EQ(chat->description, "rate_limit: HTTP status 429");
  EXPECT_EQ(at(chat, Fact::error_type), "rate_limit");
  EXPECT_EQ(at(chat, Fact::outcome), "error");
  EXPECT_EQ(at(chat, Fact::http_status), "429");
  EXPECT_EQ(at(chat, Fact::provider_code), "rate_limit_exceeded");
  EXPECT_EQ(at(chat, Fact::request_id), "req_8f2");
  ASSERT_EQ(chat->events().size(), 1U);
  EXPECT_EQ(chat->events()[0].name, "exception");
  EXPECT_EQ(at(chat->events()[0], Fact::exception_type), "rate_limit");
}

TEST_F(TracingPluginsTest, AnUnknownProviderCodeIsOtherAndAStrangeRequestIdIsLeftOut) {
  end(generation(Scope::root(Kind::generation)),
      failed(Errc::server_error, {.provider_code = "SECRET", .request_id = "SECRET words"}));
  EXPECT_EQ(at(span("chat granite"), Fact::provider_code), "other");
  EXPECT_EQ(at(span("chat granite"), Fact::request_id), "");
}

TEST_F(TracingPluginsTest, AFailureIsToldWithItsDetailsOnTheInnermostSpanOnly) {
  const auto s = session();
  const auto a = action(s.scope.child(Kind::action));
  const auto g = generation(a.scope.child(Kind::generation));
  const Ending ending = failed(Errc::timeout, {.status = 504});
  end(g, ending);
  end(a, ending);
  end(s, ending);
  EXPECT_EQ(span("chat granite")->events().size(), 1U);
  for (const auto* name : {"action", "session"}) {
    EXPECT_EQ(span(name)->status, SpanStatus::error) << name;
    EXPECT_EQ(at(span(name), Fact::error_type), "timeout") << name;
    EXPECT_EQ(at(span(name), Fact::http_status), "") << name;
    EXPECT_EQ(span(name)->description, "") << name;
    EXPECT_TRUE(span(name)->events().empty()) << name;
  }
}

TEST_F(TracingPluginsTest, AParseErrorAfterAGoodChatIsTheActions) {
  const auto a = action(Scope::root(Kind::action));
  end(generation(a.scope.child(Kind::generation)));
  end(a, failed(Errc::parse_error, {.unfit = true}));
  EXPECT_EQ(span("chat granite")->status, SpanStatus::unset);
  EXPECT_EQ(at(span("chat granite"), Fact::outcome), "");
  EXPECT_EQ(at(span("action"), Fact::error_type), "parse_error");
  EXPECT_EQ(at(span("action"), Fact::outcome), "parse_error");
  EXPECT_EQ(span("action")->events().size(), 1U);
}

// Events on the way.

TEST_F(TracingPluginsTest, RetriesAreEvents) {
  const auto g = generation(Scope::root(Kind::generation));
  hooks_.tell(GenerationRetry{.scope = g.opening->scope,
                              .at = kStart + 10ms,
                              .notice = {.text = "SECRET",
                                         .attempt = 1,
                                         .http_status = 429,
                                         .category = Errc::rate_limit,
                                         .delay = 50ms}});
  hooks_.tell(
      GenerationRetry{.scope = g.opening->scope,
                      .at = kStart + 20ms,
                      .notice = {.attempt = 2, .category = Errc::transport_error, .delay = 100ms}});
  end(g);
  const SpanPtr chat = span("chat granite");
  ASSERT_EQ(chat->events().size(), 2U);
  const SpanEvent& first = chat->events()[0];
  EXPECT_EQ(first.name, "retry");
  EXPECT_EQ(first.at - chat->began, 8'000'000);
  EXPECT_EQ(at(first, Fact::retry_attempt), "1");
  EXPECT_EQ(at(first, Fact::http_status), "429");
  EXPECT_EQ(at(first, Fact::error_type), "rate_limit");
  EXPECT_EQ(at(first, Fact::retry_delay), "0.05");
  EXPECT_EQ(at(chat->events()[1], Fact::http_status), "");
}

TEST_F(TracingPluginsTest, ChunksAreEventsIfAskedForAndTheReplyStreams) {
  EXPECT_FALSE(hooks_.wanted<GenerationEvent>());
  hooks_ = Hooks(make_tracing_plugins(tracer_, true), nullptr);
  const auto chunk = [&](const Scope& scope, std::string text, std::size_t index) {
    const auto shared = std::make_shared<const Chunk>(
        Chunk{.at = kStart + std::chrono::milliseconds(10 * (index + 1)), .what = text});
    hooks_.tell(GenerationEvent{.scope = scope, .chunk = shared, .index = index});
  };
  const auto streamed = generation(Scope::root(Kind::generation), {.model = "s", .stream = true});
  const auto whole = generation(Scope::root(Kind::generation), {.model = "w"});
  chunk(streamed.opening->scope, "Zoë", 0);
  chunk(streamed.opening->scope, "", 1);
  chunk(whole.opening->scope, "all", 0);
  end(streamed);
  end(whole);
  EXPECT_TRUE(span("chat w")->events().empty());
  const auto events = span("chat s")->events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].name, "chunk_processed");
  EXPECT_EQ(at(events[0], Fact::chunk_text_length), "3");
  EXPECT_EQ(at(events[0], Fact::time_since_last_chunk), "");
  EXPECT_EQ(at(events[1], Fact::chunk_index), "1");
  EXPECT_EQ(at(events[1], Fact::time_since_last_chunk), "10.");
}

TEST_F(TracingPluginsTest, EventsOfUnknownOperationsAreIgnored) {
  hooks_.tell(GenerationRetry{.scope = Scope::root(Kind::generation)});
  const auto opening = std::make_shared<const GenerationPreCall>(GenerationPreCall{
      .scope = Scope::root(Kind::generation), .target = std::make_shared<const Target>()});
  hooks_.tell(GenerationPostCall{.opening = opening, .reply = std::make_shared<const Reply>()});
  EXPECT_TRUE(memory_->spans().empty());
}

TEST_F(TracingPluginsTest, AClosingThatIsToldTwiceEndsOneSpan) {
  const auto g = generation(Scope::root(Kind::generation));
  end(g);
  end(g);
  EXPECT_EQ(memory_->spans().size(), 1U);
}

TEST_F(TracingPluginsTest, LabelsStandOnEverySpanButNeverInTheNameOfAFact) {
  const auto s = session(
      Scope::root(Kind::session,
                  {.labels = {{"user.id", "u"}, {"beta", true}, {"gen_ai.request.model", "x"}}}));
  end(action(s.scope.child(Kind::action, {.labels = {{"weight", 0.5}, {"n", std::int64_t{3}}}})));
  end(s);
  EXPECT_EQ(at(span("session"), "user.id"), "u");
  EXPECT_EQ(at(span("action"), "user.id"), "u");
  EXPECT_EQ(at(span("action"), "beta"), "true");
  EXPECT_EQ(at(span("action"), "weight"), "0.5");
  EXPECT_EQ(at(span("action"), "n"), "3");
  EXPECT_EQ(at(span("session"), Fact::default_model), "granite");
  EXPECT_EQ(at(span("action"), Fact::request_model), "");
}

TEST_F(TracingPluginsTest, PluginsOutliveTheTracerAndThenDoNothing) {
  const auto open = generation(Scope::root(Kind::generation));
  tracer_->shutdown(Instant::clock::now());
  EXPECT_EQ(at(span("chat granite"), Fact::unfinished), "true");
  end(open);
  const auto later = generation(Scope::root(Kind::generation));
  EXPECT_FALSE(later.opening->trace);
  EXPECT_TRUE(later.opening->headers.empty());
  end(later);
  EXPECT_EQ(memory_->spans().size(), 1U);
}

}  // namespace
}  // namespace mellea::telemetry
