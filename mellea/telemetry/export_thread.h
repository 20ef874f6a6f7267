// The thread on which an exporter of any signal does what may take long.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "mellea/core/fork.h"
#include "mellea/core/instant.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {

enum class Signal : std::uint8_t { traces, metrics, logs };

// What the thread does: it waits until there is something to deliver, delivers it, and tells once a
// minute what was lost. Shared with the thread, which may be left behind with it; and a child of
// fork() never destroys it: the thread that would let go of it is not there.
class ExportLoop {
 public:
  explicit ExportLoop(std::shared_ptr<Warnings> warnings) : warnings_(std::move(warnings)) {}
  virtual ~ExportLoop() = default;
  ExportLoop(const ExportLoop&) = delete;
  ExportLoop& operator=(const ExportLoop&) = delete;

 protected:
  using Lock = std::unique_lock<std::mutex>;
  struct Delivery {
    std::int64_t count = 0;      // of what was accepted
    std::string failure{};       // why it is lost; empty: delivered
    std::int64_t delivered = 0;  // of `count`, if the rest is lost
  };

  // On the thread, with the lock held, as all that follow but for the last five. False if there is
  // nothing to do and never will be.
  virtual bool wait(Lock& lock) = 0;
  // Unlocks while it delivers; locked again when it returns.
  virtual Delivery deliver(Lock& lock) = 0;
  // Somebody waits for all there is.
  virtual void on_flush() {}
  // Whether nothing is lost for good.
  virtual bool is_complete() const noexcept { return lost_ == 0; }

  // A warning. `why` is empty if no more than that was lost which was never accepted.
  virtual std::string told(std::int64_t lost, const std::string& why) const = 0;
  // What is lost, and where it was to go, for records: without paths, as metrics have it. Of lost
  // log records there is none: it would be lost, too.
  virtual Signal signal() const noexcept = 0;
  virtual std::string label() const = 0;
  virtual void interrupt() noexcept = 0;  // any thread: deliver() gives up at once
  virtual void close() noexcept = 0;      // on the thread, when all is over

  std::mutex mutex_;  // guards all that follows
  std::condition_variable wake_;
  std::int64_t accepted_ = 0;
  std::int64_t finished_ = 0;  // of the accepted: delivered or given up
  std::int64_t flush_to_ = 0;  // finished_ is to come so far at once
  std::int64_t delivered_ = 0;
  std::int64_t lost_ = 0;     // given up, or never accepted
  std::int64_t dropped_ = 0;  // of lost_: never accepted
  bool stopping_ = false;

 private:
  friend class ExportThread;
  void run();
  struct Losses {
    std::int64_t all = 0;
    std::int64_t dropped = 0;
  };
  void tell(const Losses& losses, bool last);
  void log(std::string_view event, std::int64_t count) const;

  const std::shared_ptr<Warnings> warnings_;
  std::condition_variable done_;
  bool ended_ = false;  // guarded by mutex_: the thread touches nothing any more

  // Only the thread uses these.
  Losses told_;
  Instant told_at_{};
  std::string reason_;  // of the last loss on the way
};

// The deadlines of flush() and shutdown() hold even if deliver() hangs for good: then the thread is
// left behind with what it holds. In a child of fork() all does nothing. Any thread may call
// anything.
class ExportThread {
 public:
  explicit ExportThread(std::shared_ptr<ExportLoop> loop);
  ~ExportThread();  // as shutdown(), without waiting

  bool inherited() const noexcept { return fork_.inherited(); }
  // False if `until` was too early, or something was lost meanwhile.
  bool flush(Instant until) noexcept { return wait_for(ask(), until); }
  // The halves of flush(), so that several can be asked before one is waited for.
  struct Asked {
    std::int64_t target = 0;
    std::int64_t lost = 0;
  };
  Asked ask() noexcept;
  bool wait_for(const Asked& asked, Instant until) noexcept;
  // As the beginning of shutdown().
  void stop() noexcept;
  // False if `until` was too early, or anything is lost for good; so is each that follows, of any
  // thread.
  bool shutdown(Instant until) noexcept;

 private:
  const ForkMark fork_;
  const std::shared_ptr<ExportLoop> loop_;
  std::thread thread_;  // guarded by the loop's mutex_; none once a shutdown() saw to it
};

}  // namespace mellea::telemetry
