// Over TLS: who is spoken to, who is not, and what is said about it.
#include <gtest/gtest.h>

#include <future>

#include "mellea/net/exchange_for_test.h"
#include "mellea/net/network.h"
#include "mellea/net/testing/certificates.h"
#include "mellea/net/testing/loopback_server.h"
#include "mellea/net/testing/server_tls.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

// A server that answers "hello", with a certificate of that kind.
LoopbackServer answering(const Certificate& certificate, const ServerTlsOptions& options = {}) {
  return LoopbackServer({Script::answer(200, "hello")}, {.tls = server_tls(certificate, options)});
}

class TlsTest : public testing::Test {
 protected:
  // Trusts the authority.
  HttpRequest request(const std::string& url) const {
    return {.url = url, .body = shared("{}"), .ca_file = ca_file_.path()};
  }
  Outcome run(HttpRequest request) { return finish(*network_.start(std::move(request))); }
  Outcome run(const LoopbackServer& server) { return run(request(server.url("/v1"))); }

  const CertificateAuthority authority_;
  const TemporaryFile ca_file_{authority_.certificate()};
  Network network_;
};

TEST_F(TlsTest, AServerOfATrustedAuthorityIsSpokenTo) {
  const LoopbackServer server = answering(authority_.issue());
  for (const char* host : {"127.0.0.1:", "localhost:"}) {
    const Outcome outcome =
        run(request("https://" + (host + std::to_string(server.port())) + "/v1"));
    EXPECT_EQ(outcome.body, "hello") << outcome.what();
  }
  EXPECT_EQ(server.requests().at(0).path, "/v1");
}

TEST_F(TlsTest, AConnectionIsUsedAgain) {
  const LoopbackServer server = answering(authority_.issue());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run(server).body, "hello");
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(TlsTest, AStreamComesPieceByPiece) {
  LoopbackServer server({Script::stream().chunk("one ").hold().chunk("two").end()},
                        {.tls = server_tls(authority_.issue())});
  const auto exchange = network_.start(request(server.url()));
  ASSERT_EQ(next(*exchange), HttpNext::head);
  ASSERT_EQ(next(*exchange), HttpNext::bytes);
  EXPECT_EQ(exchange->bytes(), "one ");
  server.release();
  EXPECT_EQ(finish(*exchange).body, "two");
}

TEST_F(TlsTest, MuchGoesBothWays) {
  const std::string much(3'000'000, 'a');
  LoopbackServer server([](const ReceivedRequest& sent) { return Script::answer(200, sent.body); },
                        {.tls = server_tls(authority_.issue())});
  HttpRequest request = this->request(server.url());
  request.body = shared(much);
  EXPECT_TRUE(run(request).body == much);
}

// A certificate that must not be believed, and why.
struct Unbelievable {
  const char* name;
  Certificate (*make)(const CertificateAuthority& trusted);
  std::string why;
};
void PrintTo(const Unbelievable& what, std::ostream* out) { *out << what.name; }

class CertificateTest : public TlsTest, public testing::WithParamInterface<Unbelievable> {};

