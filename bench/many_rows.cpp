// Many streams at once, read by one thread that is told which of them has something to say.
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
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
using std::chrono::seconds;

// A stream of so many events a second.
std::string endless(int rate) { return "stream-1000000-1-" + std::to_string(rate); }

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
  OurStreams(Session& session, int count) : silent_(count) {
    for (int i = 0; i < count; ++i) {
      streams_.push_back({.output = session.start_chat(kPrompt, {.stream = true})});
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
  // Until each stream has given an event, or failed.
  void read_until_all_speak() {
    const auto last = Clock::now() + seconds(60);
    while (silent_ > failures_ && Clock::now() < last)
      read_until(Clock::now() + std::chrono::milliseconds(100));
    if (silent_ > failures_) throw std::runtime_error("some streams never begin");
  }
  int failures() const { return failures_; }

 private:
  struct Stream {
    Output output;
    bool silent = true;
  };

  void read(std::size_t index) try {
    Stream& stream = streams_[index];
    for (Chunk chunk;;) {
      const Next next = stream.output.try_next(chunk);
      if (next == Next::end) return;
      if (next == Next::chunk) {
        ++events_;
        silent_ -= std::exchange(stream.silent, false);
      } else if (stream.output.when_ready([ready = ready_, index] { ready->add(index); })) {
        return;
      }
    }
  } catch (const Error&) {
    ++failures_;
  }

  const std::shared_ptr<ReadyList> ready_ = std::make_shared<ReadyList>();
  std::vector<Stream> streams_;
  std::int64_t events_ = 0;
  int silent_;  // streams that have given nothing yet
  int failures_ = 0;
};

// CPU in microseconds an event, once the rush of the beginning is over.
template <class Streams>
double cpu_each_event(Streams& streams) {
  streams.read_until(Clock::now() + seconds(1));
  const Stopwatch watch;
  const std::int64_t events = streams.read_until(Clock::now() + seconds(3));
  return microseconds(watch.cpu()) / static_cast<double>(events);
}

// Resident KiB a stream; and how many failed.
std::pair<double, int> memory_of(Session& session, int count) {
  keep(session.start_chat(kPrompt, {.stream = true}).next());
  const std::int64_t before = resident_bytes();
  OurStreams streams(session, count);
  streams.read_until_all_speak();
  streams.read_until(Clock::now() + seconds(2));
  return {static_cast<double>(resident_bytes() - before) / 1024 / count, streams.failures()};
}

}  // namespace

void thread_rows(const Settings& settings) {
  ProviderProcess provider;
  Runtime runtime;
  Session session = runtime.start_session(client_of(*settings.wire, provider, endless(20)));
  OurStreams streams(session, 256);
  streams.read_until_all_speak();
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
  const auto session = [&](int rate) {
    return runtime.start_session(client_of(*settings.wire, provider, endless(rate)));
  };
  Session slow = session(4);
  const auto [memory, failures] = memory_of(slow, count);  // first: the heap is still small
  print({"5,000 streams, KiB resident each", "", Series(memory), {}, Bar::at_most(32)});
  print({"  failed", "", Series(failures), {}, Bar::at_most(0)});

  const auto cpu = [&](Session& ours, int rate) {
    return in_turn(
        settings.quick ? 1 : 3,
        [&] {
          OurStreams streams(ours, count);
          streams.read_until_all_speak();
          return std::array{cpu_each_event(streams)};
        },
        [&] {
          RawStreams streams(*settings.wire, provider, endless(rate), count);
          return std::array{cpu_each_event(streams)};
        });
  };
  Session fast = session(20);
  const auto [busy, busy_floor] = cpu(fast, 20);
  print({"  CPU of an event, each stream 20 a second", "us", busy[0], busy_floor[0],
         Bar::ratio_at_most(1.5)});
  // Fewer come at once, so more of them wake a thread each.
  const auto [idle, idle_floor] = cpu(slow, 4);
  print({"  CPU of an event, each stream 4 a second", "us", idle[0], idle_floor[0],
         Bar::ratio_at_most(1.5)});
}

void many_tls_rows(const Settings& settings) {
  ProviderProcess provider;
  Runtime runtime;
  Session session =
      runtime.start_session(client_of(*settings.wire, provider, endless(4), /*tls=*/true));
  const auto [memory, failures] = memory_of(session, settings.some(5000));
  print({"5,000 streams with TLS, KiB resident each", "", Series(memory), {}, Bar::at_most(96)});
  print({"  failed", "", Series(failures), {}, Bar::at_most(0)});
}

}  // namespace mellea::bench
