#include "mellea/net/url.h"

#include <gtest/gtest.h>

#include "mellea/core/error.h"

namespace mellea {
namespace {

TEST(UrlTest, IsTakenApart) {
  const Url url = parse_url("https://api.example.com:8443/v1/chat?x=1");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "api.example.com");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.path, "/v1/chat");
  EXPECT_EQ(url.authority(), "api.example.com:8443");
}

TEST(UrlTest, HasTheDefaultsOfItsScheme) {
  EXPECT_EQ(parse_url("http://h").port, 80);
  EXPECT_EQ(parse_url("https://h").port, 443);
  EXPECT_EQ(parse_url("HTTPS://h").scheme, "https");
  EXPECT_EQ(parse_url("http://h").path, "/");
}

TEST(UrlTest, AnIpv6HostHasItsBracketsInTheAuthorityOnly) {
  const Url url = parse_url("http://[::1]:11434/api");
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.authority(), "[::1]:11434");
}

TEST(UrlTest, AHostIsDecodedOnce) {
  EXPECT_EQ(parse_url("http://%68ost/").host, "host");
  EXPECT_THROW(parse_url("http://%2568ost/"), Error);
}

TEST(UrlTest, ShowsNoPassword) {
  EXPECT_EQ(parse_url("http://user:secret@h/p").shown, "http://***@h/p");
  EXPECT_EQ(parse_url("http://user:sec%40ret@h/p?a@b").shown, "http://***@h/p?***");
  EXPECT_EQ(parse_url("http://h/p?key=secret").shown, "http://h/p?***");
  EXPECT_EQ(parse_url("http://h/p@q").shown, "http://h/p@q");
}

TEST(UrlTest, WhatIsNoUrlIsRefusedWithoutShowingAPassword) {
  for (const std::string text :
       {"", "localhost:11434", "ftp://me:secret@h/", "http://", "http:///path", "http://h:99999/",
        "me:secret@h", "http://me:secret@h h/", "http://me:secret@:80/", "http://me:sec@secret@h/",
        "https://me:a/secret@gw/v1", "http://me:secret@h%2533/", "htp://gw/v1?api-key=secret"}) {
    try {
      parse_url(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::invalid_request);
      EXPECT_EQ(std::string_view(error.what()).find("secret"), std::string_view::npos)
          << error.what();
    }
  }
}

TEST(UrlTest, JoinsWithOneSlash) {
  for (const char* base : {"http://h/v1", "http://h/v1/", "http://h/v1//"}) {
    EXPECT_EQ(join_url(base, "/chat/completions"), "http://h/v1/chat/completions");
    EXPECT_EQ(join_url(base, "chat/completions"), "http://h/v1/chat/completions");
  }
  EXPECT_EQ(join_url("http://h", "api"), "http://h/api");
  EXPECT_EQ(join_url("http://h/v1", ""), "http://h/v1");
}

TEST(UrlTest, KeepsAQueryAtTheEnd) {
  EXPECT_EQ(join_url("http://h/v1/?api-version=2", "/chat"), "http://h/v1/chat?api-version=2");
  EXPECT_EQ(join_url("http://h/v1?version=2", "/models?limit=9"),
            "http://h/v1/models?limit=9&version=2");
  EXPECT_EQ(join_url("http://h/v1", "/models?limit=9"), "http://h/v1/models?limit=9");
}

}  // namespace
}  // namespace mellea
