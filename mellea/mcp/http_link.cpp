#include "mellea/mcp/http_link.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"
#include "mellea/mcp/mcp_answers.h"
#include "mellea/net/sse.h"
#include "mellea/net/url.h"

namespace mellea {
namespace {

using std::chrono::milliseconds;

constexpr int kNotFound = 404;

bool is_ok(int status) noexcept { return status >= 200 && status < 300; }

// Of a content-type, without its parameters.
bool is_of_type(const HttpHead& head, std::string_view wanted) {
  const std::string_view type = head.header("content-type");
  return std::equal(
             wanted.begin(), wanted.end(), type.begin(),
             type.begin() + static_cast<std::ptrdiff_t>(std::min(wanted.size(), type.size())),
             [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); }) &&
         (type.size() <= wanted.size() || type.find_first_of("; \t") == wanted.size());
}

Errc code_of(int status) noexcept {
  switch (status) {
    case 401:
    case 403: return Errc::auth;
    case kNotFound:
    case 405: return Errc::not_found;
    case 408: return Errc::timeout;
    case 429: return Errc::rate_limit;
    default: return status >= 500 ? Errc::server_error : Errc::invalid_request;
  }
}

// What an error's body says: the message of a JSON-RPC error, or else all of it.
std::string told_in(const std::string& body) {
  try {
    for (const RpcMessage& message : read_rpc(body))
      if (message.kind == RpcMessage::Kind::error) return read_mcp_fault(message.body).message;
  } catch (const Error&) {  // it is no JSON-RPC
  }
  return body;
}

// One exchange, read to what somebody waits for. Used by one thread; `stop` cancels it.
class Reading {
 public:
  Reading(std::unique_ptr<HttpExchange> exchange, std::stop_token stop)
      : exchange_(std::move(exchange)),
        on_stop_(std::move(stop), [this] { exchange_->cancel(); }) {}

  // Blocks.
  HttpNext next() {
    while (true) {
      const HttpNext next = exchange_->try_next();
      if (next != HttpNext::pending) return next;
      exchange_->wait(Instant::max());
    }
  }
  const HttpHead& head() const noexcept { return exchange_->head(); }
  std::string_view bytes() const noexcept { return exchange_->bytes(); }
  void finish() noexcept { exchange_->finish(); }

  // What is left of it, at most `most` bytes.
  std::string rest(std::size_t most) {
    std::string body;
    while (next() == HttpNext::bytes && body.size() < most)
      body += bytes().substr(0, most - body.size());
    return body;
  }

 private:
  const std::unique_ptr<HttpExchange> exchange_;
  std::stop_callback<std::function<void()>> on_stop_;  // last, so that it goes first
};

class HttpLink : public McpLink {
 public:
  HttpLink(std::shared_ptr<Network> network, HttpLinkOptions options, McpListener listener)
      : network_(std::move(network)),
        options_(std::move(options)),
        shown_(parse_url(options_.url).shown),
        listener_(std::move(listener)) {}

  ~HttpLink() override {
    try {
      say_goodbye();
    } catch (const std::exception&) {  // it has gone before us, or does not answer
    }
  }

  std::optional<RpcMessage> ask(const McpQuestion& question) override {
    Wanted wanted{.question = question};
    HttpRequest request = post(question.text, question.patience);
    for (int fruitless = 0; fruitless < kMostFruitless;) {
      const std::string known = wanted.last_id;
      if (!attempt(std::move(request), wanted)) return {};
      if (wanted.answer) return std::move(wanted.answer);
      if (wanted.last_id.empty()) break;
      fruitless = wanted.last_id == known ? fruitless + 1 : 0;
      request = rest_of(wanted);
    }
    throw Error(Errc::transport_error, shown_ + ": the stream ended before the answer");
  }

  void tell(std::string text, const McpPatience& patience) override {
    Reading reading(network_->start(post(std::move(text), patience)), patience.stop);
    reading.next();
    if (!is_ok(reading.head().status)) refuse(reading);
    reading.finish();
  }

