#include "mellea/mcp/program_link.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "mellea/core/bell.h"
#include "mellea/core/descriptor.h"
#include "mellea/core/error.h"
#include "mellea/core/fork.h"
#include "mellea/core/signals.h"
#include "mellea/core/text.h"
#include "mellea/net/ndjson.h"

namespace mellea {
namespace {

using std::chrono::milliseconds;

// The last lines of what a program printed, as one line.
class LastLines {
 public:
  void add(std::string_view bytes) {
    constexpr std::size_t kAtHand = 4096;
    bytes_ += bytes;
    if (bytes_.size() > 2 * kAtHand) bytes_.erase(0, bytes_.size() - kAtHand);
  }
  // ": last lines", or nothing.
  std::string said() const {
    constexpr std::size_t kLines = 5;
    std::deque<std::string> lines;
    std::string_view rest = bytes_;
    while (lines.size() < kLines && !(rest = trimmed(rest)).empty()) {
      const auto before = rest.rfind('\n');
      lines.push_front(one_line(rest.substr(before + 1), 200));  // npos + 1: from its beginning
      rest = rest.substr(0, before == rest.npos ? 0 : before);
    }
    std::string all;
    for (const std::string& line : lines) all.append(all.empty() ? ": " : " / ").append(line);
    return all;
  }

 private:
  std::string bytes_;
};

// What is between those who ask and the thread that speaks with the program.
class Desk {
 public:
  // For those who ask.

  RpcMessage ask(const McpQuestion& question) {
    Waiting waiting;
    const Seat seat(*this, question.id, waiting);
    send(question.text);
    std::unique_lock lock(mutex_);
    while (true) {
      const McpPatience& patience = question.patience;
      const auto over = [&] { return waiting.answer || failure_; };
      const auto news = [&] { return over() || !waiting.progress.empty(); };
      waiting.changed.wait_until(lock, patience.stop, patience.until, news);
      const std::vector<Json> progress = std::exchange(waiting.progress, {});
      lock.unlock();
      for (const Json& one : progress)
        if (question.progressed) question.progressed(one);
      lock.lock();
      if (over() && !waiting.progress.empty()) continue;  // no more comes
      if (waiting.answer) return std::move(*waiting.answer);
      if (failure_) throw Error(*failure_);
      // One who never stops telling of progress does not keep us.
      if (patience.stop.stop_requested()) throw Error(Errc::cancelled, "cancelled");
      if (Instant::clock::now() >= patience.until) throw Error(Errc::timeout, "no answer in time");
    }
  }

  // Throws what ended the connection.
  void send(std::string_view text) {
    {
      const std::lock_guard lock(mutex_);
      if (failure_) throw Error(*failure_);
      to_send_.append(text) += '\n';
    }
    bell_.ring();
  }

  void leave() {
    {
      const std::lock_guard lock(mutex_);
      left_ = true;
    }
    bell_.ring();
  }

  bool lost() const {
    const std::lock_guard lock(mutex_);
    return failure_.has_value();
  }

  // For the thread.

  const Bell& bell() const noexcept { return bell_; }
  bool left() const {
    const std::lock_guard lock(mutex_);
    return left_;
  }
  // Adds to `bytes` what is to be sent.
  void take(std::string& bytes) {
    const std::lock_guard lock(mutex_);
    bytes += to_send_;
    to_send_.clear();
  }
  bool nothing_to_send() const {
    const std::lock_guard lock(mutex_);
    return to_send_.empty();
  }
  // An answer that nobody waits for any more is let go.
  void answer(std::int64_t id, RpcMessage message) {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return;
    found->second->answer = std::move(message);
    found->second->changed.notify_one();
  }
  void progress(std::int64_t id, Json params) {
    constexpr std::size_t kMost = 256;  // for one who does not come to hear them
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(id);
    if (found == waiting_.end() || found->second->answer) return;
    if (found->second->progress.size() >= kMost) return;
    found->second->progress.push_back(std::move(params));
    found->second->changed.notify_one();
  }
  void fail(Error error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
    for (const auto& [id, waiting] : waiting_) waiting->changed.notify_one();
  }

 private:
  struct Waiting {
    std::condition_variable_any changed{};
    std::optional<RpcMessage> answer{};
    std::vector<Json> progress{};
  };
  // A place among those who wait.
  class Seat {
   public:
    Seat(Desk& desk, std::int64_t id, Waiting& waiting) : desk_(desk), id_(id) {
      const std::lock_guard lock(desk_.mutex_);
      desk_.waiting_.emplace(id, &waiting);
    }
    ~Seat() {
      const std::lock_guard lock(desk_.mutex_);
      desk_.waiting_.erase(id_);
    }
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;

