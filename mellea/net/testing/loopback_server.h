// An HTTP/1.1 server on 127.0.0.1 that does as it is told, also what no good server does.
//
//   LoopbackServer server({Script::stream().chunk("data: hello\n\n").wait(20ms).cut()});
//   send_something_to(server.url("/v1/chat/completions"));
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/reply.h"
#include "mellea/core/request.h"

namespace mellea {

struct ReceivedRequest {
  std::string method{};
  std::string path{};  // with the query
  Headers headers{};   // names in lower case
  std::string body{};
  int connection = 0;  // by the order of accepting, from 0
  Instant at{};        // its last byte had arrived

  // The value of the first header of that name, which is given in lower case; empty if none.
  std::string_view header(std::string_view name) const noexcept;
};

// What the server does after one request, step by step. A script that just ends leaves the
// connection open for the next request.
class Script {
 public:
  // A whole answer, with its content-length.
  static Script answer(int status, std::string_view body, const Headers& headers = {});
  // The head of a chunked answer of server-sent events; chunk() and end() go on.
  static Script stream(const Headers& headers = {}, int status = 200);
  // Nothing yet: for bytes() and what else is wrong.
  static Script raw() { return {}; }

  Script& chunk(std::string_view data);                     // one HTTP chunk in one write
  Script& chunks(std::string_view data, std::size_t size);  // cut into chunks of `size` bytes
  Script& end();                                            // the last chunk
  Script& bytes(std::string bytes);                         // as they are, in one write
  Script& wait(std::chrono::milliseconds time);
  Script& hold();   // until LoopbackServer::release()
  Script& cut();    // closes the connection
  Script& reset();  // the same, rudely: RST
  Script& hang();   // nothing more ever, and the connection stays open

 private:
  friend class LoopbackServer;
  enum class Kind { write, wait, hold, cut, reset, hang };
  struct Step {
    Kind kind = Kind::write;
    std::string bytes{};
    std::chrono::milliseconds time{0};
  };
  Script& add(Step step);

  std::vector<Step> steps_;
};

// One thread of its own, any number of connections. May be used by all threads. The destructor
// closes everything.
class LoopbackServer {
 public:
  using Handler = std::function<Script(const ReceivedRequest&)>;

  // Asks `handler` what to do after each request, on the server's thread.
  explicit LoopbackServer(Handler handler);
  // One script a request, in the order of arrival; the last one is for all that follow.
  explicit LoopbackServer(std::vector<Script> scripts);
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  int port() const noexcept;
  std::string url(std::string_view path = "") const;  // "http://127.0.0.1:41234/path"

  std::vector<ReceivedRequest> requests() const;
  int connections() const;  // how many were ever accepted
  // False if fewer than `count` requests have arrived in time.
  bool wait_for_requests(std::size_t count,
                         std::chrono::milliseconds timeout = std::chrono::seconds(10)) const;
  // When the client closed the connection of that request, counted from 0; empty if it did not in
  // time.
  std::optional<Instant> wait_for_close(
      std::size_t request, std::chrono::milliseconds timeout = std::chrono::seconds(10)) const;
  // Lets all scripts go on that hold() now, or else the next one that comes to a hold().
  void release();

 private:
  struct Loop;
  const std::unique_ptr<Loop> loop_;
};

}  // namespace mellea