  void tell_later(std::string text) noexcept override {
    try {
      HttpRequest request = post(std::move(text), {});
      request.limits.whole = options_.connect;
      request.max_body = kMaxErrorBody;
      const std::lock_guard lock(mutex_);
      sweep();
      on_their_way_.push_back(network_->start(std::move(request)));
    } catch (const std::exception&) {  // nobody is there to hear it
    }
  }

  void agreed(const std::string& revision) override {
    const std::lock_guard lock(mutex_);
    revision_ = revision;
  }
  bool lost() const noexcept override { return forgotten_; }
  std::string session() const override {
    const std::lock_guard lock(mutex_);
    return session_;
  }

 private:
  static constexpr int kMostFruitless = 4;
  static constexpr std::size_t kMaxErrorBody = 64U << 10U;
  static constexpr std::size_t kMostOnTheirWay = 64;

  // The answer that somebody waits for.
  struct Wanted {
    const McpQuestion& question;
    std::optional<RpcMessage> answer{};
    // Of the stream that it comes by; no id: it is not to be had once more.
    std::string last_id{};
    milliseconds retry{1'000};
  };

  // False if the session is forgotten, and nothing was done. A stream that breaks off and can be
  // gone on with is no failure.
  bool attempt(HttpRequest request, Wanted& wanted) {
    const bool first = wanted.last_id.empty();
    try {
      Reading reading(network_->start(std::move(request)), wanted.question.patience.stop);
      reading.next();
      if (reading.head().status == kNotFound && !session().empty()) {
        forgotten_ = true;
        if (first) return false;
      }
      if (!is_ok(reading.head().status)) refuse(reading);
      keep_session(reading.head());
      if (is_of_type(reading.head(), "text/event-stream"))
        read_events(reading, wanted);
      else
        read_body(reading, wanted);
    } catch (const Error& error) {
      if (error.code() != Errc::transport_error || wanted.last_id.empty()) throw;
    }
    return true;
  }

  void read_body(Reading& reading, Wanted& wanted) {
    if (!is_of_type(reading.head(), "application/json"))
      throw Error(Errc::parse_error,
                  shown_ + ": answered " + std::to_string(reading.head().status) + " with " +
                      (reading.head().header("content-type").empty()
                           ? "nothing"
                           : one_line(reading.head().header("content-type"), 80)) +
                      " in place of JSON or events");
    const std::string body = reading.rest(options_.max_message + 1);
    if (body.size() > options_.max_message)
      throw Error(Errc::parse_error, shown_ + ": the answer is over " +
                                         std::to_string(options_.max_message) + " bytes");
    take(body, wanted);
    if (!wanted.answer)
      throw Error(Errc::parse_error, shown_ + ": answered something else: " + one_line(body));
  }

  void read_events(Reading& reading, Wanted& wanted) {
    SseParser events(options_.max_message);
    while (reading.next() == HttpNext::bytes) {
      events.feed(reading.bytes());
      for (SseEvent event; events.next(event);) {
        if (!event.data.empty()) take(event.data, wanted);
        if (wanted.answer) return reading.finish();
      }
      if (!events.last_id().empty()) wanted.last_id = events.last_id();
      wanted.retry = events.retry().value_or(wanted.retry);
    }
  }

  void take(std::string_view text, Wanted& wanted) {
    for (RpcMessage& message : read_rpc(text)) {
      if (message.answers() == wanted.question.id)
        wanted.answer = std::move(message);
      else if (message.method == "notifications/progress")
        progress(message, wanted.question);
      else if (std::string reply = listener_(message); !reply.empty())
        tell_later(std::move(reply));
    }
  }

  static void progress(const RpcMessage& message, const McpQuestion& question) {
    if (!message.body || !message.body->is_object() || !question.progressed) return;
    const auto token = message.body->find("progressToken");
    if (token != message.body->end() && *token == question.id) question.progressed(message.body);
  }

