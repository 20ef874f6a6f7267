#include "mellea/backends/http_reply.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "mellea/backends/secret.h"
#include "mellea/core/scope.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

// "...: refused (3 attempts): is it running? (ollama serve)"
Error given_up(const Error& error, const std::string& start_hint, const std::string& reason = {}) {
  const std::string_view what = error.what();
  std::string text(what);
  if (!reason.empty()) text += " (" + reason + ")";
  if (what.ends_with(": refused")) {
    text += ": is it running?";
    if (!start_hint.empty()) text += " (" + start_hint + ')';
  }
  return Error(error.code(), text, error.details());
}

constexpr std::size_t kMaxErrorBody = 64U << 10U;

// In [0, 1).
double random_fraction() { return static_cast<double>(Id::random().high >> 11U) * 0x1p-53; }

std::string request_id(const HttpHead& head) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "x-amzn-requestid",
       "x-global-transaction-id", "x-litellm-call-id"});
  for (const std::string_view name : kNames)
    if (const std::string_view id = head.header(name); !id.empty()) return std::string(id);
  return {};
}

bool is_ok(int status) { return status >= 200 && status < 300; }

class HttpReply final : public ReplyStream {
 public:
  HttpReply(const std::shared_ptr<Network>& network, HttpCall call, std::stop_token stop)
      : network_(network), call_(std::move(call)) {
    for (Notice& notice : call_.notices) tell(std::move(notice));
    HttpRequest& request = call_.request;
    secrets_ = secrets_in(request.headers);
    if (const auto whole = std::exchange(request.limits.whole, {}); whole.count() > 0)
      request.until = later(Instant::clock::now(), whole);
    if (stop.stop_requested()) {
      fail(Error(Errc::cancelled, call_.names->provider + ": cancelled"));
      return;
    }
    exchange_ = next_exchange(*network);
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
    if (!has_news()) exchange_->wait(until);
  }

  bool when_ready(std::function<void()> wake) override {
    while (!has_news()) {
      if (exchange_->when_ready(wake)) return true;
      advance();
    }
    return false;
  }

