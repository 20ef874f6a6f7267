#include "mellea/backends/local_reply.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "mellea/backends/batch_reply.h"

namespace mellea {
namespace {

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
    if (wait_)
      wait_->wait(until);
    else
      answers_->wait(until);
  }

  bool when_ready(std::function<void()> wake) override {
    while (!has_news()) {
      if (wait_ ? wait_->when_ready(wake) : answers_->when_ready(wake)) return true;
      advance();
    }
    return false;
  }

  void cancel() noexcept override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (wait_) wait_->cancel();
    if (answers_) answers_->cancel();
  }

  StreamTimes times() const override {
    StreamTimes times = answers_ ? answers_->times() : StreamTimes{};
    if (ended_at_ != Instant{}) times.ended = ended_at_;
    return times;
  }

 private:
  struct Cancel {
    LocalReply* reply;
    void operator()() const noexcept { reply->cancel(); }
  };
  static constexpr int kMostTries = 3;  // more than runs of a server that keeps dying

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
    if (is_cancelled()) throw Error(Errc::cancelled, "local: cancelled");
    auto answers = start_batch({.requests = call_.posts.size(),
                                .stride = call_.choices,
                                .start = [this](std::size_t post) { return send(post); }});
    const std::lock_guard lock(mutex_);
    wait_.reset();
    answers_ = std::move(answers);
    if (cancelled_) answers_->cancel();
    return true;
  }

  std::unique_ptr<ReplyStream> send(std::size_t post) const {
    Request request{.limits = call_.limits, .headers = call_.headers};
    if (until_ != Instant::max())
      request.limits.whole =
          std::max(std::chrono::milliseconds(1),
                   std::chrono::ceil<std::chrono::milliseconds>(until_ - Instant::clock::now()));
    return server_here_->send(request, call_.posts[post], {});
  }

  bool read() {
    Chunk chunk;
    const Next next = answers_->try_next(chunk);
    if (next == Next::chunk) {
      delivered_ = delivered_ || !std::holds_alternative<Notice>(chunk.what);
      chunks_.push_back(std::move(chunk));
    }
    ended_ = next == Next::end;
    return next != Next::pending;
  }

  bool is_cancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_;
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
    answers_.reset();
    wait_ = std::move(wait);
    if (cancelled_) wait_->cancel();
  }

  void fail(const Error& error) {
    if (!answers_) ended_at_ = Instant::clock::now();
    failure_ = error;
  }

  void tell(Notice notice) {
    chunks_.push_back({.at = Instant::clock::now(), .index = -1, .what = std::move(notice)});
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

  std::mutex mutex_;
  std::shared_ptr<LlamaServerWait> wait_;  // null once it answers; changed with mutex_ held
  std::unique_ptr<ReplyStream> answers_;   // null until then; changed with mutex_ held
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