   private:
    Desk& desk_;
    const std::int64_t id_;
  };

  const Bell bell_;
  mutable std::mutex mutex_;
  // Guarded by mutex_, and so is what is in a Waiting.
  std::map<std::int64_t, Waiting*> waiting_;
  std::string to_send_;
  bool left_ = false;
  std::optional<Error> failure_;
};

// The thread's own: the program, and what is on its way to and from it.
class Conversation {
 public:
  Conversation(const ProgramLinkOptions& options, Desk& desk, const McpListener& listener)
      : options_(options),
        desk_(desk),
        listener_(listener),
        process_(options.start),
        lines_(options.max_message) {}

  // Until the link is left, or the connection is lost.
  void run() {
    try {
      while (!desk_.left()) {
        wait();
        desk_.bell().hush();
        read_errors();
        const bool ended = is_readable(process_.ended());
        read_output();
        write_input();
        if (ended || !output_open_ || process_.input() < 0)
          return fail(Errc::transport_error, "the server " + how_it_left());
        if (unsent_.size() > options_.max_unread)
          return fail(Errc::transport_error, "the server does not read what it is sent");
      }
    } catch (const Error& error) {
      fail(error.code(), error.what());
    } catch (const std::exception& error) {
      fail(Errc::unknown, error.what());
    }
  }

  // The program is asked to end; if it does not, it is killed with the conversation.
  void end() {
    if (process_.ended() < 0) return;
    hears_ = false;
    process_.close_input();
    if (has_ended_by(later(leave(), options_.close / 2))) return;
    process_.signal_all(SIGTERM);
    has_ended_by(later(leave(), options_.close));
  }

 private:
  // When the end began.
  Instant leave() {
    if (!left_at_) left_at_ = Instant::clock::now();
    return *left_at_;
  }

  // One that ends has closed its pipes a moment before.
  std::string how_it_left() {
    if (has_ended_by(later(leave(), options_.close / 2))) {
      process_.signal_all(SIGKILL);  // what it had started
      return process_.wait();
    }
    return output_open_ ? "has closed its standard input" : "has closed its standard output";
  }

  static bool is_readable(int descriptor) {
    pollfd look{.fd = descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&look, 1, 0) == 1;
  }

  void wait() {
    const bool to_write = !unsent_.empty() || !desk_.nothing_to_send();
    const auto room = static_cast<short>(to_write ? POLLOUT : 0);
    std::array<pollfd, 5> news{
        {{.fd = desk_.bell().descriptor(), .events = POLLIN, .revents = 0},
         {.fd = process_.ended(), .events = POLLIN, .revents = 0},
         {.fd = process_.output(), .events = POLLIN, .revents = 0},
         {.fd = errors_open_ ? process_.errors() : -1, .events = POLLIN, .revents = 0},
         {.fd = process_.input(), .events = room, .revents = 0}}};
    ::poll(news.data(), news.size(), -1);
    if ((news.back().revents & POLLERR) != 0) process_.close_input();  // nobody reads
  }

