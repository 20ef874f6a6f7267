// The property that everything hangs on: every operation has exactly one end and the right parent,
// on every path. Random programs over the scripted backend: calls, those that block and those that
// do not, streams, ready-callbacks, drops, cancels, blocks in every phase, plugins that throw,
// faults of the provider, several threads, a Runtime that ends in the middle.
//
// MELLEA_RANDOM_PROGRAMS says how many, MELLEA_RANDOM_SEED which; the seed of a failure is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <latch>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "mellea/backends/scripted_backend.h"
#include "mellea/hooks/testing/recorder.h"
#include "mellea/hooks/workers.h"
#include "mellea/mellea.h"
#include "mellea/telemetry.h"
#include "mellea/telemetry/memory_exporter.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;
using scripted::Line;
using telemetry::MemoryExporter;
using telemetry::SpanPtr;

// Random numbers for one thread.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : numbers_(seed) {}
  int below(int sides) { return static_cast<int>(numbers_() % static_cast<unsigned>(sides)); }
  bool one_in(int sides) { return below(sides) == 0; }
  std::uint64_t seed() { return numbers_(); }

 private:
  std::mt19937_64 numbers_;
};

// Random numbers for handlers, which run on any thread.
class SharedDice {
 public:
  explicit SharedDice(std::uint64_t seed) : state_(seed) {}
  bool one_in(unsigned sides) {
    std::uint64_t x = state_.fetch_add(0x9E3779B97F4A7C15) + 0x9E3779B97F4A7C15;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return (x ^ (x >> 31)) % sides == 0;
  }

 private:
  std::atomic<std::uint64_t> state_;
};

// Changes, stops, throws: now and then, in every phase.
class Chaos : public Plugin {
 public:
  explicit Chaos(std::uint64_t seed) : dice_(seed) {}
  std::string_view name() const override { return "chaos"; }

  void subscribe(Subscriber& hooks) override {
    stop<SessionPreInit>(hooks, 200);
    stop<ComponentPreExecute>(hooks, 40);
    stop<GenerationPreCall>(hooks, 40);
    stop<GenerationPostCall>(hooks, 40);
    change<CallBegin>(hooks);
    change<ComponentPreExecute>(hooks);
    change<GenerationPreCall>(hooks);
    watch<SessionPostInit>(hooks);
    watch<SessionCleanup>(hooks);
    watch<ComponentPostSuccess>(hooks);
    watch<ComponentPostError>(hooks);
    watch<GenerationEvent>(hooks);
    watch<GenerationRetry>(hooks);
    watch<GenerationError>(hooks);
    watch<Diagnostic>(hooks);
  }

 private:
  void maybe_throw(unsigned sides) {
    if (dice_.one_in(sides)) throw std::runtime_error("chaos");
  }

  template <class E>
  void stop(Subscriber& hooks, unsigned sides) {
    const auto decide = [this, sides] {
      maybe_throw(sides * 2);
      return dice_.one_in(sides) ? Verdict::stop({.reason = "chaos"}) : Verdict::go_on();
    };
    hooks.intercept<E>([decide](E&) { return decide(); });
    hooks.guard<E>([decide](const E&, std::stop_token) { return decide(); },
                   {.priority = 60, .on_error = OnError::open});
    watch<E>(hooks);
  }

  template <class E>
  void change(Subscriber& hooks) {
    hooks.transform<E>([this](E& event) {
      if constexpr (requires { event.request; }) event.request.edit().messages.back().text += "!";
      maybe_throw(20);
    });
  }

  template <class E>
  void watch(Subscriber& hooks) {
    hooks.observe<E>([this](const E&) { maybe_throw(20); });
    hooks.background<E>([this](const E&, std::stop_token) { maybe_throw(20); });
  }

  SharedDice dice_;
};

