#include "mellea/telemetry/streaming_tracing_plugin.h"

#include "mellea/telemetry/span_events.h"
#include "mellea/telemetry/tracing_for_test.h"

namespace mellea::telemetry {
namespace {

class StreamingTracingTest : public TracingTest {
 protected:
  Opened<StreamingStart> stream(std::string_view chunking = "sentence") {
    return begin(StreamingStart{.scope = Scope::root(Kind::stream),
                                .at = kStart,
                                .chunking = chunking,
                                .component = "Instruction",
                                .conversation = std::make_shared<const std::string>("c-1"),
                                .requirements = {requirement("polite")}});
  }
  void tell(const Opened<StreamingStart>& stream, StreamingEvent::What what) {
    hooks_.tell(
        StreamingEvent{.scope = stream.opening->scope,
                       .at = kStart + 1ms,
                       .what = std::make_shared<const StreamingEvent::What>(std::move(what))});
  }
  SpanPtr end(const Opened<StreamingStart>& stream, Ending ending = {},
              std::vector<Checked> failures = {}) {
    ending.at = kStart + 50ms;
    auto shared = std::make_shared<const std::vector<Checked>>(std::move(failures));
    auto generation = std::make_shared<const GenerationPreCall>(
        GenerationPreCall{.target = std::make_shared<const Target>(Target{.provider = "watsonx"}),
                          .request = Request{.model = "granite"}});
    hooks_.tell(StreamingEnd{.opening = stream.opening,
                             .ending = std::move(ending),
                             .failures = shared->empty() ? nullptr : std::move(shared),
                             .length = 12,
                             .generation = std::move(generation)});
    return span("stream");
  }
};

std::string names_of(const SpanPtr& span) {
  std::string names;
  for (const SpanEvent& event : span->events()) names.append(event.name).append(" ");
  return names;
}

TEST_F(StreamingTracingTest, AStreamSaysWhatWasReadAndWhatWasChecked) {
  const auto s = stream();
  tell(s, QuickCheck{.chunk = 0, .passed = true, .checks = {found("polite", true)}});
  tell(s, StreamedChunk{.index = 0, .text = "SECRET ë"});
  tell(s, StreamingDone{.length = 12});
  tell(s, FullValidation{.passed = false, .checks = {found("polite", false)}});
  tell(s, StreamCompleted{.success = true, .length = 12});
  const SpanPtr traced = end(s);
  EXPECT_EQ(traced->status, SpanStatus::unset);
  const std::vector<std::pair<std::string_view, std::string_view>> expected = {
      {"mellea.component.type", "Instruction"},
      {"gen_ai.conversation.id", "c-1"},
      {"mellea.streaming.has_requirements", "true"},
      {"mellea.streaming.requirement_count", "1"},
      {"mellea.streaming.chunking_strategy", "SentenceChunking"},
      {"mellea.streaming.full_text_length", "12"},
      {"gen_ai.provider.name", "ibm.watsonx.ai"},
      {"gen_ai.request.model", "granite"},
  };
  for (const auto& [key, value] : expected) EXPECT_EQ(at(traced, key), value) << key;
  EXPECT_EQ(names_of(traced), "quick_check chunk streaming_done full_validation completed ");
  const auto events = traced->events();
  EXPECT_EQ(at(events[0], Fact::validation_passed), "true");
  EXPECT_EQ(at(events[0], Fact::requirement_count), "1");
  EXPECT_EQ(at(events[1], Fact::stream_chunk_index), "0");
  EXPECT_EQ(at(events[1], Fact::stream_chunk_length), "8");
  EXPECT_EQ(at(events[2], Fact::full_text_length), "12");
  EXPECT_EQ(at(events[3], Fact::validation_passed), "false");
  EXPECT_EQ(at(events[4], Fact::stream_success), "true");
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

// The names of a stream's moments are the events' own.
TEST_F(StreamingTracingTest, EachMomentIsAnEventOfItsName) {
  const std::vector<StreamingEvent::What> moments = {
      QuickCheck{},  StreamedChunk{}, StreamingDone{},  FullValidation{},
      StreamRetry{}, StreamFailure{}, StreamCompleted{}};
  ASSERT_EQ(moments.size(), std::variant_size_v<StreamingEvent::What>);
  const auto s = stream();
  for (const auto& moment : moments) tell(s, moment);
  const SpanPtr traced = end(s);
  ASSERT_EQ(traced->events().size(), moments.size());
  for (std::size_t at = 0; at < moments.size(); ++at)
    EXPECT_EQ(traced->events()[at].name, name_of(moments[at]));
}

TEST_F(StreamingTracingTest, OneThatARequirementEndedIsAnErrorWithoutAnException) {
  const auto s = stream();
  tell(s, QuickCheck{.chunk = 1, .passed = false, .checks = {found("polite", false)}});
  tell(s, StreamCompleted{.success = false, .length = 12});
  const SpanPtr traced = end(s, {}, {found("polite", false)});
  EXPECT_EQ(traced->status, SpanStatus::error);
  EXPECT_EQ(traced->description, "requirement_failed");
  EXPECT_EQ(at(traced, Fact::error_type), "requirement_failed");
  EXPECT_EQ(at(traced, Fact::outcome), "");
  EXPECT_EQ(names_of(traced), "quick_check completed gen_ai.evaluation.result ");
  EXPECT_EQ(at(traced->events()[2], Fact::evaluation_name), "polite");
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

TEST_F(StreamingTracingTest, LeavingEarlyIsNoError) {
  const SpanPtr traced = end(stream(), cancelled(CancelReason::consumer));
  EXPECT_EQ(traced->status, SpanStatus::unset);
  EXPECT_EQ(at(traced, Fact::cancel_reason), "consumer");
}

TEST_F(StreamingTracingTest, AFailureIsItsCategory) {
  const auto s = stream();
  tell(s, StreamFailure{.error = std::make_shared<const Error>(Errc::timeout, "SECRET")});
  const SpanPtr traced = end(s, failed(Errc::timeout));
  EXPECT_EQ(traced->status, SpanStatus::error);
  EXPECT_EQ(at(traced, Fact::error_type), "timeout");
  EXPECT_EQ(at(traced->events()[0], Fact::stream_error_type), "timeout");
  EXPECT_EQ(all_of(traced).find("SECRET"), std::string::npos);
}

TEST_F(StreamingTracingTest, HowItEndedIsKeptHoweverManyChunksThereWere) {
  const auto s = stream();
  for (std::size_t index = 0; index < 500; ++index) {
    tell(s, QuickCheck{.chunk = index});
    tell(s, StreamedChunk{.index = index, .text = "x"});
  }
  tell(s, QuickCheck{.chunk = 500, .passed = false});
  tell(s, StreamRetry{.attempt = 1, .reason = "SECRET"});
  tell(s, StreamingDone{});
  tell(s, FullValidation{});
  tell(s, StreamCompleted{});
  const SpanPtr traced = end(s);
  EXPECT_LE(traced->events().size(), SpanRecord::kMostEvents);
  EXPECT_TRUE(names_of(traced).ends_with(
      "chunk quick_check retry streaming_done full_validation completed "));
  EXPECT_EQ(traced->dropped_events(), 1000 - SpanRecord::kMostPassingEvents);
  EXPECT_EQ(at(traced->events()[SpanRecord::kMostPassingEvents + 1], Fact::error_type),
            "requirement_failed");
}

TEST_F(StreamingTracingTest, WaysToCutGoByTheReferencesNames) {
  const auto shown = [&](std::string_view chunking) {
    end(stream(chunking));
    return at(memory_->take().at(0), Fact::chunking_strategy);
  };
  EXPECT_EQ(shown("delta"), "none");
  EXPECT_EQ(shown("word"), "WordChunking");
  EXPECT_EQ(shown("by_verse"), "by_verse");
}

}  // namespace
}  // namespace mellea::telemetry
