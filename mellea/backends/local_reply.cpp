#include "mellea/backends/local_reply.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace mellea {
namespace {

// Several may wake a reader who is woken once.
std::function<void()> only_once(std::function<void()> wake) {
  struct Once {
    std::atomic<bool> done{false};
    std::function<void()> wake;
  };
  auto once = std::make_shared<Once>();
  once->wake = std::move(wake);
  return [once] {
    if (!once->done.exchange(true)) once->wake();
  };
}

// Blocks until it was called, or `until`.
class Call {
 public:
  void make() {
    {
      const std::lock_guard lock(mutex_);
      made_ = true;
    }
    changed_.notify_all();
  }
  void wait(Instant until) {
    std::unique_lock lock(mutex_);
    const auto made = [this] { return made_; };
    if (until == Instant::max())
      changed_.wait(lock, made);
    else
      changed_.wait_until(lock, until, made);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool made_ = false;  // guarded by mutex_
};

// The counts of both; what one of them does not tell is not known of both.
Usage sum(const Usage& a, const Usage& b) {
  const auto add = [](const auto& left, const auto& right) {
    return left && right ? std::optional(*left + *right) : std::nullopt;
  };
  return {.input_tokens = add(a.input_tokens, b.input_tokens),
          .output_tokens = add(a.output_tokens, b.output_tokens),
          .total_tokens = add(a.total_tokens, b.total_tokens),
          .cache_read_tokens = add(a.cache_read_tokens, b.cache_read_tokens),
          .cache_write_tokens = add(a.cache_write_tokens, b.cache_write_tokens),
          .reasoning_tokens = add(a.reasoning_tokens, b.reasoning_tokens)};
}

class LocalReply final : public ReplyStream {
 public:
  LocalReply(const std::shared_ptr<LlamaServer>& server, std::shared_ptr<Network> network,
             LocalCall call, std::stop_token stop)
      : server_(server), network_(std::move(network)), call_(std::move(call)) {
    if (call_.limits.whole.count() > 0) until_ = later(Instant::clock::now(), call_.limits.whole);
    for (HttpProvider::Post& post : call_.posts)
      for (Notice& notice : std::exchange(post.written.notices, {})) tell(std::move(notice));
    if (stop.stop_requested()) {
      fail(Error(Errc::cancelled, "local: cancelled"));
      return;
    }
    wait_ = server->up(0, until_);
    on_stop_.emplace(std::move(stop), Cancel{this});
  }

  Next try_next(Chunk& chunk) override {
    for (;;) {
      if (next_ < chunks_.size()) {
        chunk = std::move(chunks_[next_++]);
        return Next::chunk;
      }
      chunks_.clear();
      next_ = 0;
      if (failure_) throw Error(*failure_);
      if (ended_) return Next::end;
      if (!advance()) return Next::pending;
    }
  }

  void wait(Instant until) override {
    if (has_news()) return;
    if (wait_) return wait_->wait(until);
    if (open_.size() == 1) return open_.front().stream->wait(until);
    const auto call = std::make_shared<Call>();
    for (const Open& part : open_)
      if (!part.stream->when_ready([call] { call->make(); })) return;
    call->wait(until);
  }

  bool when_ready(std::function<void()> wake) override {
    wake = only_once(std::move(wake));
    while (!has_news()) {
      const bool waits = wait_ ? wait_->when_ready(wake)
                               : std::all_of(open_.begin(), open_.end(), [&](const Open& part) {
                                   return part.stream->when_ready(wake);
                                 });
      if (waits) return true;
      advance();
    }
    return false;
  }

  void cancel() noexcept override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (wait_) wait_->cancel();
    for (const Open& part : open_) part.stream->cancel();
  }

  StreamTimes times() const override {
    StreamTimes times = times_;
    for (const Open& part : open_) add(times, part.stream->times());
    if (ended_at_ != Instant{}) times.ended = ended_at_;
    return times;
  }

 private:
  struct Cancel {
    LocalReply* reply;
    void operator()() const noexcept { reply->cancel(); }
  };
  // One post that is being answered.
  struct Open {
    std::size_t post = 0;
    std::unique_ptr<ReplyStream> stream;
    std::optional<Usage> usage{};
  };
  static constexpr std::size_t kOpenAtOnce = 8;
  static constexpr int kMostTries = 3;  // more than runs of a server that keeps dying

  static void add(StreamTimes& times, const StreamTimes& more) {
    if (times.sent == Instant{} || (more.sent != Instant{} && more.sent < times.sent))
      times.sent = more.sent;
    times.ended = std::max(times.ended, more.ended);
    times.paused += more.paused;
  }

  bool has_news() const noexcept { return next_ < chunks_.size() || failure_ || ended_; }

  // One step. False if there is none to be done now.
  bool advance() {
    try {
      return wait_ ? arrive() : read();
    } catch (const Error& error) {
      lost(error);
      return true;
    }
  }

