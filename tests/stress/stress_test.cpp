// Thousands of streams at once, over real HTTP and over the scripted provider: each has one end and
// its own text, whatever happens under the others, and nothing is left over.
//
// MELLEA_STRESS_STREAMS says how many, MELLEA_STRESS_SEED which random moments; both are printed.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <future>
#include <iostream>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/hooks/testing/recorder.h"
#include "mellea/hooks/workers.h"
#include "mellea/mellea.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

constexpr int kPieces = 8;  // of a stream's text

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

int streams() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr std::uint64_t kStreams = 40;
#else
  constexpr std::uint64_t kStreams = 200;
#endif
  return static_cast<int>(number_from("MELLEA_STRESS_STREAMS", kStreams));
}

// For tests that have as many open already: each stream takes two descriptors here.
int fewer_streams() { return std::max(1, streams() / 2); }

std::ptrdiff_t entries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}
std::ptrdiff_t descriptors() { return entries("/proc/self/fd"); }
std::ptrdiff_t threads() { return entries("/proc/self/task"); }

// Whether it is so within ten seconds: threads take a moment to be gone.
template <class Condition>
bool soon(Condition condition) {
  const auto last = std::chrono::steady_clock::now() + 10s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= last) return false;
    std::this_thread::yield();
  }
  return true;
}

// A provider that does what it is told in the prompt, "paced 17":
//   paced    all pieces, some milliseconds apart
//   held     one piece; the rest when it is let go
//   endless  one piece, and never an end
//   large    many pieces at once, more than fits between a server and a reader that does not read
// Each piece is the number and a point.
class Provider {
 public:
  virtual ~Provider() = default;
  virtual Session start_session(Runtime& runtime) = 0;
  virtual void let_go() {}

 protected:
  struct Order {
    std::string kind;
    std::string piece;
  };
  static Order order(std::string_view prompt) {
    const auto blank = prompt.find(' ');
    return {std::string(prompt.substr(0, blank)), std::string(prompt.substr(blank + 1)) + "."};
  }
};

constexpr int kLarge = 20'000;

std::string text_of(int number, int pieces = kPieces) {
  std::string text;
  for (int piece = 0; piece < pieces; ++piece) text += std::to_string(number) + ".";
  return text;
}

class HttpProvider final : public Provider {
 public:
  HttpProvider() : server_(std::in_place, answer) {}

  Session start_session(Runtime& runtime) override {
    return runtime.start_session(
        {.backend = "openai", .model = "demo", .base_url = server_->url("/v1")});
  }
  void let_go() override { server_->release(); }
  void die() { server_.reset(); }

 private:
  static Script answer(const ReceivedRequest& request) {
    constexpr std::string_view kContent = R"("content":")";
    const auto from = request.body.find(kContent) + kContent.size();
    const Order wanted = order(request.body.substr(from, request.body.find('"', from) - from));
    const std::string event =
        R"(data: {"choices":[{"index":0,"delta":{"content":")" + wanted.piece + "\"}}]}\n\n";
    Script script = Script::stream();
    if (wanted.kind == "large") {
      std::string all;
      for (int piece = 0; piece < kLarge; ++piece) all += event;
      return script.chunk(all).chunk("data: [DONE]\n\n").end();
    }
    script.chunk(event);
    if (wanted.kind == "endless") return script.hang();
    if (wanted.kind == "held") script.hold();
    for (int piece = 1; piece < kPieces; ++piece) {
      if (wanted.kind == "paced") script.wait(5ms);
      script.chunk(event);
    }
    return script.chunk("data: [DONE]\n\n").end();
  }

  std::optional<LoopbackServer> server_;
};

class ScriptedProvider final : public Provider {
 public:
  Session start_session(Runtime& runtime) override {
    return runtime.start_session(std::make_shared<ScriptedBackend>(answer), "demo");
  }

 private:
  static scripted::Line answer(const Request& request) {
    const Order wanted = order(request.messages.back().text);
    scripted::Line line;
    line.text(wanted.piece);
    if (wanted.kind == "endless") return line.hang();
    if (wanted.kind == "held") line.delay(100ms);
    const int pieces = wanted.kind == "large" ? kLarge : kPieces;
    for (int piece = 1; piece < pieces; ++piece) {
      if (wanted.kind == "paced") line.delay(5ms);
      line.text(wanted.piece);
    }
    return line.finish();
  }
};

// How a call ended, and the text that had come.
struct End {
  std::string outcome{};  // "ok", or the word for the error
  std::string text{};
};