Line random_line(Dice& dice) {
  Line line;
  if (dice.one_in(20)) return line.refuse(Error(Errc::invalid_request, "scripted: refused"));
  if (dice.one_in(8)) line.chunk({.what = Notice{.kind = Notice::Kind::retry, .attempt = 1}});
  if (dice.one_in(8)) line.chunk({.what = Notice{.kind = Notice::Kind::option_ignored}});
  for (int pieces = dice.below(6); pieces > 0; --pieces) {
    if (dice.one_in(6)) line.delay(std::chrono::milliseconds(dice.below(2)));
    if (dice.one_in(5))
      line.thinking("hm ");
    else
      line.text("word ");
  }
  switch (dice.below(10)) {
    case 0: return line.fail(Error(Errc::server_error, "scripted: 500"));
    case 1: return line.cut();
    case 2: return line.hang();
    default: break;
  }
  if (!dice.one_in(3)) line.usage({.input_tokens = 5, .output_tokens = 2});
  return line.finish("stop");
}

// One random program. Everything that it does may fail: it catches what calls throw.
class Program {
 public:
  Program(std::uint64_t seed, const Plugins& plugins)
      : dice_(seed),
        runtime_(std::make_unique<Runtime>(RuntimeOptions{.plugins = plugins})),
        backend_(std::make_shared<ScriptedBackend>(
            [lines = std::make_shared<std::mutex>(),
             dice = std::make_shared<Dice>(dice_.seed())](const Request&) {
              const std::lock_guard lock(*lines);
              return random_line(*dice);
            })) {}

  void run() {
    for (int sessions = 1 + dice_.below(2); sessions > 0; --sessions) attempt([&] { session(); });
    if (dice_.one_in(2)) kept_.clear();
    runtime_.reset();
    for (Output& output : kept_) attempt([&] { output.wait(); });
    kept_.clear();
    for (const auto& calls : completions_) EXPECT_EQ(*calls, 1) << "a completion";
  }

 private:
  template <class Function>
  static void attempt(Function function) {
    try {
      function();
    } catch (const Error&) {
    }
  }

  void session() {
    Session session =
        runtime_->start_session(backend_, "demo",
                                {.context = dice_.one_in(2) ? Context::chat() : Context::simple(),
                                 .span = !dice_.one_in(5)});
    for (int calls = dice_.below(4); calls > 0; --calls) attempt([&] { call(session); });
    if (dice_.one_in(4)) in_parallel(session);
    if (dice_.one_in(5)) attempt([&] { session.reset(); });
    if (dice_.one_in(3)) session.end();
    if (dice_.one_in(5)) attempt([&] { session.chat("late", options()); });
  }

  // Whatever hangs is ended by a deadline, so that a program ends.
  CallOptions options() {
    return {.stream = dice_.one_in(2), .until = std::chrono::steady_clock::now() + 3ms};
  }

  void call(Session& session) {
    switch (dice_.below(14)) {
      case 0: (void)session.instruct("hi", options()); break;
      case 1: (void)session.with(Labels{{"n", std::int64_t{1}}}).chat("hi", options()); break;
      case 2: (void)session.start_chat("dropped unread", options()); break;
      case 3: read_some(session.start_chat("left early", options())); break;
      case 4: kept_.push_back(session.start_chat("kept", options())); break;
      case 5: poll(session.start_chat("polled", options())); break;
      case 6: stopped(session); break;
      case 7: waited_for_by_two(session.start_chat("shared", options())); break;
      case 8: cancelled_elsewhere(session.start_chat("cancelled", options())); break;
      case 9: session.instruct_async("asynchronous", options(), completion()); break;
      case 10: asynchronous_and_stopped(session); break;
      case 11: chained(session); break;
      case 12: polled_and_waited_for(session.start_chat("both", options())); break;
      case 13: session.chat_async("hangs", {.stream = dice_.one_in(2)}, completion()); break;
    }
  }

  void read_some(Output output) {
    for (int pieces = dice_.below(4); pieces > 0 && output.next(); --pieces) {
    }
    if (dice_.one_in(3)) output.cancel();
  }

