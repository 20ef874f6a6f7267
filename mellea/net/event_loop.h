// The thread on which all network traffic of a Network happens.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/net/network.h"
#include "mellea/net/transfer.h"

namespace mellea {

struct MultiFreedByCurl {
  void operator()(void* multi_handle) const noexcept;
};
using MultiHandle = std::unique_ptr<void, MultiFreedByCurl>;

class FileDescriptor {
 public:
  explicit FileDescriptor(int number);  // throws Error if it is -1, as errno says
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int operator*() const noexcept { return number_; }

 private:
  const int number_;
};

// The thread, libcurl's multi handle, and the transfers that are open. Any thread may post
// commands; all else happens on the loop's thread. To be stopped before it is destroyed.
class EventLoop {
 public:
  enum class Command { start, drop, resume, finish };

  explicit EventLoop(std::function<void(const Notice&)> diagnostic);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Returns false after stop().
  bool post(Command command, TransferPtr transfer);
  // Whatever is open fails with Errc::shutdown. The thread has ended when this returns.
  void stop();

 private:
  void run();
  int milliseconds_to_wait() const;
  bool take_commands();  // false if the loop is to stop
  void act(Command command, const TransferPtr& transfer);
  void on_events(const epoll_event* events, int count);
  void on_curl_timer();
  void on_deadlines();
  void on_deadline(Transfer& transfer, Due due);

  void begin(Transfer& transfer);
  bool queue(Transfer& transfer);
  void begin_queued(const Transfer& finished);
  static void configure(Transfer& transfer);
  static void configure_tls(Transfer& transfer);
  static void add_headers(Transfer& transfer);
  void resume(Transfer& transfer);
  void arm(Transfer& transfer);
  static bool sends_on(Transfer& transfer);
  void touch(Transfer& transfer);
  void look();
  void deliver();
  void deliver(Transfer& transfer);
  static std::optional<HttpHead> new_head(Transfer& transfer);
  void reap();
  void completed(Transfer& transfer, int code);
  void close(Transfer& transfer, std::optional<Error> failure);
  void release(Transfer& transfer);
  void close_all();
  void call(const AnswerQueue::Wake& wake) noexcept;
  void tell_of_a_throw(const char* what) const noexcept;

  // What libcurl calls.
  static int on_socket(void* easy, int socket, int what, void* loop, void* known) noexcept;
  static int on_timer(void* multi, long timeout, void* loop) noexcept;
  static int on_connected(void* transfer, char*, char*, int, int) noexcept;
  static std::size_t on_header(char* line, std::size_t, std::size_t size, void* transfer) noexcept;
  static std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* transfer) noexcept;

  const std::function<void(const Notice&)> diagnostic_;
  const FileDescriptor epoll_;
  const FileDescriptor wake_up_;  // an eventfd: commands are there

  std::mutex mutex_;
  std::vector<std::pair<Command, TransferPtr>> commands_;  // guarded by mutex_
  bool stopping_ = false;                                  // guarded by mutex_

  // The loop thread's own.
  MultiHandle multi_;  // null once stopped
  Instant curl_timer_ = Instant::max();
  std::unordered_map<Transfer*, TransferPtr> open_;
  std::set<std::pair<Instant, Transfer*>> timers_;  // Transfer::armed of each that has one
  std::vector<Transfer*> touched_;
  std::vector<Transfer*> finishing_;  // those in that phase,
  std::vector<Transfer*> queued_;     // and those that wait for one of them: oldest first
  std::vector<EasyHandle> idle_;
  std::vector<std::pair<Command, TransferPtr>> taken_;  // commands_ on their way

  std::once_flag joined_;
  std::thread thread_;
};

}  // namespace mellea