End end_of(const Error& error) {
  return {std::string(to_string(error.code())), error.partial_text()};
}

End end_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return end_of(error);
  } catch (const std::exception& other) {
    return {other.what(), ""};
  }
}

// Reads any number of outputs on one thread, each when it has something to say.
class Reader {
 public:
  // The numbers of the outputs are those of their texts.
  void add(int number, Output output) {
    outputs_.emplace(number, std::move(output));
    queue_->push(number);
  }

  // Until `enough`, or all have ended.
  template <class Condition>
  void read_until(Condition enough) {
    while (ends_.size() < outputs_.size() && !enough()) read(queue_->pop());
  }
  void read_all() {
    read_until([] { return false; });
  }
  // Until the first piece of each is there.
  void read_first_pieces() {
    read_until([this] { return texts_.size() == outputs_.size(); });
  }

  Output& output(int number) { return outputs_.at(number); }
  void let_go() { outputs_.clear(); }
  const std::map<int, End>& ends() const { return ends_; }
  const std::string& text(int number) const { return texts_.at(number); }

 private:
  // Shared with the wakes, which may come late.
  struct Queue {
    std::mutex mutex;
    std::condition_variable filled;
    std::deque<int> ready;  // guarded by mutex

    void push(int number) {
      {
        const std::lock_guard lock(mutex);
        ready.push_back(number);
      }
      filled.notify_one();
    }
    int pop() {
      std::unique_lock lock(mutex);
      filled.wait(lock, [this] { return !ready.empty(); });
      const int number = ready.front();
      ready.pop_front();
      return number;
    }
  };

  void read(int number) {
    if (ends_.contains(number)) return;
    Output& output = outputs_.at(number);
    try {
      for (Chunk chunk;;) {
        const Next next = output.try_next(chunk);
        if (next == Next::end) {
          ends_[number] = {"ok", output.wait().text()};
          return;
        }
        if (next == Next::chunk) {
          if (const auto* text = std::get_if<std::string>(&chunk.what)) texts_[number] += *text;
        } else if (output.when_ready([queue = queue_, number] { queue->push(number); })) {
          return;
        }
      }
    } catch (const Error& error) {
      ends_[number] = end_of(error);
    }
  }

  const std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::map<int, Output> outputs_;
  std::map<int, std::string> texts_;
  std::map<int, End> ends_;
};

// Where calls in the background leave their ends.
class Ends {
 public:
  Completion<Result> completion(int number) {
    return [this, number](std::exception_ptr error, std::optional<Result> result) {
      EXPECT_TRUE(Workers::on_worker());
      End end = error ? end_of(error) : End{"ok", result->text()};
      const std::lock_guard lock(mutex_);
      if (!ends_.emplace(number, std::move(end)).second) ++more_than_once_;
      changed_.notify_all();
    };
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ends_.size() >= count; });
  }
  std::map<int, End> all() const {
    const std::lock_guard lock(mutex_);
    return ends_;
  }
  int more_than_once() const {
    const std::lock_guard lock(mutex_);
    return more_than_once_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, End> ends_;  // guarded by mutex_
  int more_than_once_ = 0;   // guarded by mutex_
};

enum class Over { http, script };

class StressTest : public ::testing::TestWithParam<Over> {
 protected:
  // What the first call in a process sets up for good, is set up before anything is counted.
  static void SetUpTestSuite() {
    Runtime runtime;
    HttpProvider provider;
    provider.start_session(runtime).chat("paced 0", {.stream = true});
  }

  void SetUp() override {
    ASSERT_TRUE(soon([] { return threads() <= threads_at_rest(); }));
    descriptors_ = descriptors();
    make_runtime();
    if (GetParam() == Over::http)
      provider_ = std::make_unique<HttpProvider>();
    else
      provider_ = std::make_unique<ScriptedProvider>();
  }

  void TearDown() override {
    runtime_.reset();
    provider_.reset();
    EXPECT_EQ(recorder_->problems(), std::vector<std::string>{});
    EXPECT_EQ(recorder_->count("generation_pre_call"),
              recorder_->count("generation_post_call") + recorder_->count("generation_error"));
    EXPECT_TRUE(soon([this] { return descriptors() == descriptors_; }))
        << descriptors() << " descriptors, not " << descriptors_;
    EXPECT_TRUE(soon([] { return threads() <= threads_at_rest(); })) << threads() << " threads";
  }

