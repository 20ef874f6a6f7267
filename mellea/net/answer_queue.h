// The answer on its way from the loop thread to its reader: head, bytes with their times of
// arrival, and how it ended. Knows nothing of HTTP.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/net/network.h"

namespace mellea {

// Bytes are appended to one buffer while the reader reads another; when it has read that one, the
// two are exchanged. So a stream that flows allocates nothing, and at most about two times kBound
// bytes are held for a reader that does not come.
class AnswerQueue {
 public:
  static constexpr std::size_t kBound = 128U << 10U;
  using Wake = std::function<void()>;

  // For the loop thread. A Wake that is returned may be empty; it is called with no lock held.

  // What has arrived. Takes the bytes and leaves an empty string; after close() all is dropped. The
  // reader is woken, unless it is about to be by close().
  [[nodiscard]] Wake put(std::optional<HttpHead> head, std::string& bytes, Instant at);
  void put_last(std::optional<HttpHead> head, std::string& bytes, Instant at);
  // True if no more should come, with `more` bytes about to be put. Then the reader will say when.
  bool pause_if_full(std::size_t more, Instant now);
  void resume(Instant now);
  void put_sent(Instant at);
  [[nodiscard]] Wake take_wake();

  // For any thread.

  // The first to close decides how it ended: well if `failure` is empty. False if it was closed.
  bool close(std::optional<Error> failure, Instant at);
  HttpTimes times() const;

  // For the reader, one thread at a time. As HttpExchange says.

  HttpNext try_next();
  const HttpHead& head() const noexcept { return head_; }
  std::string_view bytes() const noexcept;
  Instant at() const noexcept { return reading_.pieces[reading_.next - 1].at; }
  void wait(Instant until);
  bool when_ready(Wake wake);
  // Closes well, as of the last byte, and drops what was not read. False if it was closed.
  bool finish();
  // True, once, if the loop is to resume because the reader has caught up.
  bool caught_up() noexcept { return std::exchange(caught_up_, false); }

 private:
  struct Piece {
    std::size_t end = 0;  // in Batch::bytes
    Instant at{};
  };
  struct Batch {
    std::string bytes{};
    std::vector<Piece> pieces{};
    std::size_t next = 0;  // the piece to be read next

    bool all_read() const noexcept { return next == pieces.size(); }
    void clear() noexcept;
  };

  // With mutex_ held.
  bool ready() const noexcept;
  void add(std::optional<HttpHead> head, std::string& bytes, Instant at);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  Batch arrived_;
  bool head_waits_ = false;
  bool closed_ = false;
  bool paused_ = false;
  Instant paused_since_{};
  Instant last_arrival_{};
  std::optional<Error> failure_;  // only when closed_
  HttpTimes times_;
  Wake wake_;

  // arrived_.bytes.size(), written with mutex_ held. Lets the loop thread look without it.
  std::atomic<std::size_t> backlog_ = 0;
  // Written by the loop thread before head_waits_ is set, and by nobody afterwards.
  HttpHead head_;

  // The reader's own.
  Batch reading_;
  bool caught_up_ = false;
};

}  // namespace mellea
