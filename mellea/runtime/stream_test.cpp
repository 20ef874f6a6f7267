#include "mellea/runtime/stream.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <latch>
#include <random>
#include <set>
#include <thread>

#include "mellea/runtime/session_for_test.h"
#include "mellea/runtime/stream_state.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;
using scripted::Line;
using scripted::say;

// Says no where `word` is found.
Check without(const std::string& word) {
  return [word](const Answer& answer, const Call&) {
    const bool passed = answer.reply.text.find(word) == std::string::npos;
    return ValidationResult{.passed = passed, .reason = passed ? "" : "it says " + word};
  };
}

Requirement no(const std::string& word) {
  return Requirement({.name = "no " + word, .check = without(word)});
}

Requirement throwing() {
  return Requirement({.name = "odd", .check = [](const Answer&, const Call&) -> ValidationResult {
                        throw std::runtime_error("what is this");
                      }});
}

class StreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    workers_->post([] {});
    make_hooks({});
  }
  void TearDown() override {
    EXPECT_TRUE(workers_->drain(in(30s)));
    EXPECT_EQ(recorder_->problems(), Names{});
    EXPECT_EQ(recorder_->count("streaming_end"), recorder_->count("streaming_start"));
  }

  void make_hooks(Plugins more) {
    more.push_back(recorder_);
    more.push_back(plugin([this](Subscriber& hooks) {
      hooks.observe<StreamingEnd>([this](const StreamingEnd& end) {
        const std::lock_guard lock(mutex_);
        ends_.push_back(end);
      });
      hooks.observe<StreamingEvent>([this](const StreamingEvent& event) {
        const std::lock_guard lock(mutex_);
        events_.push_back(*event.what);
      });
    }));
    hooks_ = Hooks(more, workers_);
  }

  StreamJob job(StreamOptions options = {}) {
    return {.model = {.backend = backend_,
                      .name = "demo",
                      .hooks = hooks_,
                      .conversation = std::make_shared<const std::string>("c"),
                      .cancellation = session_},
            .question = {.message = std::make_shared<const Message>(Message{.text = "Say it."}),
                         .component = "Instruction"},
            .options = std::move(options),
            .on_end = [this](const std::shared_ptr<const Reply>& reply) {
              const std::lock_guard lock(mutex_);
              said_.push_back(reply ? reply->text : "-");
            }};
  }
  Stream start(StreamOptions options = {}) { return start_stream(job(std::move(options))); }
  void script(Line line) { backend_->add(std::move(line)); }

  static Names all_of(Stream& stream) {
    Names chunks;
    while (auto chunk = stream.next()) chunks.push_back(std::move(*chunk));
    return chunks;
  }
  template <class Function>
  static Error error_of(Function function) {
    try {
      function();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "threw nothing";
    return Error(Errc::unknown, "");
  }

  // What was told, but for pieces that arrived and user code that began.
  Names told() {
    EXPECT_TRUE(workers_->drain(in(30s)));
    Names lines;
    for (const std::string& line : recorder_->lines())
      if (!line.starts_with("user_code_begin") && !line.starts_with("generation_event"))
        lines.push_back(line);
    return lines;
  }
  // The same as a text, with a line of its own for each.
  std::string story() {
    std::string text = "\n";
    for (const std::string& line : told()) text += line + '\n';
    return text;
  }
  StreamingEnd end() {
    EXPECT_TRUE(workers_->drain(in(30s)));
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(ends_.size(), 1U);
    return ends_.at(0);
  }
  template <class What>
  std::vector<What> events() {
    const std::lock_guard lock(mutex_);
    std::vector<What> found;
    for (const StreamingEvent::What& event : events_)
      if (const auto* one = std::get_if<What>(&event)) found.push_back(*one);
    return found;
  }

  const std::shared_ptr<Workers> workers_ = std::make_shared<Workers>();
  const std::shared_ptr<testing::Recorder> recorder_ = std::make_shared<testing::Recorder>();
  const std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  const std::shared_ptr<Cancellation> session_ = std::make_shared<Cancellation>();
  Hooks hooks_;
  std::mutex mutex_;
  std::vector<StreamingEnd> ends_;            // guarded by mutex_
  std::vector<StreamingEvent::What> events_;  // guarded by mutex_
  Names said_;                                // guarded by mutex_; what on_end got, "-" for null
};