TEST_P(CertificateTest, IsNotBelieved) {
  const LoopbackServer server = answering(GetParam().make(authority_));
  const Outcome outcome = run(server);
  EXPECT_EQ(outcome.code(), Errc::transport_error);
  EXPECT_FALSE(outcome.retryable());
  EXPECT_TRUE(outcome.what().starts_with(
      server.authority() + ": the server's certificate is not valid: " + GetParam().why))
      << outcome.what();
  EXPECT_TRUE(server.requests().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Certificates, CertificateTest,
    testing::Values(
        Unbelievable{"of another name",
                     [](const CertificateAuthority& trusted) {
                       return trusted.issue({.names = {"DNS:example.org"}});
                     },
                     "no alternative certificate subject name matches target "},
        Unbelievable{
            "expired",
            [](const CertificateAuthority& trusted) { return trusted.issue({.expired = true}); },
            "certificate has expired"},
        Unbelievable{"self-signed", [](const CertificateAuthority&) { return self_signed(); },
                     "self-signed certificate"},
        Unbelievable{"of an unknown authority",
                     [](const CertificateAuthority&) { return CertificateAuthority().issue(); },
                     "unable to get local issuer certificate"}));

TEST_F(TlsTest, TheSystemDoesNotTrustTheTestsAuthority) {
  const LoopbackServer server = answering(authority_.issue());
  EXPECT_EQ(run({.url = server.url()}).what(),
            server.authority() +
                ": the server's certificate is not valid: unable to get local issuer certificate");
}

// Files of the caller that are missing or are no PEM: nothing is sent, and the message names them.
TEST_F(TlsTest, FilesThatCanNotBeUsedAreNamed) {
  const LoopbackServer server = answering(authority_.issue());
  const TemporaryFile garbage("this is no PEM");
  const Certificate own = authority_.issue();
  const TemporaryFile certificate(own.certificate);
  const TemporaryFile key(own.key);
  const TemporaryFile other_key(authority_.issue().key);
  struct Files {
    std::string ca, certificate, key, named;
  };
  for (const Files& files : std::vector<Files>{
           {"/no/such/ca.pem", "", "", "/no/such/ca.pem"},
           {garbage.path(), "", "", garbage.path()},
           {ca_file_.path(), "/no/such/me.pem", key.path(), "/no/such/me.pem"},
           {ca_file_.path(), garbage.path(), key.path(), garbage.path()},
           {ca_file_.path(), certificate.path(), "/no/such/key.pem", "/no/such/key.pem"},
           {ca_file_.path(), certificate.path(), garbage.path(), garbage.path()},
           {ca_file_.path(), certificate.path(), other_key.path(), other_key.path()},
           {ca_file_.path(), certificate.path(), "", certificate.path()},  // has no key in it
       }) {
    HttpRequest request = this->request(server.url());
    request.ca_file = files.ca;
    request.certificate_file = files.certificate;
    request.key_file = files.key;
    const Outcome outcome = run(request);
    EXPECT_EQ(outcome.code(), Errc::invalid_request) << outcome.what();
    EXPECT_FALSE(outcome.retryable());
    EXPECT_NE(outcome.what().find('"' + files.named + '"'), std::string::npos) << outcome.what();
  }
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(TlsTest, TheClientShowsItsCertificate) {
  const LoopbackServer server =
      answering(authority_.issue(), {.client_authority = authority_.certificate()});
  const Certificate own = authority_.issue({.names = {"DNS:client"}});
  const TemporaryFile certificate(own.certificate);
  const TemporaryFile key(own.key);
  const TemporaryFile both(own.certificate + own.key);
  HttpRequest request = this->request(server.url());
  request.certificate_file = certificate.path();
  request.key_file = key.path();
  EXPECT_EQ(run(request).body, "hello");
  request.certificate_file = both.path();
  request.key_file.clear();
  EXPECT_EQ(run(request).body, "hello");
}

TEST_F(TlsTest, AServerThatWantsACertificateOfTheClientSaysSo) {
  const LoopbackServer server =
      answering(authority_.issue(), {.client_authority = authority_.certificate()});
  const Outcome none = run(server);
  EXPECT_EQ(none.code(), Errc::transport_error);
  EXPECT_FALSE(none.retryable());
  EXPECT_EQ(none.what(), server.authority() + ": the server wants a certificate of the client's");

  const Certificate wrong = self_signed();
  const TemporaryFile certificate(wrong.certificate + wrong.key);
  HttpRequest request = this->request(server.url());
  request.certificate_file = certificate.path();
  const Outcome refused = run(request);
  EXPECT_EQ(refused.code(), Errc::transport_error);
  EXPECT_FALSE(refused.retryable());
  EXPECT_EQ(refused.what(), server.authority() + ": TLS was refused: tlsv1 alert unknown ca");
}

TEST_F(TlsTest, AServerWithoutTlsIsNamedAsSuch) {
  LoopbackServer server({Script::answer(200, "")}, {.greeting = Script::raw()
                                                                    .read(1)
                                                                    .bytes("HTTP/1.1 400 Bad\r\n"
                                                                           "Content-Length: 0"
                                                                           "\r\n\r\n")
                                                                    .hang()});
  const Outcome outcome = run(request("https://" + server.authority()));
  EXPECT_EQ(outcome.code(), Errc::transport_error);
  EXPECT_FALSE(outcome.retryable());
  EXPECT_TRUE(outcome.what().starts_with(server.authority() + ": no TLS connection: "))
      << outcome.what();
  EXPECT_TRUE(outcome.what().ends_with(": does the server speak http:// only?")) << outcome.what();
}

// OpenSSL says nothing to somebody who does not speak TLS.
TEST_F(TlsTest, AServerWithTlsHangsUpOnHttp) {
  const LoopbackServer server = answering(authority_.issue());
  const Outcome outcome = run({.url = "http://" + server.authority()});
  EXPECT_EQ(outcome.code(), Errc::transport_error);
  EXPECT_EQ(outcome.what(), server.authority() + ": connection lost after the request");
}

TEST_F(TlsTest, AHandshakeThatIsCutIsWorthAnotherTry) {
  for (const Script& greeting : {Script::raw().read(1).reset(), Script::raw().read(1).cut()}) {
    LoopbackServer server({Script::answer(200, "")}, {.greeting = greeting});
    const Outcome outcome = run(request("https://" + server.authority()));
    EXPECT_EQ(outcome.code(), Errc::transport_error);
    EXPECT_TRUE(outcome.retryable()) << outcome.what();
    EXPECT_TRUE(outcome.what().starts_with(server.authority() + ": no TLS connection: "))
        << outcome.what();
  }
}

TEST_F(TlsTest, AHandshakeIsPartOfConnecting) {
  LoopbackServer server({Script::answer(200, "")}, {.greeting = Script::raw().hang()});
  HttpRequest request = this->request("https://" + server.authority());
  request.limits.connect = 50ms;
  const Outcome outcome = run(request);
  EXPECT_EQ(outcome.code(), Errc::timeout);
  EXPECT_TRUE(outcome.retryable());
  EXPECT_EQ(outcome.what(), "connect to " + server.authority() + ": no answer within 50 ms");
}

TEST_F(TlsTest, ACancelDuringTheHandshakeReturnsAtOnce) {
  LoopbackServer server({Script::answer(200, "")}, {.greeting = Script::raw().read(1).hang()});
  const auto exchange = network_.start(request("https://" + server.authority()));
  exchange->cancel();
  EXPECT_EQ(finish(*exchange).code(), Errc::cancelled);
}

// Without the goodbye of TLS it depends on libcurl: 7.88 does not insist on it.
TEST_F(TlsTest, WithoutALengthTheGoodbyeIsTheEndOfTheAnswer) {
  const std::string answer = "HTTP/1.0 200 OK\r\n\r\nall of it";
  LoopbackServer server({Script::raw().bytes(answer).close()},
                        {.tls = server_tls(authority_.issue())});
  const Outcome outcome = run(server);
  EXPECT_EQ(outcome.body, "all of it");
  EXPECT_FALSE(outcome.error) << outcome.what();
}

TEST_F(TlsTest, AStreamThatIsCutKeepsWhatCame) {
  for (const Script& end : {Script::stream().chunk("half").wait(10ms).cut(),
                            Script::stream().chunk("half").wait(10ms).reset(),
                            Script::stream().chunk("half").close()}) {
    LoopbackServer server({end}, {.tls = server_tls(authority_.issue())});
    const Outcome outcome = run(server);
    EXPECT_EQ(outcome.body, "half");
    EXPECT_EQ(outcome.code(), Errc::transport_error);
    EXPECT_TRUE(outcome.retryable());
    EXPECT_EQ(outcome.what(), server.authority() + ": connection lost after 4 bytes of the answer");
  }
}

TEST_F(TlsTest, Http2IsOfferedWhenAskedForAndNotInsistedOn) {
  for (const bool http2 : {false, true}) {
    std::promise<std::string> offered;
    const LoopbackServer server =
        answering(authority_.issue(),
                  {.offered = [&](const std::string& protocols) { offered.set_value(protocols); }});
    HttpRequest request = this->request(server.url());
    request.http2 = http2;
    EXPECT_EQ(run(request).body, "hello");
    EXPECT_EQ(offered.get_future().get(), http2 ? "h2,http/1.1" : "http/1.1");
  }
}

}  // namespace
}  // namespace mellea
