// An HTTP/1.1 server on 127.0.0.1 that does as it is told, also what no good server does.
//
//   LoopbackServer server({Script::stream().chunk("data: hello\n\n").wait(20ms).cut()});
//   send_something_to(server.url("/v1/chat/completions"));
//
// Over TLS, with server_tls.h: LoopbackServer server({Script::answer(200, "")}, {.tls = tls});
#pragma once

#include <sys/types.h>

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
  Script& hold();       // until LoopbackServer::release()
  Script& close();      // closes the connection; over TLS with its goodbye
  Script& cut();        // closes it as one who dies: TLS says no goodbye
  Script& reset();      // the same, rudely: RST
  Script& hang();       // nothing more ever, and the connection stays open
  Script& start_tls();  // from here on, with ServerOptions::tls: a proxy's tunnel
  // Waits for so many bytes of what the client sends and leaves the rest in the socket, until the
  // next read() or the end of the script.
  Script& read(std::size_t bytes);

 private:
  friend class LoopbackServer;
  enum class Kind { write, wait, hold, close, cut, reset, hang, start_tls, read };
  struct Step {
    Kind kind = Kind::write;
    std::string bytes{};
    std::chrono::milliseconds time{0};
    std::size_t size = 0;
  };
  Script& add(Step step);

  std::vector<Step> steps_;
};

// How bytes pass over one connection that was accepted. For the server's thread.
class Channel {
 public:
  virtual ~Channel() = default;
  // As recv() and send() on a socket that does not block: -1 with errno EAGAIN means later.
  virtual ssize_t read(char* into, std::size_t size) = 0;
  virtual ssize_t write(std::string_view bytes) = 0;
  virtual void say_goodbye() = 0;
};

// What a server speaks TLS with. Made by server_tls().
class ServerTls {
 public:
  virtual ~ServerTls() = default;
  virtual std::unique_ptr<Channel> accept(int socket) const = 0;
};

struct ServerOptions {
  std::shared_ptr<const ServerTls> tls{};  // null: in the clear
  bool tls_at_once = true;                 // false: where a script says start_tls()
  Script greeting{};                       // for each connection, before its first request
  int port = 0;                            // 0: any that is free
};

// One thread of its own, any number of connections. May be used by all threads. The destructor
// closes everything.
class LoopbackServer {
 public:
  using Handler = std::function<Script(const ReceivedRequest&)>;

  // Asks `handler` what to do after each request, on the server's thread.
  explicit LoopbackServer(Handler handler, ServerOptions options = {});
  // One script a request, in the order of arrival; the last one is for all that follow.
  explicit LoopbackServer(std::vector<Script> scripts, ServerOptions options = {});
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  int port() const noexcept;
  std::string url(std::string_view path = "") const;  // "http://127.0.0.1:41234/path"
  std::string authority() const;                      // "127.0.0.1:41234"

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