TEST_F(StreamTest, AnAnswerIsGivenOutInChunks) {
  script(say({"Hello wo", "rld. How ar", "e you? Fine"}));
  Stream stream = start({.chunking = Chunking::sentence()});
  EXPECT_FALSE(stream.ok());
  EXPECT_EQ(all_of(stream), (Names{"Hello world.", "How are you?", "Fine"}));
  EXPECT_TRUE(stream.ok());
  EXPECT_TRUE(stream.done());
  EXPECT_FALSE(stream.next());
  EXPECT_EQ(stream.wait().text(), "Hello world. How are you? Fine");
  EXPECT_TRUE(backend_->requests().at(0).stream);
  EXPECT_EQ(said_, (Names{"Hello world. How are you? Fine"}));
}

TEST_F(StreamTest, AnAnswerThatMeetsAllTellsEachMomentInOrder) {
  script(say({"Hello world. ", "This is", " ok"}));
  Stream stream = start(
      {.chunking = Chunking::sentence(), .checks = {{no("bad")}}, .requirements = {no("worse")}});
  EXPECT_EQ(all_of(stream), (Names{"Hello world.", "This is ok"}));
  EXPECT_EQ(story(), R"(
streaming_start stream#1
generation_pre_call generation#1 in stream#1
streaming_event stream#1: quick_check 0 passed
streaming_event stream#1: chunk 0
generation_post_call generation#1 in stream#1: ok
streaming_event stream#1: quick_check 1 passed
streaming_event stream#1: chunk 1
streaming_event stream#1: streaming_done
validation_pre_check validation#1 in stream#1
validation_post_check validation#1 in stream#1: ok
streaming_event stream#1: full_validation passed
streaming_event stream#1: completed
streaming_end stream#1: ok
)");
  EXPECT_EQ(end().length, 23U);
  EXPECT_TRUE(end().success);
  EXPECT_EQ(end().generation->target->provider, "scripted");
  EXPECT_EQ(end().generation->target->component, "Instruction");
  EXPECT_EQ(end().generation->request->model, "demo");
  EXPECT_EQ(end().opening->chunking, "sentence");
  EXPECT_EQ(end().opening->requirements.size(), 2U);
}

TEST_F(StreamTest, ACheckThatFailsEndsTheAnswerBeforeItsChunkIsRead) {
  script(Line().text("Hello world. This is bad text. And").hang());
  Stream stream = start({.chunking = Chunking::sentence(), .checks = {{no("bad")}}});
  EXPECT_EQ(all_of(stream), (Names{"Hello world."}));
  EXPECT_EQ(story(), R"(
streaming_start stream#1
generation_pre_call generation#1 in stream#1
streaming_event stream#1: quick_check 0 passed
streaming_event stream#1: chunk 0
streaming_event stream#1: quick_check 1 failed
generation_post_call generation#1 in stream#1: cancelled requirement_failed
streaming_event stream#1: completed
streaming_end stream#1: ok, no success
)");
  EXPECT_EQ(end().length, 12U);
  EXPECT_EQ(end().failures->at(0).result.reason, "it says bad");
  EXPECT_EQ(said_, (Names{"-"}));
}

TEST_F(StreamTest, AnAnswerThatWasLeftEndsWithTheLastChunkThatPassed) {
  script(Line().usage({.input_tokens = 7}).text("Good. Bad bad. ").hang());
  Stream stream = start({.chunking = Chunking::sentence(), .checks = {{no("bad")}}});
  const Result result = stream.wait();
  EXPECT_EQ(result.text(), "Good.");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.usage()->input_tokens, 7);
  EXPECT_NE(result.times().first_content, Instant{});
  EXPECT_EQ(result.scope().kind(), Kind::generation);
  EXPECT_FALSE(stream.ok());
  ASSERT_EQ(stream.failures().size(), 1U);
  EXPECT_EQ(stream.failures()[0].requirement, "no bad");
  EXPECT_EQ(stream.failures()[0].reason, "it says bad");
  EXPECT_FALSE(stream.next());
}

TEST_F(StreamTest, ARequirementOfTheWholeThatIsNotMetIsToldAndIsNoEnd) {
  script(say("one two"));
  Stream stream = start({.requirements = {no("two")}});
  EXPECT_EQ(all_of(stream), (Names{"one two"}));
  EXPECT_FALSE(stream.ok());
  EXPECT_EQ(stream.failures().at(0).requirement, "no two");
  EXPECT_TRUE(end().success);
  EXPECT_FALSE(end().failures);
  EXPECT_FALSE(events<FullValidation>().at(0).passed);
}