  static void poll(Output output) {
    for (Chunk chunk;;) {
      const Next next = output.try_next(chunk);
      if (next == Next::end) return;
      if (next == Next::chunk) continue;
      const auto woken = std::make_shared<std::latch>(1);
      if (output.when_ready([woken] { woken->count_down(); })) woken->wait();
    }
  }

  void stopped(Session& session) {
    std::stop_source stop;
    if (dice_.one_in(4)) stop.request_stop();
    CallOptions with_stop = options();
    with_stop.stop = stop.get_token();
    Output output = session.start_chat("stopped", std::move(with_stop));
    std::jthread stopper([&stop] { stop.request_stop(); });
    output.wait();
  }

  static void waited_for_by_two(Output output) {
    std::jthread other([output] { attempt([&] { output.wait(); }); });
    while (output.next()) {
    }
  }

  static void cancelled_elsewhere(Output output) {
    std::jthread other([output]() mutable { output.cancel(CancelReason::superseded); });
    while (output.next()) {
    }
  }

  // To be called once, on a worker, with an error or a result. The Runtime may end first.
  Completion<Result> completion() {
    const auto& calls = completions_.emplace_back(std::make_shared<std::atomic<int>>(0));
    return [calls](std::exception_ptr error, const std::optional<Result>& result) {
      const bool right = Workers::on_worker() && (error == nullptr) == result.has_value();
      *calls += right ? 1 : 1000;
    };
  }

  void asynchronous_and_stopped(Session& session) {
    std::stop_source stop;
    if (dice_.one_in(4)) stop.request_stop();
    CallOptions with_stop = options();
    with_stop.stop = stop.get_token();
    session.chat_async("stopped", std::move(with_stop), completion());
    std::jthread stopper([&stop] { stop.request_stop(); });
  }

  // A completion that calls again, and throws.
  void chained(Session session) {
    session.chat_async("first", options(),
                       [session, first = completion(), second = completion(), last = options(),
                        blocks = dice_.one_in(2)](std::exception_ptr error,
                                                  const std::optional<Result>& result) mutable {
                         first(error, result);
                         if (blocks) attempt([&] { session.chat("in a completion", last); });
                         try {
                           session.chat_async("second", last, second);
                         } catch (const Error&) {
                           second(std::current_exception(), {});
                         }
                         throw std::runtime_error("chaos");
                       });
  }

  static void polled_and_waited_for(Output output) {
    std::jthread other([output] { attempt([&] { output.wait(); }); });
    poll(output);
  }

  void in_parallel(Session& session) {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 3; ++thread)
      threads.emplace_back([this, session, until = options().until]() mutable {
        attempt([&] { session.chat("parallel", {.until = until}); });
        attempt([&] { session.chat_async("parallel", {.until = until}, nullptr); });
        attempt([&] { read_none(session.start_chat("parallel, dropped", {.until = until})); });
      });
    if (dice_.one_in(3)) session.end();
  }
  static void read_none(const Output&) {}

  Dice dice_;
  std::unique_ptr<Runtime> runtime_;
  std::shared_ptr<ScriptedBackend> backend_;
  std::vector<Output> kept_;                                    // some outlive the Runtime
  std::vector<std::shared_ptr<std::atomic<int>>> completions_;  // how often each was called
};

