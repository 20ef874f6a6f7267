#include "mellea/net/testing/loopback_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "mellea/core/signals.h"

namespace mellea {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

std::string head(int status, std::string_view framing, const Headers& headers) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  return (text += framing) += "\r\n\r\n";
}

std::string chunk_of(std::string_view data) {
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16).ptr;
  std::string text(size.data(), end);
  return ((text += "\r\n") += data) += "\r\n";
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

// Takes the first request off `in`, once all of it has come.
std::optional<ReceivedRequest> take_request(std::string& in) {
  const auto head_end = in.find("\r\n\r\n");
  if (head_end == in.npos) return {};
  ReceivedRequest request;
  std::string_view rest = std::string_view(in).substr(0, head_end + 2);
  const auto next_line = [&rest] {
    const auto end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    return line;
  };
  const std::string_view first = next_line();
  const auto space = first.find(' ');
  request.method = first.substr(0, space);
  request.path = first.substr(space + 1, first.rfind(' ') - space - 1);
  while (!rest.empty()) {
    const std::string_view line = next_line();
    const auto colon = line.find(':');
    const auto value = std::min(line.find_first_not_of(' ', colon + 1), line.size());
    request.headers.emplace_back(lower(line.substr(0, colon)), line.substr(value));
  }
  std::size_t size = 0;
  const std::string_view length = request.header("content-length");
  std::from_chars(length.data(), length.data() + length.size(), size);
  if (in.size() < head_end + 4 + size) return {};
  request.body = in.substr(head_end + 4, size);
  in.erase(0, head_end + 4 + size);
  request.at = steady_clock::now();
  return request;
}

class PlainChannel final : public Channel {
 public:
  explicit PlainChannel(int socket) : socket_(socket) {}
  ssize_t read(char* into, std::size_t size) override { return ::recv(socket_, into, size, 0); }
  ssize_t write(std::string_view bytes) override {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void say_goodbye() override {}

 private:
  const int socket_;
};

}  // namespace

std::string_view ReceivedRequest::header(std::string_view name) const noexcept {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

Script Script::answer(int status, std::string_view body, const Headers& headers) {
  Script script;
  script.bytes(
      head(status, "content-length: " + std::to_string(body.size()), headers).append(body));
  return script;
}

Script Script::stream(const Headers& headers, int status) {
  Script script;
  script.bytes(
      head(status, "content-type: text/event-stream\r\ntransfer-encoding: chunked", headers));
  return script;
}

Script& Script::add(Step step) {
  steps_.push_back(std::move(step));
  return *this;
}

Script& Script::chunk(std::string_view data) { return bytes(chunk_of(data)); }

Script& Script::chunks(std::string_view data, std::size_t size) {
  for (std::size_t at = 0; at < data.size(); at += size) chunk(data.substr(at, size));
  return *this;
}

Script& Script::end() { return bytes("0\r\n\r\n"); }
Script& Script::bytes(std::string bytes) {
  return add({.kind = Kind::write, .bytes = std::move(bytes)});
}
Script& Script::wait(milliseconds time) { return add({.kind = Kind::wait, .time = time}); }
Script& Script::hold() { return add({.kind = Kind::hold}); }
Script& Script::close() { return add({.kind = Kind::close}); }
Script& Script::cut() { return add({.kind = Kind::cut}); }
Script& Script::reset() { return add({.kind = Kind::reset}); }
Script& Script::hang() { return add({.kind = Kind::hang}); }
Script& Script::start_tls() { return add({.kind = Kind::start_tls}); }
Script& Script::read(std::size_t bytes) { return add({.kind = Kind::read, .size = bytes}); }

struct LoopbackServer::Loop {
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

  struct Connection {
    int socket = -1;
    std::unique_ptr<Channel> channel{};
    int number = 0;
    std::vector<std::size_t> requests{};  // by their indexes
    std::string in{};                     // bytes of requests not yet taken
    std::string_view out{};               // what is left of the current write
    Script script{};
    std::size_t next_step = 0;
    bool blocked = false;  // waits, holds, hangs or reads
    Instant due{};         // when a wait ends; zero: it does not wait
    std::size_t to_read = kAll;
    bool wants_to_write = false;
    unsigned watched = 0;   // what epoll was told
    bool given_up = false;  // TLS failed: it has been said why, and what comes is thrown away
  };

  Loop(Handler what_to_do, ServerOptions how);
  ~Loop();

  void run();
  int milliseconds_to_wait() const;
  void accept_all();
  void on_event(Connection& connection, unsigned events);
  bool read_all(Connection& connection);  // false if the client has closed
  void go_on(Connection& connection);
  bool flush(Connection& connection);  // true once all is written
  bool do_step(Connection& connection);
  bool take_next_request(Connection& connection);
  void give_up(Connection& connection);
  void watch(Connection& connection) const;
  void end_waits();
  void end_holds();
  void client_closed(Connection& connection);
  void close(Connection& connection);

  const Handler handler;
  const ServerOptions options;
  const int listener;
  const int epoll;
  const int wake_up;
  int port = 0;

  // The server thread's own.
  std::unordered_map<int, Connection> open{};  // by socket
  std::set<std::pair<Instant, int>> waits{};
  std::vector<int> holds{};

  mutable std::mutex mutex{};
  mutable std::condition_variable changed{};
  // Guarded by mutex.
  bool stopping = false;
  int releases = 0;
  int accepted = 0;
  std::vector<ReceivedRequest> requests{};
  std::vector<std::optional<Instant>> closes{};  // one a request

  std::thread thread{};
};

LoopbackServer::Loop::Loop(Handler what_to_do, ServerOptions how)
    : handler(std::move(what_to_do)),
      options(std::move(how)),
      listener(checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket")),
      epoll(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_up(checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  socklen_t size = sizeof(address);
  checked(::bind(listener, reinterpret_cast<const sockaddr*>(&address), size), "bind");
  checked(::listen(listener, 4096), "listen");
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  for (const int descriptor : {listener, wake_up}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
    checked(::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
  }
  const SignalsBlocked blocked;  // OpenSSL's writes may raise SIGPIPE
  thread = std::thread([this] { run(); });
}

LoopbackServer::Loop::~Loop() {
  {
    const std::scoped_lock lock(mutex);
    stopping = true;
  }
  ::eventfd_write(wake_up, 1);
  thread.join();
  for (const auto& [socket, connection] : open) ::close(socket);
  for (const int descriptor : {listener, epoll, wake_up}) ::close(descriptor);
}

void LoopbackServer::Loop::run() {
  ::pthread_setname_np(::pthread_self(), "loopback-server");
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count =
        ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), milliseconds_to_wait());
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == listener) {
        accept_all();
      } else if (event.data.fd == wake_up) {
        eventfd_t ignored = 0;
        ::eventfd_read(wake_up, &ignored);
      } else if (const auto found = open.find(event.data.fd); found != open.end()) {
        on_event(found->second, event.events);
      }
    }
    end_waits();
    end_holds();
    const std::scoped_lock lock(mutex);
    if (stopping) return;
  }
}