TEST_F(StreamTest, AFailedCheckMayHaveTheAnswerAskedForAgain) {
  script(Line().text("Fine. A bad one. ").hang());
  script(say("All is well. Really."));
  Stream stream = start({.chunking = Chunking::sentence(), .checks = {{no("bad")}}, .retries = 2});
  EXPECT_EQ(stream.next(), "Fine.");
  EXPECT_EQ(stream.attempt(), 1);
  EXPECT_EQ(stream.next(), "All is well.");
  EXPECT_EQ(stream.attempt(), 2);
  EXPECT_EQ(all_of(stream), (Names{"Really."}));
  EXPECT_TRUE(stream.ok());
  EXPECT_EQ(story(), R"(
streaming_start stream#1
generation_pre_call generation#1 in stream#1
streaming_event stream#1: quick_check 0 passed
streaming_event stream#1: chunk 0
streaming_event stream#1: quick_check 1 failed
generation_post_call generation#1 in stream#1: cancelled requirement_failed
streaming_event stream#1: retry 1
generation_pre_call generation#2 in stream#1
streaming_event stream#1: quick_check 0 passed
streaming_event stream#1: chunk 0
generation_post_call generation#2 in stream#1: ok
streaming_event stream#1: quick_check 1 passed
streaming_event stream#1: chunk 1
streaming_event stream#1: streaming_done
streaming_event stream#1: completed
streaming_end stream#1: ok
)");
  EXPECT_EQ(events<StreamRetry>().at(0).reason, "it says bad");
  EXPECT_EQ(events<QuickCheck>().back().attempt, 2);
  const Result result = stream.wait();
  EXPECT_EQ(result.text(), "All is well. Really.");
  ASSERT_EQ(result.attempts().size(), 2U);
  EXPECT_EQ(result.attempts()[0].reply->text, "Fine.");
  EXPECT_FALSE(result.attempts()[0].ok());
}

TEST_F(StreamTest, RetriesAreCounted) {
  for (int time = 0; time < 3; ++time) script(say("bad"));
  Stream stream = start({.checks = {{no("bad")}}, .retries = 2});
  EXPECT_EQ(all_of(stream), Names{});
  EXPECT_FALSE(stream.ok());
  EXPECT_EQ(backend_->requests().size(), 3U);
  EXPECT_EQ(events<StreamRetry>().size(), 2U);
  EXPECT_EQ(end().length, 0U);
}

TEST_F(StreamTest, ARetryThatCannotBeSentIsAnError) {
  script(say("bad"));
  script(Line().refuse(Error(Errc::invalid_request, "scripted: no")));
  Stream stream = start({.checks = {{no("bad")}}, .retries = 1});
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::invalid_request);
  EXPECT_EQ(events<StreamFailure>().size(), 1U);
  EXPECT_EQ(end().ending.outcome, Outcome::error);
}

TEST_F(StreamTest, OfAllThatArrivesOnlyTheTextIsCut) {
  script(Line()
             .thinking("hm. ")
             .chunk({.index = 1, .what = "another. "})
             .text("One. ")
             .tool_call({.id = "1", .name = "f", .arguments = "{}"})
             .text("Two")
             .finish());
  Stream stream = start({.chunking = Chunking::sentence()});
  EXPECT_EQ(all_of(stream), (Names{"One.", "Two"}));
  EXPECT_EQ(stream.wait().tool_calls().at(0).name, "f");
  EXPECT_EQ(stream.wait().reply().thinking, "hm. ");
}

// Checks

TEST_F(StreamTest, AQuickCheckSeesTheChunkAndAllThatCameBeforeIt) {
  script(say({"One. Tw", "o. Three. "}));
  Names seen;
  Scope within;
  const Requirement requirement("is a number");
  Stream stream =
      start({.chunking = Chunking::sentence(),
             .checks = {{requirement, [&](const PartialAnswer& answer, const Call& call) {
                           seen.push_back(std::to_string(answer.index) + std::string(answer.chunk) +
                                          "|" + std::string(answer.text));
                           within = call.scope;
                           return std::optional(ValidationResult{.passed = true});
                         }}}});
  stream.wait();
  EXPECT_EQ(seen, (Names{"0One.|One.", "1Two.|One. Two.", "2Three.|One. Two. Three."}));
  EXPECT_EQ(within.id(), stream.scope().id());
}

TEST_F(StreamTest, WhatCannotBeKnownYetIsGivenOut) {
  script(say("a b"));
  Stream stream =
      start({.chunking = Chunking::word(),
             .checks = {{Requirement("is short"),
                         [](const PartialAnswer&, const Call&) -> std::optional<ValidationResult> {
                           return std::nullopt;
                         }}}});
  EXPECT_EQ(all_of(stream), (Names{"a", "b"}));
  const QuickCheck check = events<QuickCheck>().at(0);
  EXPECT_TRUE(check.passed);
  EXPECT_EQ(check.checks.at(0).result.code, "unknown");
}