// What is wrong with the spans of a program: a span that was not ended, is there twice, or whose
// parent is not the span of what encloses it.
std::vector<std::string> problems_of(const std::vector<SpanPtr>& spans) {
  using telemetry::Fact;
  std::vector<std::string> problems;
  std::map<std::array<std::uint8_t, 8>, SpanPtr> by_id;
  for (const SpanPtr& span : spans) {
    const std::string name(span->name);
    if (!by_id.emplace(span->ids.span, span).second) problems.push_back(name + " is there twice");
    if (span->ended < span->began) problems.push_back(name + " ended before it began");
    if (span->find(Fact::unfinished)) problems.push_back(name + " was never ended");
  }
  const std::map<std::string, std::set<std::string>> parents = {
      {"chat demo", {"action", "sampling"}},
      {"sampling", {"action"}},
      {"action", {"session", ""}},
      {"session", {""}}};
  for (const SpanPtr& span : spans) {
    const auto parent = by_id.find(span->parent);
    const bool root = span->parent == std::array<std::uint8_t, 8>{};
    const std::string around = parent == by_id.end() ? "" : std::string(parent->second->name);
    if (!root && parent == by_id.end())
      problems.push_back(std::string(span->name) + " lost its parent");
    const auto known = parents.find(std::string(span->name));
    if (known == parents.end() || !known->second.contains(around))
      problems.push_back(std::string(span->name) + " is in \"" + around + "\"");
    if (parent != by_id.end() && parent->second->ids.trace != span->ids.trace)
      problems.push_back(std::string(span->name) + " is in another trace than its parent");
  }
  return problems;
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Nothing hears the ends here, so other paths are taken; what is left to see is that all of it
// ends.
TEST(RandomProgramsTest, ProgramsWithoutPluginsEndToo) {
  const std::uint64_t programs = number_from("MELLEA_RANDOM_PROGRAMS", 10'000) / 5;
  const std::uint64_t first = number_from("MELLEA_RANDOM_SEED", std::random_device{}());
  std::cout << "MELLEA_RANDOM_SEED=" << first << std::endl;
  for (std::uint64_t seed = first; seed < first + programs; ++seed) {
    const auto before = std::chrono::steady_clock::now();
    Program(seed, {}).run();
    ASSERT_FALSE(HasFailure()) << "MELLEA_RANDOM_SEED=" << seed;
    ASSERT_LT(std::chrono::steady_clock::now() - before, 4s) << "MELLEA_RANDOM_SEED=" << seed;
  }
}

TEST(RandomProgramsTest, EveryOperationHasOneEndAndTheRightParent) {
  const std::uint64_t programs = number_from("MELLEA_RANDOM_PROGRAMS", 10'000);
  const std::uint64_t first = number_from("MELLEA_RANDOM_SEED", std::random_device{}());
  std::cout << "MELLEA_RANDOM_SEED=" << first << " MELLEA_RANDOM_PROGRAMS=" << programs
            << std::endl;
  std::size_t generations = 0;
  std::size_t spans_seen = 0;
  for (std::uint64_t seed = first; seed < first + programs; ++seed) {
    const auto recorder =
        std::make_shared<testing::Recorder>(testing::Recorder::Options{.chunks = seed % 3 == 0});
    const auto memory = std::make_shared<MemoryExporter>();
    Telemetry telemetry(telemetry::Config{.exporters = {memory}});
    Plugins plugins = telemetry.plugins();
    plugins.push_back(recorder);
    if (seed % 4 != 0) plugins.push_back(std::make_shared<Chaos>(seed));
    Program(seed, plugins).run();
    ASSERT_FALSE(HasFailure()) << "MELLEA_RANDOM_SEED=" << seed;
    telemetry.shutdown();

    const auto spans = memory->take();
    const auto chats = static_cast<std::size_t>(std::count_if(
        spans.begin(), spans.end(), [](const SpanPtr& span) { return span->name == "chat demo"; }));
    ASSERT_EQ(recorder->problems(), std::vector<std::string>{})
        << "MELLEA_RANDOM_SEED=" << seed << " MELLEA_RANDOM_PROGRAMS=1\n"
        << ::testing::PrintToString(recorder->lines());
    ASSERT_EQ(problems_of(spans), std::vector<std::string>{}) << "MELLEA_RANDOM_SEED=" << seed;
    ASSERT_EQ(chats, recorder->count("generation_pre_call")) << "MELLEA_RANDOM_SEED=" << seed;
    generations += recorder->count("generation_pre_call");
    spans_seen += spans.size();
  }
  std::cout << generations << " generations, " << spans_seen << " spans\n";
}

}  // namespace
}  // namespace mellea
