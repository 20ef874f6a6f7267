// A proxy's tunnel: CONNECT, and TLS inside.
#include <gtest/gtest.h>

#include <string>

#include "mellea/net/exchange_for_test.h"
#include "mellea/net/network.h"
#include "mellea/net/testing/certificates.h"
#include "mellea/net/testing/loopback_server.h"
#include "mellea/net/testing/server_tls.h"

namespace mellea {
namespace {

class TunnelTest : public testing::Test {
 protected:
  // The proxy and, through it, the server.
  LoopbackServer tunnel(const Certificate& certificate) {
    return LoopbackServer(
        [](const ReceivedRequest& request) {
          if (request.method != "CONNECT") return Script::answer(200, "through the tunnel");
          return Script::raw().bytes("HTTP/1.1 200 Connected\r\nVia: x\r\n\r\n").start_tls();
        },
        {.tls = server_tls(certificate), .tls_at_once = false});
  }
  Outcome run(const LoopbackServer& proxy) {
    return finish(*network_.start({.url = "https://model.test/v1",
                                   .headers = {{"Authorization", "Bearer k"}},
                                   .body = shared("{}"),
                                   .ca_file = ca_file_.path(),
                                   .proxy = "http://me:s3cret@" + proxy.authority()}));
  }

  const CertificateAuthority authority_;
  const TemporaryFile ca_file_{authority_.certificate()};
  Network network_;
};

TEST_F(TunnelTest, KeepsWhatIsTheProxysFromTheServerAndTheOtherWayRound) {
  const LoopbackServer proxy = tunnel(authority_.issue({.names = {"DNS:model.test"}}));
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = run(proxy);
    EXPECT_EQ(outcome.body, "through the tunnel") << outcome.what();
    EXPECT_EQ(outcome.head.header("via"), "");
  }
  const auto seen = proxy.requests();
  ASSERT_EQ(seen.size(), 3U);  // one tunnel
  EXPECT_EQ(seen[0].path, "model.test:443");
  EXPECT_EQ(seen[0].header("proxy-authorization"), "Basic bWU6czNjcmV0");
  EXPECT_EQ(seen[0].header("authorization"), "");
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_EQ(seen[i].path, "/v1");
    EXPECT_EQ(seen[i].header("proxy-authorization"), "");
    EXPECT_EQ(seen[i].header("authorization"), "Bearer k");
    EXPECT_EQ(seen[i].body, "{}");
  }
}

TEST_F(TunnelTest, TheServersCertificateIsCheckedInside) {
  const LoopbackServer proxy = tunnel(self_signed({.names = {"DNS:model.test"}}));
  const Outcome outcome = run(proxy);
  EXPECT_EQ(outcome.what(),
            "model.test:443: the server's certificate is not valid: self-signed certificate");
  EXPECT_EQ(proxy.requests().size(), 1U);
}

}  // namespace
}  // namespace mellea