TEST_F(StreamTest, AllChecksOfAChunkAreMadeAndAllThatFailAreKept) {
  script(say("bad and worse"));
  Stream stream = start({.checks = {{no("bad")}, {no("best")}, {no("worse")}}});
  EXPECT_FALSE(stream.next());
  ASSERT_EQ(stream.failures().size(), 2U);
  EXPECT_EQ(stream.failures()[0].requirement, "no bad");
  EXPECT_EQ(stream.failures()[1].requirement, "no worse");
  EXPECT_EQ(events<QuickCheck>().at(0).checks.size(), 3U);
}

TEST_F(StreamTest, SlowChecksRunBesideEachOther) {
  script(say("x"));
  std::latch met(2);
  const auto meets = [&](const Answer&, const Call&) {
    met.arrive_and_wait();  // for ever, if one ran after the other
    return ValidationResult{.passed = true};
  };
  Stream stream = start({.checks = {{Requirement({.name = "a", .check = meets, .slow = true})},
                                    {Requirement({.name = "b", .check = meets, .slow = true})}}});
  EXPECT_EQ(all_of(stream), (Names{"x"}));
}

TEST_F(StreamTest, WhatModelsJudgeIsAskedAtOnceBelowTheStream) {
  script(say("Hello. "));
  script(say("yes"));
  script(say("no"));
  Stream stream = start({.chunking = Chunking::sentence(),
                         .checks = {{Requirement("is kind")}, {Requirement("is long")}}});
  EXPECT_FALSE(stream.next());
  const Names lines = told();
  const Names first(lines.begin(), lines.begin() + 4);
  EXPECT_EQ(first, (Names{"streaming_start stream#1",  //
                          "generation_pre_call generation#1 in stream#1",
                          "generation_pre_call generation#2 in stream#1",
                          "generation_pre_call generation#3 in stream#1"}));
  EXPECT_EQ(stream.failures().at(0).requirement, "is long");
  EXPECT_EQ(stream.wait().attempts().at(0).checks.size(), 2U);  // with what judging cost
}

TEST_F(StreamTest, AJudgementThatFailsIsAnErrorAndEndsTheOthers) {
  script(Line().text("Hello. ").hang());
  script(scripted::fail(Errc::rate_limit, "scripted: 429"));
  script(Line().hang());
  Stream stream = start({.chunking = Chunking::sentence(),
                         .checks = {{Requirement("is kind")}, {Requirement("is long")}}});
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::rate_limit);
  EXPECT_EQ(end().ending.outcome, Outcome::error);
  EXPECT_FALSE(end().success);
}

TEST_F(StreamTest, ACheckThatThrowsIsAnError) {
  script(Line().text("Hello. ").hang());
  Stream stream = start({.chunking = Chunking::sentence(), .checks = {{throwing()}}});
  const Error error = error_of([&] { stream.next(); });
  EXPECT_EQ(error.code(), Errc::unknown);
  EXPECT_STREQ(error.what(), "requirement \"odd\": what is this");
  EXPECT_EQ(error.partial_text(), "");
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::unknown);
  EXPECT_EQ(error_of([&] { stream.wait(); }).code(), Errc::unknown);
  EXPECT_EQ(story(), R"(
streaming_start stream#1
generation_pre_call generation#1 in stream#1
generation_post_call generation#1 in stream#1: cancelled parent
streaming_event stream#1: error
streaming_event stream#1: completed
streaming_end stream#1: error unknown, no success
)");
}

TEST_F(StreamTest, AFinalRequirementThatThrowsIsAnError) {
  script(say("Hello."));
  Stream stream = start({.requirements = {throwing()}});
  EXPECT_EQ(stream.next(), "Hello.");
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::unknown);
  EXPECT_EQ(recorder_->count("validation_post_check"), 1U);
  EXPECT_EQ(said_, (Names{"-"}));
}

TEST_F(StreamTest, ARuleThatCutsWhereItCannotIsAnError) {
  script(Line().text("Hello").hang());
  Stream stream =
      start({.chunking = {.name = "odd", .find = [](const Uncut& uncut) {
                            return std::optional(Cut{.end = 1, .next = uncut.text.size() + 1});
                          }}});
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::invalid_request);
}

TEST_F(StreamTest, OptionsThatDoNothingAreRefusedBeforeAnythingIsTold) {
  EXPECT_EQ(error_of([&] { start({.retries = 1}); }).code(), Errc::invalid_request);
  EXPECT_EQ(error_of([&] { start({.checks = {{no("a")}}, .retries = -1}); }).code(),
            Errc::invalid_request);
  EXPECT_EQ(error_of([&] { start({.chunking = {}}); }).code(), Errc::invalid_request);
  EXPECT_TRUE(told().empty());
}

// Plugins

