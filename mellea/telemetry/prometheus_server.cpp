#include "mellea/telemetry/prometheus_server.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "mellea/core/descriptor.h"
#include "mellea/core/error.h"
#include "mellea/core/fork.h"
#include "mellea/core/instant.h"
#include "mellea/core/signals.h"
#include "mellea/core/text.h"

namespace mellea::telemetry {
namespace {

constexpr std::size_t kMostConnections = 16;
constexpr std::size_t kLongestHead = 8U << 10U;
constexpr auto kForEach = std::chrono::seconds(10);
constexpr auto kForTheLast = std::chrono::seconds(1);
constexpr auto kPause = std::chrono::seconds(1);  // where the machine has no room for a connection

std::string shown(const PrometheusEndpoint& endpoint) {
  return endpoint.host + ":" + std::to_string(endpoint.port);
}

[[noreturn]] void fail(const PrometheusEndpoint& endpoint, const std::string& why) {
  throw Error(Errc::invalid_request, "metrics can't be served at " + shown(endpoint) + ": " + why);
}

// A socket that listens at the first address of the host that lets it.
Descriptor listener(const PrometheusEndpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed =
      ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (failed != 0) fail(endpoint, ::gai_strerror(failed));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> freed(found, ::freeaddrinfo);
  int error = 0;
  for (const addrinfo* one = found; one; one = one->ai_next) {
    Descriptor socket(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int yes = 1;
    if (socket.get() >= 0 &&
        ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        ::bind(socket.get(), one->ai_addr, one->ai_addrlen) == 0 && ::listen(socket.get(), 16) == 0)
      return socket;
    error = errno;
  }
  fail(endpoint, std::generic_category().message(error));
}

int port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, nullptr, 0, port.data(),
                    port.size(), NI_NUMERICSERV) != 0)
    return 0;
  return std::stoi(port.data());
}

bool is_header(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
         });
}

// The value of a header in what came after the first line; several are one list.
std::string header_of(std::string_view head, std::string_view name) {
  std::string value;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find('\n'), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 1, head.size()));
    if (is_header(line, name))
      value.append(value.empty() ? "" : ",").append(trimmed(line.substr(name.size() + 1)));
  }
  return value;
}

std::string answer(std::string_view status, std::string_view type, const std::string& body,
                   bool with_body, std::string_view more = {}) {
  std::string text = "HTTP/1.1 ";
  text.append(status).append("\r\ncontent-type: ").append(type);
  text.append("\r\ncontent-length: ").append(std::to_string(body.size()));
  text.append("\r\nconnection: close\r\n").append(more).append("\r\n");
  return with_body ? text + body : text;
}

std::string answer_to(std::string_view head, const PrometheusServer::Render& render) {
  constexpr std::string_view kPlain = "text/plain; charset=utf-8";
  const std::size_t end_of_line = std::min(head.find("\r\n"), head.size());
  const std::string_view line = head.substr(0, end_of_line);
  const std::size_t blank = line.find(' ');
  const std::size_t second = line.find(' ', std::min(blank, line.size() - 1) + 1);
  if (blank == std::string_view::npos || second == std::string_view::npos)
    return answer("400 Bad Request", kPlain, "this is no HTTP\n", true);
  const std::string_view method = line.substr(0, blank);
  std::string_view path = line.substr(blank + 1, second - blank - 1);
  path = path.substr(0, path.find('?'));
  if (method != "GET" && method != "HEAD")
    return answer("405 Method Not Allowed", kPlain, "GET it\n", true, "allow: GET, HEAD\r\n");
  if (path != "/metrics")
    return answer("404 Not Found", kPlain, "metrics are at /metrics\n", method == "GET");
  const PrometheusFormat format = preferred_format(header_of(head.substr(end_of_line), "accept"));
  return answer("200 OK", content_type(format), render(format), method == "GET");
}

}  // namespace

class PrometheusServer::Loop {
 public:
  Loop(const PrometheusEndpoint& endpoint, Render render)
      : render_(std::move(render)),
        stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        listener_(listener(endpoint)),
        port_(port_of(listener_.get())) {
    if (!stop_) fail(endpoint, "there is no descriptor left");
  }

  bool inherited() const noexcept { return fork_.inherited(); }
  int port() const noexcept { return port_; }

  // On the thread.
  void run() noexcept {
    while (serve_once()) {
    }
    connections_.clear();
    const std::lock_guard lock(mutex_);
    ended_ = true;
    over_.notify_all();
  }

