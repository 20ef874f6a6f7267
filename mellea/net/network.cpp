#include "mellea/net/network.h"

#include <chrono>
#include <mutex>
#include <utility>

#include "mellea/net/event_loop.h"
#include "mellea/net/transfer.h"

namespace mellea {
namespace {

// What a child of fork() inherited belongs to a thread that it has not, perhaps with a lock held:
// it is never destroyed.
template <typename T>
void leave_behind(std::shared_ptr<T>& inherited) {
  static_cast<void>(new std::shared_ptr<T>(std::move(inherited)));
}

[[noreturn]] void throw_after_fork() {
  throw Error(Errc::after_fork,
              "this connection belongs to the parent process: make a new Runtime after fork()");
}

}  // namespace

struct HttpExchange::State : Transfer {
  using Transfer::Transfer;
};

HttpExchange::HttpExchange(std::shared_ptr<State> state) : state_(std::move(state)) {}

HttpExchange::~HttpExchange() {
  if (state_->mark.inherited()) {
    leave_behind(state_);
  } else {
    static_cast<void>(state_->queue.take_wake());
    cancel();
  }
}

HttpNext HttpExchange::try_next() {
  if (state_->mark.inherited()) throw_after_fork();
  const HttpNext next = state_->queue.try_next();
  if (state_->queue.caught_up()) state_->loop->post(EventLoop::Command::resume, state_);
  return next;
}

const HttpHead& HttpExchange::head() const noexcept { return state_->queue.head(); }
std::string_view HttpExchange::bytes() const noexcept { return state_->queue.bytes(); }
Instant HttpExchange::at() const noexcept { return state_->queue.at(); }

void HttpExchange::wait(Instant until) {
  if (!state_->mark.inherited()) state_->queue.wait(until);
}

bool HttpExchange::when_ready(std::function<void()> wake) {
  return !state_->mark.inherited() && state_->queue.when_ready(std::move(wake));
}

void HttpExchange::cancel() noexcept {
  if (state_->mark.inherited()) return;
  const Error why(Errc::cancelled, state_->server + ": cancelled");
  if (state_->queue.close(why, std::chrono::steady_clock::now()))
    state_->loop->post(EventLoop::Command::drop, state_);
}

void HttpExchange::finish() noexcept {
  if (!state_->mark.inherited() && state_->queue.finish())
    state_->loop->post(EventLoop::Command::finish, state_);
}

HttpTimes HttpExchange::times() const {
  return state_->mark.inherited() ? HttpTimes{} : state_->queue.times();
}

struct Network::Loop : EventLoop {
  using EventLoop::EventLoop;

  // Most requests go where the last one went.
  std::shared_ptr<const Url> parsed(const std::string& url) {
    {
      const std::scoped_lock lock(last_mutex_);
      if (url == last_text_) return last_url_;
    }
    auto fresh = std::make_shared<const Url>(parse_url(url));
    const std::scoped_lock lock(last_mutex_);
    last_text_ = url;
    return last_url_ = std::move(fresh);
  }

  const ForkMark mark{};

 private:
  std::mutex last_mutex_;
  std::string last_text_;                // guarded by last_mutex_
  std::shared_ptr<const Url> last_url_;  // guarded by last_mutex_: last_text_ taken apart
};

Network::Network(std::function<void(const Notice&)> diagnostic)
    : loop_(std::make_shared<Loop>(std::move(diagnostic))) {}

Network::~Network() {
  if (loop_->mark.inherited())
    leave_behind(loop_);
  else
    stop();
}

std::unique_ptr<HttpExchange> Network::start(HttpRequest request) {
  if (loop_->mark.inherited()) throw_after_fork();
  auto url = loop_->parsed(request.url);
  auto state = std::make_shared<HttpExchange::State>(std::move(request), std::move(url), loop_);
  std::unique_ptr<HttpExchange> exchange(new HttpExchange(state));
  if (!loop_->post(EventLoop::Command::start, state))
    throw Error(Errc::shutdown, state->server + ": the network was stopped");
  return exchange;
}

void Network::stop() noexcept {
  if (!loop_->mark.inherited()) loop_->stop();
}

}  // namespace mellea