TEST_F(StreamTest, APluginMayTakeChecksAwayAndAddRequirementsOfTheWhole) {
  make_hooks({plugin([](Subscriber& hooks) {
    hooks.transform<StreamingStart>([](StreamingStart& start) {
      std::erase_if(start.requirements,
                    [](const Requirement& one) { return one.name() == "no a"; });
      start.requirements.push_back(no("c"));
    });
  })});
  script(say("a c"));
  Stream stream = start({.checks = {{no("a")}, {no("b")}}, .requirements = {no("a")}});
  EXPECT_EQ(all_of(stream), (Names{"a c"}));
  EXPECT_EQ(stream.failures().at(0).requirement, "no c");
  EXPECT_EQ(events<QuickCheck>().at(0).checks.size(), 1U);
}

TEST_F(StreamTest, ABlockAtTheStartSendsNothing) {
  make_hooks({stops<StreamingStart>()});
  EXPECT_EQ(error_of([&] { start(); }).code(), Errc::blocked);
  EXPECT_TRUE(backend_->requests().empty());
  EXPECT_EQ(story(), R"(
streaming_start stream#1: stopped
streaming_end stream#1: blocked, no success
)");
  EXPECT_FALSE(end().generation);
}

TEST_F(StreamTest, ABlockAtTheGenerationEndsTheStream) {
  make_hooks({stops<GenerationPreCall>()});
  EXPECT_EQ(error_of([&] { start(); }).code(), Errc::blocked);
  EXPECT_EQ(story(), R"(
streaming_start stream#1
generation_pre_call generation#1 in stream#1: stopped
generation_error generation#1 in stream#1: blocked
streaming_end stream#1: blocked, no success
)");
}

TEST_F(StreamTest, ABlockAfterTheReplyEndsTheStream) {
  make_hooks({stops<GenerationPostCall>()});
  script(say({"One. ", "Two"}));
  Stream stream = start({.chunking = Chunking::sentence()});
  EXPECT_EQ(stream.next(), "One.");
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::blocked);
  EXPECT_EQ(story(), R"(
streaming_start stream#1
generation_pre_call generation#1 in stream#1
streaming_event stream#1: chunk 0
generation_error generation#1 in stream#1: blocked
streaming_event stream#1: error
streaming_event stream#1: completed
streaming_end stream#1: blocked, no success
)");
}

TEST_F(StreamTest, ABlockOfTheFinalValidationEndsTheStream) {
  for (const auto& stopping : {stops<ValidationPreCheck>(), stops<ValidationPostCheck>()}) {
    make_hooks({stopping});
    script(say("One."));
    Stream stream = start({.requirements = {no("a")}});
    EXPECT_EQ(stream.next(), "One.");
    EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::blocked);
    EXPECT_TRUE(told().back().ends_with(": blocked, no success"));
  }
}

// Errors and cancels

TEST_F(StreamTest, ARequestThatCannotBeSentEndsTheStream) {
  script(Line().refuse(Error(Errc::invalid_request, "scripted: no")));
  EXPECT_EQ(error_of([&] { start(); }).code(), Errc::invalid_request);
  EXPECT_EQ(story(), R"(
streaming_start stream#1
generation_pre_call generation#1 in stream#1
generation_error generation#1 in stream#1: error invalid_request
streaming_end stream#1: error invalid_request, no success
)");
  EXPECT_TRUE(said_.empty());
}

TEST_F(StreamTest, AFailureIsToldOnceAndThrownWithTheText) {
  script(Line().text("One. Tw").fail(Error(Errc::server_error, "scripted: 500")));
  Stream stream = start({.chunking = Chunking::sentence()});
  EXPECT_EQ(stream.next(), "One.");
  const Error error = error_of([&] { stream.next(); });
  EXPECT_EQ(error.code(), Errc::server_error);
  EXPECT_EQ(error.partial_text(), "One. Tw");
  EXPECT_EQ(error_of([&] { stream.wait(); }).code(), Errc::server_error);
  EXPECT_FALSE(stream.ok());
  EXPECT_EQ(story(), R"(
streaming_start stream#1
generation_pre_call generation#1 in stream#1
streaming_event stream#1: chunk 0
generation_error generation#1 in stream#1: error server_error
streaming_event stream#1: error
streaming_event stream#1: completed
streaming_end stream#1: error server_error, no success
)");
}

TEST_F(StreamTest, AnErrorGivesNoTextAwayThatWasNotChecked) {
  script(Line().text("One. Secr").fail(Error(Errc::server_error, "scripted: 500")));
  Stream stream = start({.chunking = Chunking::sentence(), .checks = {{no("Secret")}}});
  EXPECT_EQ(error_of([&] { stream.wait(); }).partial_text(), "One.");
}

