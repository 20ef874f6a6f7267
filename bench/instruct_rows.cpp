// Many calls at once whose answers are judged, over the scripted provider: what is measured is the
// library alone.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/runtime/runtime.h"
#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

constexpr int kCalls = 200;
constexpr auto kAnswer = std::chrono::milliseconds(20);

// Judges say yes.
std::shared_ptr<ScriptedBackend> answering_after(std::chrono::milliseconds delay) {
  return std::make_shared<ScriptedBackend>([delay](const Request&) {
    return scripted::Line()
        .delay(delay)
        .text("yes")
        .usage({.input_tokens = 10, .output_tokens = 1})
        .finish("stop");
  });
}

CallOptions judged() {
  return {.requirements = {Requirement("is about the sea"), Requirement("rhymes")}};
}

void instruct(const Session& session) {
  const Result result = session.instruct("Write a line about the sea.", judged());
  if (!result.ok()) throw std::runtime_error("a judge said no");
}

// All of them at once: from the first call to the last answer, in ms, and threads at most.
struct AtOnce {
  double wall = 0;
  int threads = 0;
};
AtOnce at_once(const std::function<const Session&(int)>& session_of) {
  std::latch ready(kCalls + 1);
  std::latch done(kCalls);
  std::atomic<int> failures{0};
  std::vector<std::jthread> callers;
  for (int i = 0; i < kCalls; ++i)
    callers.emplace_back([&, i] {
      const Session& session = session_of(i);
      ready.arrive_and_wait();
      try {
        instruct(session);
      } catch (const std::exception&) {
        ++failures;
      }
      done.count_down();
    });
  ready.arrive_and_wait();
  const Stopwatch watch;
  AtOnce seen;
  while (!done.try_wait()) {
    seen.threads = std::max(seen.threads, threads());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  seen.wall = microseconds(watch.wall()) / 1000;
  if (failures != 0) throw std::runtime_error("calls failed");
  return seen;
}

}  // namespace

void instruct_rows(const Settings& settings) {
  unpin();
  Runtime runtime;
  const auto backend = answering_after(kAnswer);
  std::vector<Session> sessions;
  for (int i = 0; i < kCalls; ++i) sessions.push_back(runtime.start_session(backend, "scripted"));
  const double ideal = 2 * std::chrono::duration<double, std::milli>(kAnswer).count();
  const auto cores = static_cast<double>(std::thread::hardware_concurrency());
  const auto measure = [](const std::function<const Session&(int)>& session_of) {
    const AtOnce seen = at_once(session_of);
    return std::array{seen.wall, static_cast<double>(seen.threads)};
  };
  const auto [one, each] = in_turn(
      settings.rounds(),
      [&] { return measure([&](int) -> const Session& { return sessions[0]; }); },
      [&] {
        return measure(
            [&](int i) -> const Session& { return sessions[static_cast<std::size_t>(i)]; });
      });
  print({"200 instructs at once, two judges each, on one session",
         "ms",
         one[0],
         {},
         Bar::at_most(1.3 * ideal)});
  print({"  threads", "", one[1], {}, Bar::at_most(kCalls + cores)});
  print({"  on 200 sessions", "ms", each[0], {}, Bar::at_most(1.3 * ideal)});
  print({"  threads", "", each[1], {}, Bar::at_most(kCalls + cores)});
}

void instruct_soak_rows(const Settings& settings) {
  Runtime runtime;
  // The scripted provider remembers what it was asked: each has a few calls only.
  const auto calls = [&](int from, int to) {
    for (int i = from; i < to;) {
      const Session session =
          runtime.start_session(answering_after(std::chrono::milliseconds(0)), "scripted");
      for (const int end = std::min(i + 500, to); i < end; ++i) instruct(session);
    }
    runtime.drain(Clock::now() + std::chrono::seconds(5));
  };
  calls(0, settings.some(10'000));
  const std::int64_t before = resident_bytes();
  calls(settings.some(10'000), settings.some(100'000));
  print({"MiB resident after 100,000 judged instructs, beyond those after 10,000",
         "",
         Series(static_cast<double>(resident_bytes() - before) / (1 << 20)),
         {},
         Bar::at_most(2)});
}

}  // namespace mellea::bench