  static std::ptrdiff_t threads_at_rest() {
    static const std::ptrdiff_t kThreads = threads();  // with those of a sanitizer
    return kThreads;
  }

  void make_runtime(int workers = 256) {
    runtime_ = std::make_unique<Runtime>(
        RuntimeOptions{.plugins = {recorder_}, .shutdown = 60s, .workers = workers});
  }
  Session start() { return provider_->start_session(*runtime_); }

  static std::string prompt(const std::string& kind, int number) {
    return kind + " " + std::to_string(number);
  }
  static void start_streams(Session session, const std::string& kind, Reader& reader) {
    for (int number = 0; number < streams(); ++number)
      reader.add(number, session.start_chat(prompt(kind, number), {.stream = true}));
  }
  static void expect_all_whole(const std::map<int, End>& ends, int count = streams()) {
    EXPECT_EQ(ends.size(), static_cast<std::size_t>(count));
    for (const auto& [number, end] : ends) {
      ASSERT_EQ(end.outcome, "ok") << number;
      ASSERT_EQ(end.text, text_of(number));
    }
  }
  // Each ended so, with nothing but the beginning of its own text.
  static void expect_all_cut_off(const std::map<int, End>& ends, const std::string& outcome,
                                 int count = streams()) {
    EXPECT_EQ(ends.size(), static_cast<std::size_t>(count));
    for (const auto& [number, end] : ends) {
      ASSERT_EQ(end.outcome, outcome) << number;
      ASSERT_TRUE(text_of(number).starts_with(end.text)) << number << ": " << end.text;
    }
  }

  std::shared_ptr<testing::Recorder> recorder_ =
      std::make_shared<testing::Recorder>(testing::Recorder::Options{.chunks = false});
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Provider> provider_;
  std::ptrdiff_t descriptors_ = 0;
};

TEST_P(StressTest, StreamsReadByOneThreadAreWhole) {
  Reader reader;
  start_streams(start(), "paced", reader);
  reader.read_all();
  expect_all_whole(reader.ends());
  for (int number = 0; number < streams(); ++number)
    ASSERT_EQ(reader.text(number), text_of(number));
}

