// HTTP over one event-loop thread: requests go in, heads and bytes come out.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mellea/core/reply.h"
#include "mellea/core/request.h"

namespace mellea {

struct HttpRequest {
  std::string method = "POST";
  std::string url{};
  Headers headers{};
  std::shared_ptr<const std::string> body{};  // shared, so that a retry copies nothing; null: none
  Limits limits{};
  Instant until{};                     // the end of it all, beside limits.whole; zero: none
  std::chrono::milliseconds delay{0};  // before it is sent; no thread waits meanwhile
  std::size_t max_body = 256U << 20U;  // bytes; a longer answer is an error
  std::string ca_file{};               // PEM; empty: the system's certificates
  std::string certificate_file{};      // PEM, the client's own; empty: none
  std::string key_file{};              // PEM, without a password; empty: in certificate_file
  // "http://user:password@host:port", also socks5h://, with no regard to no_proxy; "": none. If it
  // is not set, the environment's: http_proxy, https_proxy, all_proxy and no_proxy, as curl has it.
  std::optional<std::string> proxy{};
  // Offers HTTP/2 where there is TLS; HTTP/1.1 if the server knows no better, and always without
  // TLS. Streams then share a connection, with libcurl 8.14 and newer: older ones were seen to mix
  // up streams, so there each has its own. A stream that nobody reads is held back by libcurl,
  // which may buffer what the server was allowed to send ahead: 32 MiB. HTTP/1.1 has no such
  // buffer.
  bool http2 = false;
};

struct HttpHead {
  int status = 0;
  Headers headers{};  // names in lower case

  // The value of the first header of that name, which is given in lower case; empty if none.
  std::string_view header(std::string_view name) const noexcept;
};

struct HttpTimes {
  Instant sent{};   // the last byte of the request had left
  Instant ended{};  // the last byte of the answer, or the failure
  std::chrono::nanoseconds paused{0};
};

enum class HttpNext { head, bytes, pending, end };

// One request and its answer. Redirects are not followed: they are answers. Of its limits, the one
// for the first byte begins when the request has left, anew if more of it has left by its end, and
// ends with the first line of the answer; silence is counted from one line of the head, or piece of
// the body, to the next. Used by one thread at a time, cancel() by any. The destructor cancels and
// does not wait. An exchange keeps what it needs of its Network.
class HttpExchange {
 public:
  ~HttpExchange();
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  // Never blocks. First the head, once; then bytes as they arrived; then end. Throws Error, again
  // at each call, after what had arrived before the failure was given out: Errc::transport_error,
  // timeout, cancelled, shutdown, after_fork.
  HttpNext try_next();
  const HttpHead& head() const noexcept;    // once try_next has said head
  std::string_view bytes() const noexcept;  // after try_next has said bytes, until its next call
  Instant at() const noexcept;              // when they arrived

  // Blocks until try_next would not say pending, or `until`; may return early.
  void wait(Instant until);
  // False if try_next would not say pending now; then `wake` is not kept. Else `wake` is called
  // once, on the loop's thread: it must not block, throw, or call back into the exchange.
  [[nodiscard]] bool when_ready(std::function<void()> wake);

  // Returns at once; the socket closes within milliseconds.
  void cancel() noexcept;
  // The caller has all it wants: what is left of the answer is read for at most 100 ms, so that the
  // connection can be used again, and thrown away.
  void finish() noexcept;

  HttpTimes times() const;  // whole once try_next has said end or thrown

 private:
  friend class Network;
  struct State;
  explicit HttpExchange(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// The loop thread and the connections. Any thread may start requests.
class Network {
 public:
  // `diagnostic` is called on the loop thread; it must not block.
  explicit Network(std::function<void(const Notice&)> diagnostic = {});
  ~Network();  // as stop()
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Throws Error: Errc::invalid_request for a URL that is none, shutdown after stop(), after_fork.
  std::unique_ptr<HttpExchange> start(HttpRequest request);

  // Open exchanges fail with Errc::shutdown; the thread has ended when this returns. In a child of
  // fork() it touches nothing.
  void stop() noexcept;

 private:
  struct Loop;
  std::shared_ptr<Loop> loop_;
};

}  // namespace mellea
