#include "mellea/telemetry/prometheus_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mellea/core/descriptor.h"
#include "mellea/core/error.h"

namespace mellea::telemetry {
namespace {

class PrometheusServerTest : public testing::Test {
 protected:
  Descriptor connected() const {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(server_.port()));
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
  for (int at = 0; at < 15; ++at) silent.push_back(connected());
  EXPECT_TRUE(asked("GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
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