int LoopbackServer::Loop::milliseconds_to_wait() const {
  if (waits.empty()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(waits.begin()->first - steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void LoopbackServer::Loop::accept_all() {
  for (;;) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) return;
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    Connection& connection = open[socket];
    connection.socket = socket;
    connection.channel = options.tls && options.tls_at_once
                             ? options.tls->accept(socket)
                             : std::make_unique<PlainChannel>(socket);
    connection.script = options.greeting;
    epoll_event event{.events = 0, .data = {.fd = socket}};
    checked(::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event), "epoll_ctl");
    watch(connection);
    {
      const std::scoped_lock lock(mutex);
      connection.number = accepted++;
    }
    go_on(connection);
  }
}

void LoopbackServer::Loop::on_event(Connection& connection, unsigned events) {
  constexpr unsigned kClosed = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  if ((events & (EPOLLIN | kClosed)) != 0 &&
      (!read_all(connection) || (connection.to_read == 0 && (events & kClosed) != 0)))
    return client_closed(connection);
  go_on(connection);
}

bool LoopbackServer::Loop::read_all(Connection& connection) {
  std::array<char, 16384> buffer;
  while (connection.to_read > 0) {
    const auto count =
        connection.channel->read(buffer.data(), std::min(buffer.size(), connection.to_read));
    if (count == 0) return false;
    if (count < 0 && errno == EAGAIN) return true;
    if (count < 0 && (errno != EPROTO || connection.given_up)) return false;
    if (count < 0) {
      give_up(connection);
      continue;
    }
    const auto size = static_cast<std::size_t>(count);
    if (!connection.given_up) connection.in.append(buffer.data(), size);
    if (connection.to_read == kAll) continue;
    connection.to_read -= size;
    connection.blocked = connection.to_read > 0;
  }
  return true;
}

// A socket closed with bytes unread would be reset, and the client might not see why it was
// refused.
void LoopbackServer::Loop::give_up(Connection& connection) {
  connection.given_up = true;
  connection.blocked = true;
  connection.to_read = kAll;
  connection.channel = std::make_unique<PlainChannel>(connection.socket);
  ::shutdown(connection.socket, SHUT_WR);
}

void LoopbackServer::Loop::go_on(Connection& connection) {
  while (!connection.blocked && flush(connection)) {
    if (connection.next_step < connection.script.steps_.size()) {
      if (!do_step(connection)) return;
      continue;
    }
    if (std::exchange(connection.to_read, kAll) != kAll && !read_all(connection))
      return client_closed(connection);
    if (!take_next_request(connection)) break;
  }
  watch(connection);
}

