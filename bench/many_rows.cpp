// Many streams at once, read by one thread that is told which of them has something to say.
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "mellea/runtime/runtime.h"
#include "provider_process.h"
#include "raw_streams.h"
#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

constexpr const char* kPrompt = "Write a line about the sea.";
constexpr int kRate = 10;  // events a second of each stream
using std::chrono::seconds;

std::string endless() { return "stream-1000000-1-" + std::to_string(kRate); }

class ReadyList {
 public:
  void add(std::size_t stream) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      first = ready_.empty();
      ready_.push_back(stream);
    }
    if (first) filled_.notify_one();
  }
  // Waits for some; none if that took until then.
  void take(std::vector<std::size_t>& into, Clock::time_point until) {
    into.clear();
    std::unique_lock lock(mutex_);
    filled_.wait_until(lock, until, [this] { return !ready_.empty(); });
    into.swap(ready_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<std::size_t> ready_;  // guarded by mutex_
};

class OurStreams {
 public:
  OurStreams(Session& session, int count) {
    for (int i = 0; i < count; ++i) {
      streams_.push_back(session.start_chat(kPrompt, {.stream = true}));
      read(streams_.size() - 1);
    }
  }

  std::int64_t read_until(Clock::time_point until) {
    events_ = 0;
    std::vector<std::size_t> ready;
    while (Clock::now() < until) {
      ready_->take(ready, until);
      for (const std::size_t stream : ready) read(stream);
    }
    return events_;
  }
  int failures() const { return failures_; }

 private:
  void read(std::size_t stream) try {
    for (Chunk chunk;;) {
      const Next next = streams_[stream].try_next(chunk);
      if (next == Next::end) return;
      if (next == Next::chunk)
        ++events_;
      else if (streams_[stream].when_ready([ready = ready_, stream] { ready->add(stream); }))
        return;
    }
  } catch (const Error&) {
    ++failures_;
  }

  const std::shared_ptr<ReadyList> ready_ = std::make_shared<ReadyList>();
  std::vector<Output> streams_;
  std::int64_t events_ = 0;
  int failures_ = 0;
};

// CPU in microseconds an event, once all streams are under way.
template <class Streams>
double cpu_each_event(Streams& streams) {
  streams.read_until(Clock::now() + seconds(2));
  const Stopwatch watch;
  const std::int64_t events = streams.read_until(Clock::now() + seconds(3));
  return microseconds(watch.cpu()) / static_cast<double>(events);
}

// Resident KiB a stream; and how many failed.
std::pair<double, int> memory_of(Session& session, int count) {
  keep(session.start_chat(kPrompt, {.stream = true}).next());
  const std::int64_t before = resident_bytes();
  OurStreams streams(session, count);
  streams.read_until(Clock::now() + seconds(5));
  return {static_cast<double>(resident_bytes() - before) / 1024 / count, streams.failures()};
}

}  // namespace

void thread_rows(const Settings&) {
  ProviderProcess provider;
  Runtime runtime;
  Session session =
      runtime.start_session({.backend = "openai", .model = endless(), .base_url = provider.url()});
  OurStreams streams(session, 256);
  streams.read_until(Clock::now() + seconds(1));
  print({"threads of 256 streams, the reading one among them",
         "",
         Series(static_cast<double>(threads())),
         {},
         Bar::at_most(3)});
}

void many_rows(const Settings& settings) {
  const int count = settings.some(5000);
  ProviderProcess provider;
  Runtime runtime;
  Session session =
      runtime.start_session({.backend = "openai", .model = endless(), .base_url = provider.url()});
  const auto [memory, failures] =
      memory_of(session, count);  // first, in a heap that is still small
  print({"5,000 streams, KiB resident each", "", Series(memory), {}, Bar::at_most(32)});
  print({"  failed", "", Series(failures), {}, Bar::at_most(0)});

  const auto [ours, floor] = in_turn(
      settings.quick ? 1 : 3,
      [&] {
        OurStreams streams(session, count);
        return std::array{cpu_each_event(streams)};
      },
      [&] {
        RawStreams streams(provider.port(), endless(), count);
        return std::array{cpu_each_event(streams)};
      });
  print({"  CPU of an event, each stream 10 a second", "us", ours[0], floor[0],
         Bar::ratio_at_most(1.5)});
}

void many_tls_rows(const Settings& settings) {
  ProviderProcess provider;
  Runtime runtime;
  Session session = runtime.start_session({.backend = "openai",
                                           .model = endless(),
                                           .base_url = provider.tls_url(),
                                           .ca_file = provider.ca_file()});
  const auto [memory, failures] = memory_of(session, settings.some(5000));
  print({"5,000 streams with TLS, KiB resident each", "", Series(memory), {}, Bar::at_most(96)});
  print({"  failed", "", Series(failures), {}, Bar::at_most(0)});
}

}  // namespace mellea::bench
