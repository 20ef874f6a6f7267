#include "mellea/net/curl_error.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

namespace mellea {
namespace {

Error error_of(int code, std::string_view reason, int os_error = 0) {
  return to_error(
      {.code = code, .os_error = os_error, .reason = reason, .host = "gw", .server = "gw:443"});
}

TEST(CurlErrorTest, AWrongProxyIsNamedWithoutItsPassword) {
  for (const int code : {CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT}) {
    const Error error = error_of(code, "Unsupported proxy syntax in 'http://me:s3cret@proxy:31x8'");
    EXPECT_EQ(error.code(), Errc::invalid_request);
    EXPECT_FALSE(error.retryable());
    EXPECT_EQ(std::string_view(error.what()).find("s3cret"), std::string_view::npos);
  }
}

TEST(CurlErrorTest, WhatAProxyOrATlsServerRefusesIsSaidAndNotTriedAgain) {
  const Error proxy = error_of(CURLE_RECV_ERROR, "CONNECT tunnel failed, response 407");
  EXPECT_STREQ(proxy.what(),
               "gw:443: the proxy refused with status 407: it wants a user and a password");
  EXPECT_FALSE(proxy.retryable());
  const Error busy = error_of(CURLE_COULDNT_CONNECT, "CONNECT tunnel failed, response 503");
  EXPECT_STREQ(busy.what(), "gw:443: the proxy refused with status 503");
  EXPECT_TRUE(busy.retryable());
  EXPECT_FALSE(
      error_of(CURLE_RECV_ERROR, "OpenSSL: tlsv13 alert certificate required").retryable());
}

TEST(CurlErrorTest, AHandshakeThatWasCutIsWorthAnotherTry) {
  EXPECT_TRUE(error_of(CURLE_SSL_CONNECT_ERROR, "OpenSSL SSL_connect: Connection reset by peer")
                  .retryable());
  EXPECT_FALSE(error_of(CURLE_SSL_CONNECT_ERROR, "wrong version number").retryable());
}

}  // namespace
}  // namespace mellea
