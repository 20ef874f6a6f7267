#include "random_program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dice.h"
#include "mellea/backends/scripted_backend.h"
#include "mellea/hooks/workers.h"
#include "mellea/mellea.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;
using scripted::Line;

void add_calls(Dice& dice, const Request& request, Line& line) {
  for (int i = 1 + dice.below(2); i > 0; --i) {
    const auto tool = static_cast<std::size_t>(dice.below(static_cast<int>(request.tools.size())));
    const bool known = !dice.one_in(6);
    line.tool_call({.id = "c" + std::to_string(i),
                    .name = known ? request.tools[tool].name : "nobody",
                    .arguments = dice.one_in(6) ? "{" : R"({"answer":"a"})"},
                   i - 1);
  }
}

// An answer to that request, or none.
Line random_line(Dice& dice, const Request& request) {
  Line line;
  if (dice.one_in(20)) return line.refuse(Error(Errc::invalid_request, "scripted: refused"));
  if (dice.one_in(8)) line.chunk({.what = Notice{.kind = Notice::Kind::retry, .attempt = 1}});
  if (dice.one_in(8)) line.chunk({.what = Notice{.kind = Notice::Kind::option_ignored}});
  if (dice.one_in(3)) line.text(dice.one_in(2) ? "yes. " : "no. ");  // as a judge says
  for (int pieces = dice.below(6); pieces > 0; --pieces) {
    if (dice.one_in(6)) line.delay(std::chrono::milliseconds(dice.below(2)));
    if (dice.one_in(5))
      line.thinking("hm ");
    else
      line.text("word ");
  }
  if (!request.tools.empty() && !dice.one_in(3)) add_calls(dice, request, line);
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
             dice = std::make_shared<Dice>(dice_.seed())](const Request& request) {
              const std::lock_guard lock(*lines);
              return random_line(*dice, request);
            })) {}

  void run() {
    for (int sessions = 1 + dice_.below(2); sessions > 0; --sessions) attempt([&] { session(); });
    if (dice_.one_in(2)) kept_.clear();
    if (dice_.one_in(2)) streams_.clear();
    runtime_.reset();
    for (Output& output : kept_) attempt([&] { output.wait(); });
    kept_.clear();
    for (Stream& stream : streams_) attempt([&] { stream.wait(); });
    streams_.clear();
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
                                 .compaction = compaction(),
                                 .span = !dice_.one_in(5)});
    for (int calls = dice_.below(4); calls > 0; --calls) attempt([&] { call(session); });
    if (dice_.one_in(4)) in_parallel(session);
    if (dice_.one_in(5)) attempt([&] { session.reset(); });
    if (dice_.one_in(3)) session.end();
    if (dice_.one_in(5)) attempt([&] { session.chat("late", options()); });
  }

  Compaction compaction() {
    if (dice_.one_in(2)) return {};
    return {.window = dice_.one_in(4) ? 0U : static_cast<std::size_t>(4 + dice_.below(3)),
            .tokens = 1 + dice_.below(20),
            .summarise = dice_.one_in(2)};
  }

  // Whatever hangs is ended by a deadline, so that a program ends.
  CallOptions options() {
    return {.stream = dice_.one_in(2), .until = std::chrono::steady_clock::now() + 3ms};
  }

  void call(Session& session) {
    switch (dice_.below(26)) {
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
      case 14:
      case 15:
      case 16: (void)session.instruct("sampled", sampled(session)); break;
      case 17: session.instruct_async("sampled", sampled(session), completion()); break;
      case 18: tools(session); break;
      case 19: agent(session); break;
      case 20:
      case 21:
      case 22: streamed(session); break;
      case 23: batch(session); break;
      case 24: validated(session); break;
      case 25: cloned(session); break;
    }
  }

  // ---- Requirements and strategies

  // A part of what runs `call`, since it does not go on without it.
  static void nested(SharedDice& dice, const Session& session, const Call& call, const char* what) {
    if (dice.one_in(3)) return;
    attempt([&] {
      session.within(call).chat(
          what, {.until = std::chrono::steady_clock::now() + 2ms, .stop = call.stop});
    });
  }

  Requirements requirements(const Session& session) {
    Requirements all;
    if (dice_.one_in(2)) all.push_back(contains("word"));
    if (dice_.one_in(3)) all.emplace_back("is judged");
    if (dice_.one_in(3)) all.emplace_back("is judged beside the other");
    if (dice_.one_in(3))
      all.push_back(Requirement({.kind = "function",
                                 .check =
                                     [dice = shared_, session](const Answer&, const Call& call) {
                                       nested(*dice, session, call, "in a check");
                                       if (dice->one_in(6)) throw std::runtime_error("chaos");
                                       return ValidationResult{.passed = dice->one_in(2)};
                                     },
                                 .slow = dice_.one_in(2)}));
    return all;
  }

  Strategy strategy() {
    const auto score = [](const Answer& answer, const Call&) {
      return static_cast<double>(answer.reply.text.size());
    };
    switch (dice_.below(6)) {
      case 0: return rejection(1 + dice_.below(3));
      case 1: return repair();
      case 2: return multi_turn(3);
      case 3: return best_of_n(1 + dice_.below(3), score);
      case 4: return majority(1 + dice_.below(4));
      default: return mellea::in_parallel(repair(), 2);
    }
  }

  CallOptions sampled(const Session& session) {
    CallOptions options = this->options();
    options.until = std::chrono::steady_clock::now() + 5ms;
    options.requirements = requirements(session);
    if (!dice_.one_in(4)) options.strategy = strategy();
    return options;
  }

  void validated(Session& session) {
    const Result answer = session.chat("to be checked", options());
    (void)session.validate(answer, requirements(session), options());
    if (dice_.one_in(2)) (void)session.validate(requirements(session), options());
  }

  // ---- Tools and agents

  Tools some_tools(const Session& session) {
    return {Tool({.name = "ask"},
                 [dice = shared_, session](const Json&, const Call& call) {
                   nested(*dice, session, call, "in a tool");
                   if (dice->one_in(6)) throw std::runtime_error("chaos");
                   return std::string("done");
                 }),
            Tool({.name = "see"}, [](const Json&, const Call&) { return std::string("seen"); })};
  }

  void tools(Session& session) {
    CallOptions options = this->options();
    options.tools = some_tools(session);
    const Result asked = session.chat("use a tool", std::move(options));
    (void)session.call_tools(asked, {.parallel = dice_.one_in(2), .add_results = dice_.one_in(2)});
  }

  void agent(Session& session) {
    (void)session.react("a goal", {.tools = some_tools(session),
                                   .max_steps = 1 + dice_.below(3),
                                   .parallel = dice_.one_in(2),
                                   .until = std::chrono::steady_clock::now() + 5ms});
  }

  // ---- Streams

  void streamed(Session& session) {
    StreamOptions how{.chunking = dice_.one_in(2) ? Chunking::word() : Chunking::delta(),
                      .retries = dice_.below(3)};
    if (dice_.one_in(2))
      how.checks.push_back({contains("word"), [dice = shared_](const PartialAnswer&, const Call&) {
                              if (dice->one_in(20)) throw std::runtime_error("chaos");
                              return std::optional(ValidationResult{.passed = !dice->one_in(5)});
                            }});
    if (dice_.one_in(4)) how.checks.push_back({Requirement("is judged by the chunk")});
    if (dice_.one_in(3)) how.requirements = requirements(session);
    CallOptions options = this->options();
    if (dice_.one_in(3)) options.requirements = requirements(session);
    Stream stream = session.stream("in chunks", std::move(how), std::move(options));
    switch (dice_.below(6)) {
      case 0: return;  // dropped unread
      case 1: streams_.push_back(std::move(stream)); return;
      case 2: stream.next(); return;
      case 3: {
        std::jthread other([stream]() mutable { stream.cancel(CancelReason::superseded); });
        stream.wait();
        return;
      }
      case 4: {
        std::jthread other([stream]() mutable { attempt([&] { stream.wait(); }); });
        while (stream.next()) {
        }
        return;
      }
      default: stream.wait(); return;
    }
  }

  // ---- And the rest

  void batch(Session& session) {
    if (dice_.one_in(2))
      (void)session.generate_raw({"one", "two"}, {.until = options().until});
    else
      (void)session.embed({"one"}, {.until = options().until});
  }

  void cloned(Session& session) {
    const Session other = session.clone();
    attempt([&] { other.query("a thing", "what is it?", options()); });
    attempt([&] { other.transform("a thing", "turn it", options()); });
    session.chat("the first goes on", options());
  }

  // ---- One answer, read in all ways

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
  // For what runs on any thread, maybe after this.
  const std::shared_ptr<SharedDice> shared_ = std::make_shared<SharedDice>(dice_.seed());
  std::unique_ptr<Runtime> runtime_;
  std::shared_ptr<ScriptedBackend> backend_;
  std::vector<Output> kept_;                                    // some outlive the Runtime
  std::vector<Stream> streams_;                                 // the same
  std::vector<std::shared_ptr<std::atomic<int>>> completions_;  // how often each was called
};

}  // namespace

void run_random_program(std::uint64_t seed, const Plugins& plugins) {
  Program(seed, plugins).run();
}

}  // namespace mellea