TEST_F(StreamTest, AStreamThatIsDroppedIsCancelledByItsConsumer) {
  for (const int read : {0, 1, 2, 3}) {
    SCOPED_TRACE(read);
    recorder_->clear();
    ends_.clear();
    script(Line().text("a").text("b").text("c").hang());
    {
      Stream stream = start();
      for (int time = 0; time < read; ++time) EXPECT_TRUE(stream.next());
    }
    const Names lines = told();
    const Names last(lines.end() - 3, lines.end());
    EXPECT_EQ(last, (Names{"generation_post_call generation#1 in stream#1: cancelled consumer",
                           "streaming_event stream#1: completed",
                           "streaming_end stream#1: cancelled consumer, no success"}));
    EXPECT_EQ(end().length, static_cast<std::size_t>(read));
    EXPECT_EQ(recorder_->problems(), Names{});
  }
}

TEST_F(StreamTest, AStreamThatIsDroppedBeforeItsLastChunkIsCancelledThoughTheAnswerIsWhole) {
  script(say("One. Two. Three"));
  {
    Stream stream = start({.chunking = Chunking::sentence()});
    EXPECT_TRUE(stream.next());
    EXPECT_TRUE(stream.next());
    EXPECT_TRUE(stream.next());  // the generation has ended now
  }
  const Names lines = told();
  EXPECT_EQ(lines.back(), "streaming_end stream#1: cancelled consumer, no success");
  EXPECT_EQ(recorder_->count("generation_post_call"), 1U);
}

TEST_F(StreamTest, TheDestructorRunsNoPluginCode) {
  std::set<std::thread::id> threads;  // guarded by mutex_
  make_hooks({plugin([&](Subscriber& hooks) {
    hooks.observe<StreamingEnd>([&](const StreamingEnd&) {
      const std::lock_guard lock(mutex_);
      threads.insert(std::this_thread::get_id());
    });
  })});
  script(Line().text("a").hang());
  { Stream stream = start(); }
  told();
  EXPECT_EQ(threads.size(), 1U);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST_F(StreamTest, CopiesAreOneStream) {
  script(say({"a", "b"}));
  Stream stream = start();
  {
    Stream copy = stream;
    EXPECT_EQ(copy.next(), "a");
  }
  EXPECT_EQ(stream.next(), "b");
  EXPECT_FALSE(stream.next());
  EXPECT_TRUE(stream.ok());
}

TEST_F(StreamTest, ACancelEndsItAndReadersAreTold) {
  script(Line().text("a").hang());
  Stream stream = start();
  EXPECT_EQ(stream.next(), "a");
  stream.cancel();
  stream.cancel(CancelReason::caller);  // the first reason stays
  const Error error = error_of([&] { stream.next(); });
  EXPECT_EQ(error.code(), Errc::cancelled);
  EXPECT_EQ(error.partial_text(), "a");
  EXPECT_EQ(end().ending.reason, CancelReason::consumer);
}

TEST_F(StreamTest, ACancelWakesAReader) {
  script(Line().text("a").hang());
  Stream stream = start();
  EXPECT_EQ(stream.next(), "a");
  std::latch reading(1);
  auto read = std::async(std::launch::async, [&] {
    reading.count_down();
    return error_of([&] { stream.next(); }).code();
  });
  reading.wait();
  stream.cancel();
  EXPECT_EQ(read.get(), Errc::cancelled);
}

TEST_F(StreamTest, ACancelAsksChecksToStop) {
  script(say("a"));
  std::latch checking(1);
  const auto waits = [&](const Answer&, const Call& call) {
    std::latch stopped(1);
    const std::stop_callback wake(call.stop, [&] { stopped.count_down(); });
    checking.count_down();
    stopped.wait();
    return ValidationResult{.passed = true};
  };
  Stream stream = start({.checks = {{Requirement({.name = "waits", .check = waits})}}});
  auto read =
      std::async(std::launch::async, [&] { return error_of([&] { stream.next(); }).code(); });
  checking.wait();
  stream.cancel();
  EXPECT_EQ(read.get(), Errc::cancelled);
  EXPECT_EQ(end().length, 0U);
  EXPECT_TRUE(events<StreamedChunk>().empty());
}

TEST_F(StreamTest, WhatEndsTheSessionEndsAStreamThatNobodyReads) {
  script(say("One. Two. Three"));
  Stream stream = start({.chunking = Chunking::sentence()});
  for (int time = 0; time < 3; ++time) EXPECT_TRUE(stream.next());  // nothing is on its way now
  session_->request(CancelReason::shutdown);
  EXPECT_EQ(told().back(), "streaming_end stream#1: cancelled shutdown, no success");
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::shutdown);
}