  void cancel() noexcept override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (exchange_) exchange_->cancel();
  }

  StreamTimes times() const override {
    const HttpTimes times = exchange_ ? exchange_->times() : HttpTimes{};
    return {.sent = times.sent,
            .ended = ended_at_ != Instant{} ? ended_at_ : times.ended,
            .paused = times.paused};
  }

 private:
  struct Cancel {
    HttpReply* reply;
    void operator()() const noexcept { reply->cancel(); }
  };

  bool has_news() const noexcept { return next_ < chunks_.size() || failure_ || ended_; }

  // One step of the exchange. False if there is none to be done now.
  bool advance() {
    HttpNext next = HttpNext::pending;
    try {
      next = exchange_->try_next();
    } catch (const Error& error) {
      lost(error);
      return true;
    }
    switch (next) {
      case HttpNext::pending: return false;
      case HttpNext::head: begin(); break;
      case HttpNext::bytes: take(); break;
      case HttpNext::end: end(); break;
    }
    return true;
  }

  void begin() {
    status_ = exchange_->head().status;
    if (!is_ok(status_)) return;
    decoder_ = call_.make_decoder();
    decoder_->head(exchange_->head().headers);
    decoder_->begin(exchange_->head().header("content-type"));
    tell_headers(exchange_->head());
  }

  void tell_headers(const HttpHead& head) {
    if (call_.told_in_headers.empty()) return;
    nlohmann::json told = nlohmann::json::object();
    for (const auto& [name, value] : head.headers)
      for (const std::string_view beginning : call_.told_in_headers)
        if (name.starts_with(beginning)) told[to_utf8(name)] = to_utf8(value);
    if (told.empty()) return;
    chunks_.push_back(
        {.at = Instant::clock::now(), .what = ResponseInfo{.metadata = Json(std::move(told))}});
  }

  void take() {
    if (!is_ok(status_)) {
      const std::string_view bytes = exchange_->bytes();
      error_body_ += bytes.substr(0, kMaxErrorBody - error_body_.size());
      if (error_body_.size() == kMaxErrorBody) refused();
      return;
    }
    const Instant at = exchange_->at();
    const bool fine = decode(at, [this, at] { decoder_->feed(exchange_->bytes(), at, chunks_); });
    if (!fine || !decoder_->ended()) return;
    ended_at_ = at;
    ended_ = true;
    exchange_->finish();
  }

  void end() {
    const Instant at = exchange_->times().ended;
    if (!is_ok(status_)) return refused();
    ended_ = decode(at, [this, at] { decoder_->end(at, chunks_); });
    if (ended_) ended_at_ = at;
  }

  // False if what came is a failure; then that has been seen to.
  template <class Step>
  bool decode(Instant at, const Step& step) {
    const std::size_t before = chunks_.size();
    try {
      step();
      delivered_ = delivered_ || chunks_.size() > before;
      return true;
    } catch (const Error& error) {
      delivered_ = delivered_ || chunks_.size() > before;
      ended_at_ = at;
      ErrorDetails details = error.details();
      if (details.request_id.empty()) details.request_id = request_id(exchange_->head());
      again_or_fail(Error(error.code(), error.what(), std::move(details)), true);
      return false;
    }
  }

  // The server has answered, but not with what was asked for.
  void refused() {
    const HttpHead& head = exchange_->head();
    ended_at_ = exchange_->times().ended;
    const auto asked = retry_after(head, std::chrono::system_clock::now());
    const Error error = answer_error(*call_.names, {.status = status_,
                                                    .body = error_body_,
                                                    .request_id = request_id(head),
                                                    .retry_after = asked});
    if (status_ == 401 && call_.tokens && !std::exchange(renewed_, true)) return renew(error);
    again_or_fail(error, head.header("x-should-retry") != "false");
  }

  // The token may have worn out sooner than it was said to.
  void renew(const Error& error) {
    call_.tokens->refused(token_);
    wait_ = {};
    tell_of_retry(error, {});
    start_again({});
  }

  void lost(const Error& error) {
    if (std::exchange(waits_, false)) return waited(error);
    const bool was_refused = status_ != 0 && !is_ok(status_);
    if (was_refused && error.code() == Errc::transport_error) return refused();
    ended_at_ = exchange_->times().ended;
    again_or_fail(from_network(error), true);
  }

  void again_or_fail(const Error& error, bool allowed) {
    if (!allowed || !error.retryable() || delivered_) return fail(error);
    const RetryDecision decision = decide(call_.retry,
                                          {.attempt = attempt_ - (renewed_ ? 1 : 0),
                                           .status = error.details().status,
                                           .connection_failed = error.retryable(),
                                           .asked = error.details().retry_after},
                                          random_fraction());
    if (!decision.again) return fail(given_up(error, call_.names->start_hint, decision.reason));
    const Instant until = call_.request.until;
    if (until != Instant{} && Instant::clock::now() + decision.delay >= until)
      return fail(given_up(error, call_.names->start_hint));
    tell_of_retry(error, decision.delay);
    start_again(decision.delay);
  }

  Error without_secrets(const Error& error) const {
    Error shown = without_secret(error, token_);
    for (const std::string& secret : secrets_) shown = without_secret(shown, secret);
    return shown;
  }

  void tell_of_retry(const Error& error, std::chrono::milliseconds delay) {
    tell({.kind = Notice::Kind::retry,
          .text = without_secrets(error).what(),
          .attempt = attempt_,
          .http_status = error.details().status,
          .category = error.code(),
          .delay = delay});
  }

  void start_again(std::chrono::milliseconds delay) {
    ++attempt_;
    call_.request.delay = delay;
    go_on();
  }

  void go_on() {
    const std::shared_ptr<Network> network = network_.lock();
    if (!network)
      return fail(Error(Errc::shutdown, call_.names->provider + ": the network was stopped"));
    std::shared_ptr<HttpExchange> exchange;
    try {
      exchange = next_exchange(*network);
    } catch (const Error& error) {
      return fail(error);
    }
    if (!exchange) return;
    status_ = 0;
    error_body_.clear();
    ended_at_ = {};
    const std::lock_guard lock(mutex_);
    exchange_.swap(exchange);
    if (cancelled_) exchange_->cancel();
  }

  // The next attempt, or, until its token is there, the wait for that. Null if the token can't be
  // had: then the reply has failed.
  std::shared_ptr<HttpExchange> next_exchange(Network& network) {
    while (call_.tokens) {
      if (take_token()) break;
      if (failure_) return nullptr;
      std::shared_ptr<HttpExchange> gate = start(network, never());
      const auto open = [weak = std::weak_ptr<HttpExchange>(gate)] {
        if (const auto opened = weak.lock()) opened->cancel();
      };
      if (!call_.tokens->when_news(wait_, open)) continue;
      waits_ = true;
      return gate;
    }
    HttpRequest request = call_.request;
    if (call_.tokens) request.headers.emplace_back("authorization", "Bearer " + token_);
    return start(network, std::move(request));
  }

  // What is wrong with the network is thrown, as by Network::start().
  bool take_token() {
    std::vector<Notice> notices;
    std::optional<std::string> token;
    std::optional<Error> failure;
    try {
      token = call_.tokens->token(wait_, notices);
    } catch (const Error& error) {
      if (error.code() == Errc::shutdown || error.code() == Errc::after_fork) throw;
      failure = error;
    }
    for (Notice& notice : notices) {
      if (notice.kind == Notice::Kind::retry) token_trouble_ = ": " + notice.text;
      tell(std::move(notice));
    }
    if (failure) fail(*failure);
    if (token) token_ = std::move(*token);
    return token.has_value();
  }

  // A request that is not sent: it only ends, with a cancel, with its time, or with the network, as
  // every other does, and so wakes the reader.
  HttpRequest never() const {
    return {.method = "GET",
            .url = call_.request.url,
            .until = call_.request.until,
            .delay = std::chrono::milliseconds::max()};
  }

  std::unique_ptr<HttpExchange> start(Network& network, HttpRequest request) const {
    try {
      return network.start(std::move(request));
    } catch (const Error& error) {
      throw from_network(error);
    }
  }

  // The wait for a token is over.
  void waited(const Error& error) {
    if (error.code() == Errc::timeout)
      fail(Error(Errc::timeout,
                 call_.names->provider + ": no token when its time was up" + token_trouble_));
    else if (error.code() != Errc::cancelled || is_cancelled())
      fail(from_network(error));
    else
      go_on();
  }

  bool is_cancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

  void fail(const Error& error) {
    failure_ = without_secrets(error);
    if (ended_at_ == Instant{}) ended_at_ = Instant::clock::now();
    if (exchange_) exchange_->cancel();
  }

  Error from_network(const Error& error) const {
    std::string what = call_.names->provider + ": " + error.what();
    if (delivered_) what += ": the text above is incomplete";
    return Error(error.code(), what, error.details());
  }

  void tell(Notice notice) {
    chunks_.push_back({.at = Instant::clock::now(), .index = -1, .what = std::move(notice)});
  }

  const std::weak_ptr<Network> network_;
  HttpCall call_;
  std::vector<std::string> secrets_;  // among its headers
  std::vector<Chunk> chunks_;         // decoded; given out up to next_
  std::size_t next_ = 0;
  std::optional<Error> failure_;  // thrown once the chunks are given out
  bool ended_ = false;            // well
  Instant ended_at_{};

  // Of the attempt that runs.
  int attempt_ = 1;
  int status_ = 0;          // 0 before its head
  bool delivered_ = false;  // something of the answer; then there is no other attempt
  std::unique_ptr<ReplyDecoder> decoder_;  // null before a head of status 2xx
  std::string error_body_;                 // of a status that is not 2xx
  std::string token_;                      // with which it was sent; empty if it needs none
  TokenSource::Wait wait_;                 // for it
  bool waits_ = false;                     // exchange_ is that wait
  std::string token_trouble_;              // why there is none yet, if that is known
  bool renewed_ = false;                   // a token was refused, and is not to be a second time

  std::mutex mutex_;
  std::shared_ptr<HttpExchange> exchange_;  // exchanged by the reader only, with mutex_ held
  bool cancelled_ = false;                  // guarded by mutex_
  std::optional<std::stop_callback<Cancel>> on_stop_;  // last, so that it goes first
};

}  // namespace

std::unique_ptr<ReplyStream> start_http_reply(const std::shared_ptr<Network>& network,
                                              HttpCall call, std::stop_token stop) {
  return std::make_unique<HttpReply>(network, std::move(call), std::move(stop));
}

}  // namespace mellea