  // The server answers, or will not.
  bool arrive() {
    std::optional<LlamaServerAddress> address = wait_->try_get();
    if (!address) return false;
    if (address->notice) tell(std::move(*address->notice));
    run_ = address->run;
    server_here_.emplace(
        HttpProviderTraits{.provider = "local", .retry = {.retries = 0}},
        BackendOptions{
            .base_url = address->url + "/v1", .api_key = std::move(address->key), .proxy = ""},
        network_);
    {
      const std::lock_guard lock(mutex_);
      wait_.reset();
    }
    sent_ = 0;
    usage_.reset();
    send_more();
    return true;
  }

  void send_more() {
    while (sent_ < call_.posts.size() && open_.size() < kOpenAtOnce) {
      Request request{.limits = call_.limits, .headers = call_.headers};
      if (until_ != Instant::max())
        request.limits.whole =
            std::max(std::chrono::milliseconds(1),
                     std::chrono::ceil<std::chrono::milliseconds>(until_ - Instant::clock::now()));
      auto stream = server_here_->send(request, call_.posts[sent_], {});
      const std::lock_guard lock(mutex_);
      open_.push_back({.post = sent_++, .stream = std::move(stream)});
      if (cancelled_) open_.back().stream->cancel();
    }
  }

  bool read() {
    bool progress = false;
    for (std::size_t i = 0; i < open_.size();) {
      Chunk chunk;
      const Next next = open_[i].stream->try_next(chunk);
      progress = progress || next != Next::pending;
      if (next == Next::chunk) take(open_[i], std::move(chunk));
      if (next == Next::end)
        close(i);
      else
        ++i;
    }
    if (open_.empty()) end();
    return progress;
  }

  void take(Open& part, Chunk chunk) {
    if (const auto* usage = std::get_if<Usage>(&chunk.what); usage && call_.posts.size() > 1) {
      part.usage = part.usage ? updated(*part.usage, *usage) : *usage;
      return;
    }
    chunk.index += static_cast<int>(part.post) * call_.choices;
    delivered_ = delivered_ || !std::holds_alternative<Notice>(chunk.what);
    chunks_.push_back(std::move(chunk));
  }

  // The post was answered as a whole.
  void close(std::size_t i) {
    Open part = std::move(open_[i]);
    add(times_, part.stream->times());
    const Usage usage = part.usage.value_or(Usage{});
    usage_ = usage_ ? sum(*usage_, usage) : usage;
    {
      const std::lock_guard lock(mutex_);
      open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    send_more();
  }

  void end() {
    if (call_.posts.size() > 1 && *usage_ != Usage{})
      chunks_.push_back({.at = times_.ended, .what = *usage_});
    ended_ = true;
  }

  void lost(const Error& error) {
    const std::shared_ptr<LlamaServer> server = server_.lock();
    const bool again = !wait_ && !delivered_ && error.code() == Errc::transport_error &&
                       ++tries_ < kMostTries && server;
    std::shared_ptr<LlamaServerWait> wait;
    try {
      if (again) wait = server->up(run_, until_);
    } catch (const Error& refused) {
      return fail(refused);
    }
    if (!wait) return fail(error);
    tell({.kind = Notice::Kind::retry,
          .text = error.what(),
          .attempt = tries_,
          .category = error.code()});
    const std::lock_guard lock(mutex_);
    open_.clear();
    wait_ = std::move(wait);
    if (cancelled_) wait_->cancel();
  }

  void fail(const Error& error) {
    if (open_.empty() || wait_) ended_at_ = Instant::clock::now();
    failure_ = error;
    for (const Open& part : open_) part.stream->cancel();
  }

  void tell(Notice notice) {
    chunks_.push_back({.at = Instant::clock::now(), .what = std::move(notice)});
  }

  const std::weak_ptr<LlamaServer> server_;
  const std::shared_ptr<Network> network_;
  LocalCall call_;
  Instant until_ = Instant::max();
  std::vector<Chunk> chunks_;  // given out up to next_
  std::size_t next_ = 0;
  std::optional<Error> failure_;  // thrown once the chunks are given out
  bool ended_ = false;            // well
  Instant ended_at_{};            // without an answer
  bool delivered_ = false;        // something of the answer; then nothing is sent again
  int tries_ = 0;                 // that were lost

  // Of the run of the server that is spoken to.
  int run_ = 0;
  std::optional<HttpProvider> server_here_;
  std::size_t sent_ = 0;        // posts
  std::optional<Usage> usage_;  // of the posts that were answered
  StreamTimes times_;           // of them

  std::mutex mutex_;
  std::shared_ptr<LlamaServerWait> wait_;  // null once it answers; changed with mutex_ held
  std::vector<Open> open_;                 // changed with mutex_ held
  bool cancelled_ = false;                 // guarded by mutex_
  std::optional<std::stop_callback<Cancel>> on_stop_;  // last, so that it goes first
};

}  // namespace

std::unique_ptr<ReplyStream> start_local_reply(const std::shared_ptr<LlamaServer>& server,
                                               std::shared_ptr<Network> network, LocalCall call,
                                               std::stop_token stop) {
  return std::make_unique<LocalReply>(server, std::move(network), std::move(call), std::move(stop));
}

}  // namespace mellea