  // Before there is a revision only one question is asked, of which the answer has the id.
  void keep_session(const HttpHead& head) {
    const std::string_view id = head.header("mcp-session-id");
    const std::lock_guard lock(mutex_);
    if (!revision_.empty() || id.empty()) return;
    const bool visible =
        std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 127; });
    if (!visible) throw Error(Errc::parse_error, shown_ + ": the session's id is none");
    session_ = id;
  }

  [[noreturn]] void refuse(Reading& reading) const {
    const int status = reading.head().status;
    const std::string_view elsewhere = reading.head().header("location");
    const std::string said = elsewhere.empty() ? told_in(reading.rest(kMaxErrorBody))
                                               : "it is at " + std::string(elsewhere);
    throw Error(code_of(status),
                shown_ + ": " + std::to_string(status) +
                    (trimmed(said).empty() ? "" : ": " + one_line(said)),
                {.status = status, .provider_message = to_utf8(said)});
  }

  HttpRequest post(std::string text, const McpPatience& patience) const {
    HttpRequest request = any("POST", patience);
    request.headers.emplace_back("content-type", "application/json");
    request.headers.emplace_back("accept", "application/json, text/event-stream");
    request.body = std::make_shared<const std::string>(std::move(text));
    return request;
  }

  HttpRequest rest_of(const Wanted& wanted) const {
    HttpRequest request = any("GET", wanted.question.patience);
    request.headers.emplace_back("accept", "text/event-stream");
    request.headers.emplace_back("last-event-id", wanted.last_id);
    request.delay = wanted.retry;
    return request;
  }

  HttpRequest any(const char* method, const McpPatience& patience) const {
    HttpRequest request{.method = method,
                        .url = options_.url,
                        .headers = options_.headers,
                        .limits = {.connect = options_.connect, .first_byte = milliseconds(0)},
                        .until = patience.until == Instant::max() ? Instant{} : patience.until,
                        .max_body = std::size_t{1} << 40U};  // of a stream; messages are bounded
    const std::lock_guard lock(mutex_);
    if (!session_.empty()) request.headers.emplace_back("mcp-session-id", session_);
    if (!revision_.empty()) request.headers.emplace_back("mcp-protocol-version", revision_);
    return request;
  }

  // With mutex_ held: lets go of what has arrived, and of what is too old.
  void sweep() {
    on_their_way_.remove_if([](const auto& exchange) { return is_over(*exchange); });
    while (on_their_way_.size() >= kMostOnTheirWay) on_their_way_.pop_front();
  }

  static bool is_over(HttpExchange& exchange) {
    try {
      while (true) {
        const HttpNext next = exchange.try_next();
        if (next == HttpNext::pending || next == HttpNext::end) return next == HttpNext::end;
      }
    } catch (const Error&) {  // it did not arrive
      return true;
    }
  }

  void say_goodbye() {
    const Instant until = later(Instant::clock::now(), options_.close);
    if (!session().empty() && !forgotten_) {
      HttpRequest request = any("DELETE", {.until = until});
      request.max_body = kMaxErrorBody;
      on_their_way_.push_back(network_->start(std::move(request)));
    }
    for (const auto& exchange : on_their_way_)
      while (!is_over(*exchange) && Instant::clock::now() < until) exchange->wait(until);
  }

  const std::shared_ptr<Network> network_;
  const HttpLinkOptions options_;
  const std::string shown_;  // the URL
  const McpListener listener_;
  std::atomic<bool> forgotten_ = false;  // by the server

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::string session_;
  std::string revision_;
  std::list<std::unique_ptr<HttpExchange>> on_their_way_;  // what is told, and not yet taken
};

}  // namespace

std::unique_ptr<McpLink> start_http_link(std::shared_ptr<Network> network, HttpLinkOptions options,
                                         McpListener listener) {
  return std::make_unique<HttpLink>(std::move(network), std::move(options), std::move(listener));
}

}  // namespace mellea
