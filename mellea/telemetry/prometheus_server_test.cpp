#include "mellea/telemetry/prometheus_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <future>
#include <memory>

#include "mellea/core/descriptor.h"
#include "mellea/core/error.h"

namespace mellea::telemetry {
namespace {

class PrometheusServerTest : public testing::Test {
 protected:
  Descriptor connected() const { return connected_to(server_.port()); }
  static Descriptor connected_to(int port) {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  static void send(const Descriptor& socket, std::string_view text) {
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // All that comes until the server closes.
  static std::string received(const Descriptor& socket) {
    std::string all;
    char bytes[4096];
    for (ssize_t count = 0; (count = ::recv(socket.get(), bytes, sizeof bytes, 0)) > 0;)
      all.append(bytes, static_cast<std::size_t>(count));
    return all;
  }
  std::string asked(std::string_view request) const {
    const Descriptor socket = connected();
    send(socket, request);
    return received(socket);
  }

  PrometheusServer server_{{.port = 0}, [](PrometheusFormat format) {
                             return format == PrometheusFormat::text ? std::string("a 1\n")
                                                                     : "# EOF\n";
                           }};
};

TEST_F(PrometheusServerTest, ServesMetricsAsTheScraperLikesThem) {
  EXPECT_EQ(asked("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"
            "content-length: 4\r\nconnection: close\r\n\r\na 1\n");
  EXPECT_EQ(asked("GET /metrics?x=1 HTTP/1.1\r\nACCEPT: application/openmetrics-text\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: application/openmetrics-text; version=1.0.0; "
            "charset=utf-8\r\ncontent-length: 6\r\nconnection: close\r\n\r\n# EOF\n");
  EXPECT_TRUE(asked("HEAD /metrics HTTP/1.0\r\n\r\n").ends_with("close\r\n\r\n"));
}

TEST_F(PrometheusServerTest, ServesNothingElse) {
  EXPECT_TRUE(asked("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(asked("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(asked("hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(asked("\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

TEST_F(PrometheusServerTest, ARequestMayComeInPieces) {
  const Descriptor slow = connected();
  send(slow, "GET /met");
  EXPECT_TRUE(asked("GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
  send(slow, "rics HTTP/1.1\r\n\r");
  send(slow, "\n");
  EXPECT_TRUE(received(slow).starts_with("HTTP/1.1 200 "));
}

TEST_F(PrometheusServerTest, AHeadWithoutAnEndIsRefused) {
  const Descriptor socket = connected();
  const std::string part(1024, 'x');
  for (int at = 0; at < 8; ++at) send(socket, part);
  send(socket, "x");
  EXPECT_TRUE(received(socket).starts_with("HTTP/1.1 431 "));
}

TEST_F(PrometheusServerTest, WhoOnlyListensKeepsNobodyOut) {
  std::vector<Descriptor> silent;
  for (int at = 0; at < 40; ++at) silent.push_back(connected());
  EXPECT_TRUE(asked("GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_F(PrometheusServerTest, ALongPageArrivesWhole) {
  const std::string page(20'000'000, 'x');
  const PrometheusServer server({.port = 0}, [&](PrometheusFormat) { return page; });
  const Descriptor socket = connected_to(server.port());
  send(socket, "GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(received(socket).ends_with("\r\n\r\n" + page));
}

// The machine's clock of what this process used up.
std::chrono::nanoseconds used() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

TEST_F(PrometheusServerTest, OutOfDescriptorsItWaitsForSome) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Descriptor last_free(::dup(0));
  const rlimit none{static_cast<rlim_t>(last_free.get()) + 1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(server_.port()));
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  send(socket, "GET /metrics HTTP/1.1\r\n\r\n");
  const auto start = used();
  pollfd answer{socket.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&answer, 1, 300), 0);  // it can't be let in
  EXPECT_LT(used() - start, std::chrono::milliseconds(30));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(received(socket).starts_with("HTTP/1.1 200 "));
}

TEST_F(PrometheusServerTest, AStopLeavesBehindWhatTakesTooLong) {
  struct Gate {
    std::promise<void> inside;
    std::promise<void> go_on;
  };
  const auto gate = std::make_shared<Gate>();
  PrometheusServer server({.port = 0}, [gate](PrometheusFormat) {
    gate->inside.set_value();
    gate->go_on.get_future().wait();
    return std::string();
  });
  const Descriptor socket = connected_to(server.port());
  send(socket, "GET /metrics HTTP/1.1\r\n\r\n");
  gate->inside.get_future().wait();
  const Instant until = Instant::clock::now() + std::chrono::milliseconds(20);
  server.stop(until);
  EXPECT_GE(Instant::clock::now(), until);
  gate->go_on.set_value();
  EXPECT_TRUE(received(socket).starts_with("HTTP/1.1 200 "));
}

TEST_F(PrometheusServerTest, AStopFreesThePort) {
  PrometheusServer server({.port = 0}, {});
  server.stop(Instant::clock::now() + std::chrono::seconds(30));
  const PrometheusServer next({.port = server.port()}, {});
  EXPECT_EQ(next.port(), server.port());
}

// Or the port would be taken for as long as any child lives.
TEST_F(PrometheusServerTest, AChildOfForkLetsGoOfThePort) {
  auto server =
      std::make_unique<PrometheusServer>(PrometheusEndpoint{.port = 0}, PrometheusServer::Render());
  const int port = server->port();
  std::array<int, 2> ready{};
  std::array<int, 2> done{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  ASSERT_EQ(::pipe(done.data()), 0);
  const pid_t child = ::fork();
  char byte = 0;
  if (child == 0) {
    server = nullptr;
    ::close(done[1]);
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    ::_exit(::read(done[0], &byte, 1) == 0 ? 0 : 2);
  }
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  server = nullptr;
  EXPECT_NO_THROW(PrometheusServer({.port = port}, {}));
  for (const int one : {ready[0], ready[1], done[0], done[1]}) ::close(one);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(PrometheusServerTest, APortThatIsTakenIsAnError) {
  try {
    PrometheusServer second({.port = server_.port()}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), "metrics can't be served at 127.0.0.1:" +
                                std::to_string(server_.port()) + ": Address already in use");
  }
  EXPECT_THROW(PrometheusServer({.host = "192.0.2.1"}, {}), Error);  // nobody's address
}

}  // namespace
}  // namespace mellea::telemetry