TEST_F(StreamTest, WhyTheSessionCancelledTheGenerationIsWhyTheStreamEnds) {
  for (const CancelReason reason : {CancelReason::parent, CancelReason::shutdown}) {
    ends_.clear();
    script(Line().text("a").hang());
    std::shared_ptr<Generation> generation;
    StreamJob of_a_session = job();
    of_a_session.model.runs = [&](const std::shared_ptr<Generation>& begun) { generation = begun; };
    Stream stream = start_stream(std::move(of_a_session));
    EXPECT_EQ(stream.next(), "a");
    generation->cancel(reason);
    EXPECT_THROW(stream.next(), Error);
    EXPECT_EQ(end().ending.outcome, Outcome::cancelled);
    EXPECT_EQ(end().ending.reason, reason);
  }
}

TEST_F(StreamTest, AStreamOfACallThatIsCancelledSendsNothing) {
  session_->request(CancelReason::caller);
  script(say("a"));
  try {
    start().wait();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::cancelled);
  }
  EXPECT_EQ(end().ending.reason, CancelReason::caller);
}

TEST_F(StreamTest, AStreamThatThePluginsHoldUpIsLeftBehindWithTheRuntime) {
  std::latch ending(1);
  std::latch released(1);
  make_hooks({plugin([&](Subscriber& hooks) {
    hooks.observe<StreamingEnd>([&](const StreamingEnd&) {
      ending.count_down();
      released.wait();
    });
  })});
  script(Line().text("a").hang());
  StreamJob of_a_runtime = job();
  std::shared_ptr<StreamState> begun;
  of_a_runtime.runs = [&](const std::shared_ptr<StreamState>& stream) { begun = stream; };
  Stream stream = start_stream(std::move(of_a_runtime));
  stream.cancel();
  ending.wait();
  begun->leave_behind();
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::shutdown);
  released.count_down();
  told();
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::cancelled);
}