  // False if the thread has not ended by `until`.
  bool stop(Instant until) noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(::write(stop_.get(), &one, sizeof one) == 0);
    std::unique_lock lock(mutex_);
    return over_.wait_until(lock, until, [&] { return ended_; });
  }

  // There is no thread any more.
  void stop_listening() noexcept { listener_ = Descriptor(); }

 private:
  struct Connection {
    Descriptor socket;
    Instant until{};
    std::string head{};
    std::string answer{};  // empty: it has not yet asked
    std::size_t sent = 0;  // of the answer
  };

  // False if it is to stop.
  bool serve_once() noexcept {
    std::array<pollfd, kMostConnections + 2> waited{};
    Instant next = Instant::max();
    const bool pausing = Instant::clock::now() < accept_from_;
    if (pausing) next = accept_from_;
    waited[0] = {stop_.get(), POLLIN, 0};
    waited[1] = {pausing ? -1 : listener_.get(), POLLIN, 0};
    std::size_t count = 2;
    for (const Connection& one : connections_) {
      waited[count++] = {one.socket.get(), one.answer.empty() ? short{POLLIN} : short{POLLOUT}, 0};
      next = std::min(next, one.until);
    }
    if (::poll(waited.data(), count, milliseconds_to(next)) < 0) return true;
    if (waited[0].revents != 0) return false;
    std::size_t at = 2;
    for (auto one = connections_.begin(); one != connections_.end(); ++at)
      one = waited[at].revents != 0 && !goes_on(*one) ? connections_.erase(one) : std::next(one);
    const Instant now = Instant::clock::now();
    std::erase_if(connections_, [&](const Connection& one) { return one.until <= now; });
    if (waited[1].revents != 0) accept(now);
    return true;
  }

  static int milliseconds_to(Instant when) {
    if (when == Instant::max()) return -1;
    using std::chrono::milliseconds;
    const auto left = std::chrono::ceil<milliseconds>(when - Instant::clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

  // Who could not be let in waits at the door, and would wake us again at once.
  void accept(Instant now) noexcept {
    try {
      Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket) {
        make_room();
        connections_.push_back({std::move(socket), now + kForEach});
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        accept_from_ = now + kPause;
      }
    } catch (...) {  // no memory
      accept_from_ = now + kPause;
    }
  }

  // The oldest goes, first of all one that asked for nothing so far.
  void make_room() {
    if (connections_.size() < kMostConnections) return;
    const auto silent = std::find_if(connections_.begin(), connections_.end(),
                                     [](const Connection& one) { return one.answer.empty(); });
    connections_.erase(silent == connections_.end() ? connections_.begin() : silent);
  }

  // False if it is over.
  bool goes_on(Connection& one) noexcept {
    try {
      return go_on(one);
    } catch (...) {  // no memory for the page: who asks will ask again
      return false;
    }
  }

  bool go_on(Connection& one) {
    if (!one.answer.empty()) return send(one);
    std::array<char, 2048> bytes{};
    const ssize_t count = ::recv(one.socket.get(), bytes.data(), bytes.size(), 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    one.head.append(bytes.data(), static_cast<std::size_t>(count));
    if (one.head.find("\r\n\r\n") != std::string::npos)
      one.answer = answer_to(one.head, render_);
    else if (one.head.size() > kLongestHead)
      one.answer = answer("431 Request Header Fields Too Large", "text/plain", "", true);
    return one.answer.empty() || send(one);
  }

  static bool send(Connection& one) {
    const std::string_view rest = std::string_view(one.answer).substr(one.sent);
    const ssize_t count = ::send(one.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    one.sent += static_cast<std::size_t>(count);
    if (one.sent < one.answer.size()) return true;
    ::shutdown(one.socket.get(), SHUT_WR);
    return false;
  }

  const Render render_;
  const ForkMark fork_;
  const Descriptor stop_;
  Descriptor listener_;  // this and the next two are the thread's own while there is one
  std::list<Connection> connections_;
  Instant accept_from_{};  // nobody is let in before
  const int port_;
  std::mutex mutex_;
  std::condition_variable over_;
  bool ended_ = false;  // guarded by mutex_: the thread touches nothing any more
};

PrometheusServer::PrometheusServer(const PrometheusEndpoint& endpoint, Render render)
    : loop_(std::make_shared<Loop>(endpoint, std::move(render))) {
  const SignalsBlocked blocked;
  thread_ = std::thread([loop = loop_] { loop->run(); });
}

PrometheusServer::~PrometheusServer() {
  stop(Instant::clock::now() + kForTheLast);
  if (!thread_.joinable()) return;
  // A child of fork(), in which there is no such thread to let go of the rest.
  thread_.detach();
  loop_->stop_listening();
}

int PrometheusServer::port() const noexcept { return loop_->port(); }

void PrometheusServer::stop(Instant until) noexcept {
  if (loop_->inherited() || !thread_.joinable()) return;
  if (loop_->stop(until)) {
    thread_.join();
    loop_->stop_listening();
  } else {
    thread_.detach();
  }
}

}  // namespace mellea::telemetry