  // What is in a pipe, and not for ever what comes. False once nobody is left who could write more.
  template <class Take>
  static bool read_all(int descriptor, const Take& take) {
    constexpr int kMost = 64;  // times 16 KiB: as much as a pipe holds
    std::array<char, 16384> buffer;
    for (int round = 0; round < kMost; ++round) {
      const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
      if (got > 0) {
        take(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
      } else if (got == 0) {
        return false;
      } else if (errno != EINTR) {
        return errno == EAGAIN;
      }
    }
    return true;
  }

  void read_errors() {
    if (!errors_open_) return;
    errors_open_ =
        read_all(process_.errors(), [this](std::string_view bytes) { last_lines_.add(bytes); });
  }

  void read_output() {
    if (!output_open_) return;
    output_open_ = read_all(process_.output(), [this](std::string_view bytes) {
      if (!hears_) return;
      lines_.feed(bytes);
      for (std::string_view line; lines_.next(line);) take_line(line);
    });
  }

  // What does not even begin as a message was printed there by mistake, as many programs do.
  void take_line(std::string_view line) {
    const auto begin = line.find_first_not_of("[ ");
    if (begin == line.npos || line[begin] != '{') {
      last_lines_.add(line);
      last_lines_.add("\n");
      return;
    }
    for (RpcMessage& message : read_rpc(line)) take(std::move(message));
  }

  void take(RpcMessage message) {
    if (const auto id = message.answers()) return desk_.answer(*id, std::move(message));
    if (message.method == "notifications/progress" && message.body && message.body->is_object()) {
      const auto token = message.body->find("progressToken");
      if (token != message.body->end() && token->is_number_integer())
        return desk_.progress(token->get<std::int64_t>(), message.body);
    }
    if (const std::string reply = listener_(message); !reply.empty()) desk_.send(reply);
  }

  void write_input() {
    desk_.take(unsent_);
    std::size_t sent = 0;
    while (sent < unsent_.size() && process_.input() >= 0) {
      const ssize_t took = ::write(process_.input(), unsent_.data() + sent, unsent_.size() - sent);
      if (took < 0 && errno == EINTR) continue;
      if (took < 0 && errno == EAGAIN) break;
      if (took < 0) process_.close_input();
      if (took > 0) sent += static_cast<std::size_t>(took);
    }
    unsent_.erase(0, sent);
  }

  // True if it has.
  bool has_ended_by(Instant until) {
    while (!is_readable(process_.ended())) {
      const Instant now = Instant::clock::now();
      if (now >= until) return false;
      std::array<pollfd, 3> news{
          {{.fd = process_.ended(), .events = POLLIN, .revents = 0},
           {.fd = output_open_ ? process_.output() : -1, .events = POLLIN, .revents = 0},
           {.fd = errors_open_ ? process_.errors() : -1, .events = POLLIN, .revents = 0}}};
      const auto left = std::chrono::ceil<milliseconds>(until - now);
      ::poll(news.data(), news.size(),
             static_cast<int>(std::min(left, milliseconds(60'000)).count()));
      read_errors();  // so that it does not wait for us to read
      read_output();
    }
    return true;
  }

  void fail(Errc code, const std::string& what) {
    read_errors();
    desk_.fail(Error(code, what + last_lines_.said()));
  }

  const ProgramLinkOptions& options_;
  Desk& desk_;
  const McpListener& listener_;
  ChildProcess process_;
  NdjsonParser lines_;
  LastLines last_lines_;
  std::string unsent_;  // what the program has not taken yet
  bool output_open_ = true;
  bool errors_open_ = true;
  bool hears_ = true;  // what comes is for somebody
  std::optional<Instant> left_at_{};
};

class ProgramLink : public McpLink {
 public:
  ProgramLink(ProgramLinkOptions options, McpListener listener)
      : talk_(std::make_shared<Talk>(std::move(options), std::move(listener))) {
    std::promise<void> started;
    std::future<void> start = started.get_future();
    try {
      const SignalsBlocked blocked;
      thread_ = std::thread(
          [talk = talk_, told = std::move(started)]() mutable { talk->run(std::move(told)); });
    } catch (const std::system_error& error) {
      throw Error(Errc::unknown, "no thread can be started: " + std::string(error.what()));
    }
    try {
      start.get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }

  ~ProgramLink() override {
    if (fork_mark_.inherited()) {  // the thread is not in this process, the mutex may be held
      new std::shared_ptr<Talk>(std::move(talk_));
      new std::thread(std::move(thread_));
      return;
    }
    talk_->desk.leave();
    thread_.join();
  }

  std::optional<RpcMessage> ask(const McpQuestion& question) override {
    return talk_->desk.ask(question);
  }
  void tell(std::string text, const McpPatience&) override { talk_->desk.send(text); }
  void tell_later(std::string text) noexcept override {
    try {
      talk_->desk.send(text);
    } catch (const std::exception&) {  // nobody is there to hear it
    }
  }
  void agreed(const std::string&) override {}
  bool lost() const noexcept override { return talk_->desk.lost(); }
  std::string session() const override { return {}; }

 private:
  // Shared with the thread.
  struct Talk {
    const ProgramLinkOptions options;
    const McpListener listener;
    Desk desk;

    Talk(ProgramLinkOptions given, McpListener hear)
        : options(std::move(given)), listener(std::move(hear)) {}

    void run(std::promise<void> started) {
      std::optional<Conversation> conversation;
      try {
        conversation.emplace(options, desk, listener);
      } catch (...) {
        started.set_exception(std::current_exception());
        return;
      }
      started.set_value();
      conversation->run();
      conversation->end();
    }
  };

  const ForkMark fork_mark_{};
  std::shared_ptr<Talk> talk_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<McpLink> start_program_link(ProgramLinkOptions options, McpListener listener) {
  return std::make_unique<ProgramLink>(std::move(options), std::move(listener));
}

}  // namespace mellea