TEST_F(StreamTest, AStreamBelongsToTheProcessThatBeganIt) {
  script(Line().text("a").text("b").hang());
  Stream stream = start();
  EXPECT_TRUE(stream.next());
  const pid_t child = ::fork();
  if (child == 0) {
    const auto refuses = [](auto call) {
      try {
        call();
      } catch (const Error& error) {
        return error.code() == Errc::after_fork;
      }
      return false;
    };
    const bool right = refuses([&] { stream.next(); }) && refuses([&] { stream.wait(); }) &&
                       refuses([&] { stream.ok(); }) && stream.done();
    { const Stream gone = std::move(stream); }
    ::_exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(stream.next(), "b");
}

// Threads

TEST_F(StreamTest, ReadersTakeTurns) {
  Line line;
  for (int number = 0; number < 100; ++number) line.text(std::to_string(number) + ' ');
  script(line.finish());
  Stream stream = start({.chunking = Chunking::word(), .checks = {{no("x")}}});
  std::vector<std::future<Names>> readers;
  for (int reader = 0; reader < 4; ++reader)
    readers.push_back(
        std::async(std::launch::async, [stream]() mutable { return all_of(stream); }));
  std::set<std::string> all;
  for (auto& reader : readers) {
    const Names chunks = reader.get();
    EXPECT_TRUE(std::is_sorted(chunks.begin(), chunks.end(), [](const auto& a, const auto& b) {
      return std::stoi(a) < std::stoi(b);
    }));
    all.insert(chunks.begin(), chunks.end());
  }
  EXPECT_EQ(all.size(), 100U);
}

// Answers sliced at random that fail, are left, cancelled or dropped at random moments: each
// stream ends once, and gives out the beginning of what it would have given out undisturbed.
TEST_F(StreamTest, WhateverHappensAStreamEndsOnceAndGivesOutABeginning) {
  const std::string text = "Pi is 3.14. \"Ja?\" Größe… stop! 日本語. (So.)\n\nThe 😀 end";
  Chunker whole(Chunking::sentence());
  whole.add(text);
  whole.end();
  Names expected;
  while (auto chunk = whole.next()) expected.push_back(chunk->text);

  std::mt19937 random(20261123);
  const auto upto = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
  for (int round = 0; round < 300; ++round) {
    Line line;
    bool hangs = false;
    for (std::string_view rest = text; !rest.empty();) {
      const auto size = std::min<std::size_t>(static_cast<std::size_t>(upto(9)) + 1, rest.size());
      line.text(std::string(rest.substr(0, size)));
      rest.remove_prefix(size);
      const int fate = upto(60);
      if (fate == 0) line.fail(Error(Errc::server_error, "scripted: 500"));
      if (fate == 1) line.cut();
      if (fate == 2) line.hang();
      hangs = fate == 2;
      if (fate <= 2) break;
    }
    script(line);
    StreamOptions options{.chunking = Chunking::sentence()};
    if (upto(1) == 0) options.checks = {{no(upto(2) == 0 ? "stop" : "never")}};
    if (upto(1) == 0) options.requirements = {no("日本")};
    const int reads = upto(8);
    std::optional<Stream> stream = start(options);
    std::jthread disturber;
    const int disturbance = hangs ? 1 : upto(3);
    if (disturbance == 1) disturber = std::jthread([copy = *stream]() mutable { copy.cancel(); });
    if (disturbance == 2)
      disturber = std::jthread([copy = *stream]() mutable {
        try {
          copy.next();
        } catch (const Error&) {
        }
      });
    Names chunks;
    try {
      for (int read = 0; read < reads; ++read) {
        auto chunk = stream->next();
        if (!chunk) break;
        chunks.push_back(std::move(*chunk));
      }
    } catch (const Error&) {
    }
    stream.reset();
    for (std::size_t place = 0; disturbance != 2 && place < chunks.size(); ++place)
      ASSERT_EQ(chunks[place], expected.at(place)) << round;
  }
  told();
  EXPECT_EQ(recorder_->count("streaming_end"), 300U);
}

// In a session

class SessionStreamTest : public SessionTest {};

TEST_F(SessionStreamTest, AnAnswerThatCameWholeIsPartOfTheConversation) {
  script(say("Once."));
  script(Line().text("Bad. ").hang());
  script(say("Twice."));
  Session session = start({.context = Context::chat()});
  const StreamOptions how{
      .chunking = Chunking::sentence(),
      .checks = {{Requirement({.description = "never bad", .check = without("Bad")})}}};
  EXPECT_TRUE(session.stream("Tell me.", how).wait().ok());
  EXPECT_FALSE(session.stream("Tell me more.", how).wait().ok());
  session.chat("And?");
  EXPECT_NE(backend_->requests()[0].messages[0].text.find("never bad"), std::string::npos);
  const std::vector<Message> last = backend_->requests()[2].messages;
  ASSERT_EQ(last.size(), 3U);
  EXPECT_EQ(last[1].text, "Once.");
  EXPECT_EQ(last[2].text, "And?");
}

TEST_F(SessionStreamTest, TheRuntimeEndsStreamsThatNobodyReads) {
  script(say("One. Two. Three"));
  script(Line().text("One. ").hang());
  std::vector<Stream> streams;
  {
    Session session = start();
    for (int number = 0; number < 2; ++number) {
      streams.push_back(session.stream("Count.", {.chunking = Chunking::sentence()}));
      EXPECT_EQ(streams.back().next(), "One.");
    }
  }
  runtime_.reset();
  EXPECT_EQ(recorder_->problems(), Names{});
  EXPECT_EQ(recorder_->count("streaming_end"), 2U);
  EXPECT_EQ(recorder_->count("session_cleanup"), 1U);
  for (Stream& stream : streams) EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::shutdown);
}

TEST_F(SessionStreamTest, TheEndOfTheSessionEndsItsStreams) {
  script(Line().text("One. ").hang());
  Session session = start();
  Stream stream = session.stream("Count.", {.chunking = Chunking::sentence()});
  EXPECT_EQ(stream.next(), "One.");
  session.end();
  EXPECT_EQ(error_of([&] { stream.next(); }).code(), Errc::cancelled);
  drain();
  EXPECT_EQ(recorder_->count("session_cleanup"), 1U);
}

TEST_F(SessionStreamTest, WhatACheckAsksIsBelowTheStream) {
  script(say("One."));
  script(say("Sure."));
  Session session = start();
  const Requirement asks({.name = "asks", .check = [&](const Answer&, const Call& call) {
                            session.within(call).chat("Is it?");
                            return ValidationResult{.passed = true};
                          }});
  session.stream("Count.", {.checks = {{asks}}}).wait();
  const Names lines = recorder_->lines();
  EXPECT_NE(std::find(lines.begin(), lines.end(), "component_pre_execute action#1 in stream#1"),
            lines.end());
}

TEST_F(SessionStreamTest, WhatNeedsTheWholeAnswerIsRefused) {
  Session session = start();
  EXPECT_EQ(error_of([&] { session.stream("Count.", {}, {.strategy = rejection()}); }).code(),
            Errc::invalid_request);
  EXPECT_EQ(error_of([&] { session.stream("Count.", {}, {.format = Format{}}); }).code(),
            Errc::invalid_request);
}

}  // namespace
}  // namespace mellea