TEST_P(StressTest, AsynchronousCallsAreWhole) {
  Ends ends;
  Session session = start();
  const auto began = std::chrono::steady_clock::now();
  for (int number = 0; number < streams(); ++number)
    session.chat_async(prompt("paced", number), {.stream = true}, ends.completion(number));
  std::ptrdiff_t most = 0;
  while (ends.all().size() < static_cast<std::size_t>(streams())) {
    most = std::max(most, threads());
    std::this_thread::yield();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cout << streams() << " calls in " << took.count() << " s, " << most << " threads at most\n";
  expect_all_whole(ends.all());
  EXPECT_EQ(ends.more_than_once(), 0);
  EXPECT_LT(most, streams() / 2) << "a thread waits for each call";
}

TEST_P(StressTest, OneWorkerIsEnoughForAsynchronousCalls) {
  make_runtime(1);
  Ends ends;
  {
    Session session = start();
    for (int number = 0; number < streams(); ++number)
      session.chat_async(prompt("paced", number), {.stream = true}, ends.completion(number));
  }
  ends.wait_for(static_cast<std::size_t>(streams()));
  expect_all_whole(ends.all());
}

TEST_P(StressTest, AReaderThatSleepsHoldsNobodyUp) {
  Session session = start();
  std::latch begun(1);
  std::promise<void> wake;
  auto sleeper = std::async(std::launch::async, [&] {
    Output output = session.start_chat(prompt("large", 7), {.stream = true});
    std::string text;
    while (const auto chunk = output.next()) {
      const auto* piece = std::get_if<std::string>(&chunk->what);
      if (piece && text.empty()) {
        begun.count_down();
        wake.get_future().wait();
      }
      if (piece) text += *piece;
    }
    return text;
  });
  begun.wait();
  Reader reader;
  start_streams(session, "paced", reader);
  reader.read_all();
  expect_all_whole(reader.ends());
  wake.set_value();
  EXPECT_TRUE(sleeper.get() == text_of(7, kLarge));
}

TEST_P(StressTest, CancelsFromOtherThreadsAtAnyMomentEndEachStreamOnce) {
  constexpr int kThreads = 4;
  const std::uint64_t seed = number_from("MELLEA_STRESS_SEED", std::random_device{}());
  std::cout << "MELLEA_STRESS_SEED=" << seed << std::endl;
  Session session = start();
  Ends ends;
  Reader reader;
  std::vector<std::stop_source> stops(static_cast<std::size_t>(streams()));
  start_streams(session, "paced", reader);
  for (int number = 0; number < streams(); ++number)
    session.chat_async(
        prompt("paced", number),
        {.stream = true, .stop = stops[static_cast<std::size_t>(number)].get_token()},
        ends.completion(number));
  {
    std::vector<std::jthread> cancellers;
    for (int thread = 0; thread < kThreads; ++thread)
      cancellers.emplace_back([&, thread] {
        std::mt19937_64 dice(seed + static_cast<std::uint64_t>(thread));
        for (int number = thread; number < streams(); number += kThreads) {
          if (dice() % 2 == 0) continue;
          for (auto turns = dice() % 20; turns > 0; --turns) std::this_thread::yield();
          reader.output(number).cancel(CancelReason::superseded);
          stops[static_cast<std::size_t>(number)].request_stop();
        }
      });
    reader.read_all();
  }
  ends.wait_for(static_cast<std::size_t>(streams()));
  for (const auto& all : {reader.ends(), ends.all()})
    for (const auto& [number, end] : all) {
      ASSERT_TRUE(end.outcome == "ok" || end.outcome == "cancelled") << number << end.outcome;
      ASSERT_TRUE(text_of(number).starts_with(end.text)) << number << ": " << end.text;
      if (end.outcome == "ok") {
        ASSERT_EQ(end.text, text_of(number));
      }
    }
  EXPECT_EQ(ends.more_than_once(), 0);
}

TEST_P(StressTest, TheEndOfTheRuntimeEndsEveryStreamOnce) {
  Ends ends;
  Reader reader;
  {
    Session session = start();
    start_streams(session, "endless", reader);
    for (int number = 0; number < streams(); ++number)
      session.chat_async(prompt("endless", number), {.stream = true}, ends.completion(number));
  }
  reader.read_first_pieces();
  runtime_.reset();
  reader.read_all();
  expect_all_cut_off(reader.ends(), "shutdown");
  expect_all_cut_off(ends.all(), "shutdown");
  EXPECT_EQ(ends.more_than_once(), 0);
}

// What the child of a fork does: nothing that it inherited hurts it, and a new Runtime works.
int live_in_the_child(Reader& reader, std::unique_ptr<Runtime>& inherited) {
  reader.let_go();
  inherited.reset();
#if !defined(__SANITIZE_THREAD__)  // which allows no threads here
  Runtime runtime;
  HttpProvider provider;
  Session session = provider.start_session(runtime);
  if (session.chat("paced 1", {.stream = true}).text() != text_of(1)) return 1;
#endif
  return 0;
}

TEST_P(StressTest, AForkInTheMiddleHurtsNeitherSide) {
  Ends ends;
  Reader reader;
  Session session = start();
  start_streams(session, "held", reader);
  for (int number = 0; number < fewer_streams(); ++number)
    session.chat_async(prompt("paced", number), {.stream = true}, ends.completion(number));
  reader.read_first_pieces();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(live_in_the_child(reader, runtime_));
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  provider_->let_go();
  reader.read_all();
  expect_all_whole(reader.ends());
  ends.wait_for(static_cast<std::size_t>(fewer_streams()));
  expect_all_whole(ends.all(), fewer_streams());
}

class DyingServerTest : public StressTest {};

TEST_P(DyingServerTest, EveryStreamUnderAServerThatDiesFailsOnce) {
  Ends ends;
  Reader reader;
  Session session = start();
  start_streams(session, "endless", reader);
  for (int number = 0; number < fewer_streams(); ++number)
    session.chat_async(prompt("endless", number), {.stream = true}, ends.completion(number));
  reader.read_first_pieces();
  static_cast<HttpProvider&>(*provider_).die();
  reader.read_all();
  ends.wait_for(static_cast<std::size_t>(fewer_streams()));
  expect_all_cut_off(reader.ends(), "transport_error");
  expect_all_cut_off(ends.all(), "transport_error", fewer_streams());
  for (int number = 0; number < streams(); ++number)
    ASSERT_EQ(reader.text(number), text_of(number, 1));
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Over, StressTest, ::testing::Values(Over::http, Over::script),
                         [](const auto& over) {
                           return over.param == Over::http ? "Http" : "Scripted";
                         });
INSTANTIATE_TEST_SUITE_P(Over, DyingServerTest, ::testing::Values(Over::http),
                         [](const auto&) { return "Http"; });

}  // namespace mellea

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  return RUN_ALL_TESTS();
}