bool LoopbackServer::Loop::flush(Connection& connection) {
  connection.wants_to_write = false;
  while (!connection.out.empty()) {
    const auto count = connection.channel->write(connection.out);
    if (count < 0) {
      connection.wants_to_write = errno == EAGAIN;
      return false;
    }
    connection.out.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void LoopbackServer::Loop::watch(Connection& connection) const {
  const unsigned events = EPOLLRDHUP | (connection.to_read > 0 ? EPOLLIN : 0U) |
                          (connection.wants_to_write ? EPOLLOUT : 0U);
  if (std::exchange(connection.watched, events) == events) return;
  epoll_event event{.events = events, .data = {.fd = connection.socket}};
  ::epoll_ctl(epoll, EPOLL_CTL_MOD, connection.socket, &event);
}

// Returns false if the connection is gone.
bool LoopbackServer::Loop::do_step(Connection& connection) {
  const Script::Step& step = connection.script.steps_[connection.next_step++];
  switch (step.kind) {
    case Script::Kind::write: connection.out = step.bytes; return true;
    case Script::Kind::wait:
      connection.due = steady_clock::now() + step.time;
      waits.emplace(connection.due, connection.socket);
      break;
    case Script::Kind::hold: holds.push_back(connection.socket); break;
    case Script::Kind::hang: break;
    case Script::Kind::reset: {
      const linger rudely{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(connection.socket, SOL_SOCKET, SO_LINGER, &rudely, sizeof(rudely));
      close(connection);
      return false;
    }
    case Script::Kind::close: connection.channel->say_goodbye(); [[fallthrough]];
    case Script::Kind::cut: close(connection); return false;
    case Script::Kind::start_tls:
      connection.channel = options.tls->accept(connection.socket);
      return true;
    case Script::Kind::read: connection.to_read = step.size; break;
  }
  connection.blocked = true;
  return true;
}

bool LoopbackServer::Loop::take_next_request(Connection& connection) {
  std::optional<ReceivedRequest> request = take_request(connection.in);
  if (!request) return false;
  request->connection = connection.number;
  {
    const std::scoped_lock lock(mutex);
    connection.requests.push_back(requests.size());
    requests.push_back(*request);
    closes.emplace_back();
  }
  changed.notify_all();
  connection.script = handler(*request);
  connection.next_step = 0;
  return true;
}

void LoopbackServer::Loop::end_waits() {
  const Instant now = steady_clock::now();
  while (!waits.empty() && waits.begin()->first <= now) {
    Connection& connection = open.at(waits.begin()->second);
    waits.erase(waits.begin());
    connection.due = {};
    connection.blocked = false;
    go_on(connection);
  }
}

void LoopbackServer::Loop::end_holds() {
  if (holds.empty()) return;
  {
    const std::scoped_lock lock(mutex);
    if (releases == 0) return;
    --releases;
  }
  for (const int socket : std::exchange(holds, {})) {
    Connection& connection = open.at(socket);
    connection.blocked = false;
    go_on(connection);
  }
}

void LoopbackServer::Loop::client_closed(Connection& connection) {
  {
    const std::scoped_lock lock(mutex);
    for (const std::size_t request : connection.requests) closes[request] = steady_clock::now();
  }
  changed.notify_all();
  close(connection);
}

void LoopbackServer::Loop::close(Connection& connection) {
  const int socket = connection.socket;
  waits.erase({connection.due, socket});
  std::erase(holds, socket);
  ::close(socket);
  open.erase(socket);
}

LoopbackServer::LoopbackServer(Handler handler, ServerOptions options)
    : loop_(std::make_unique<Loop>(std::move(handler), std::move(options))) {}

LoopbackServer::LoopbackServer(std::vector<Script> scripts, ServerOptions options)
    : LoopbackServer(
          [scripts = std::move(scripts), next = std::size_t{0}](const ReceivedRequest&) mutable {
            const std::size_t script = std::min(next++, scripts.size() - 1);
            return scripts.at(script);
          },
          std::move(options)) {}

LoopbackServer::~LoopbackServer() = default;

int LoopbackServer::port() const noexcept { return loop_->port; }

std::string LoopbackServer::url(std::string_view path) const {
  const bool tls = loop_->options.tls && loop_->options.tls_at_once;
  return (tls ? "https://" : "http://") + authority() + std::string(path);
}

std::string LoopbackServer::authority() const { return "127.0.0.1:" + std::to_string(loop_->port); }

std::vector<ReceivedRequest> LoopbackServer::requests() const {
  const std::scoped_lock lock(loop_->mutex);
  return loop_->requests;
}

int LoopbackServer::connections() const {
  const std::scoped_lock lock(loop_->mutex);
  return loop_->accepted;
}

bool LoopbackServer::wait_for_requests(std::size_t count, milliseconds timeout) const {
  std::unique_lock lock(loop_->mutex);
  return loop_->changed.wait_for(lock, timeout, [&] { return loop_->requests.size() >= count; });
}

std::optional<Instant> LoopbackServer::wait_for_close(std::size_t request,
                                                      milliseconds timeout) const {
  std::unique_lock lock(loop_->mutex);
  const auto& closes = loop_->closes;
  const auto closed = [&] { return request < closes.size() && closes[request].has_value(); };
  if (!loop_->changed.wait_for(lock, timeout, closed)) return {};
  return closes[request];
}

void LoopbackServer::release() {
  {
    const std::scoped_lock lock(loop_->mutex);
    ++loop_->releases;
  }
  ::eventfd_write(loop_->wake_up, 1);
}

}  // namespace mellea
