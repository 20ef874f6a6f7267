// For tests of the network: an exchange read to its end, and servers that are none.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/net/network.h"

namespace mellea {

inline constexpr std::chrono::seconds kPatience{
    20};  // no test comes near it unless something hangs

// Of an exchange: all there was.
struct Outcome {
  HttpHead head{};
  std::string body{};
  std::vector<Instant> stamps{};
  std::optional<Error> error{};

  Errc code() const { return error ? error->code() : Errc::unknown; }
  bool retryable() const { return error && error->retryable(); }
  std::string what() const { return error ? error->what() : "no error"; }
};

// Blocks for the next thing that is not `pending`.
inline HttpNext next(HttpExchange& exchange) {
  const Instant give_up = Instant::clock::now() + kPatience;
  for (;;) {
    const HttpNext what = exchange.try_next();
    if (what != HttpNext::pending) return what;
    if (Instant::clock::now() > give_up) throw std::runtime_error("nothing comes");
    exchange.wait(give_up);
  }
}

inline Outcome finish(HttpExchange& exchange) {
  Outcome outcome;
  try {
    for (HttpNext what = next(exchange); what != HttpNext::end; what = next(exchange)) {
      if (what == HttpNext::head) {
        outcome.head = exchange.head();
      } else {
        outcome.body += exchange.bytes();
        outcome.stamps.push_back(exchange.at());
      }
    }
  } catch (const Error& error) {
    outcome.error = error;
  }
  return outcome;
}

inline std::shared_ptr<const std::string> shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

// A port of 127.0.0.1 where nobody listens.
inline int closed_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

// A socket that listens and whose queue of connections is full: connecting to it hangs.
class FullListener {
 public:
  FullListener() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    sockets_.push_back(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(::bind(sockets_[0], name, size), 0);
    EXPECT_EQ(::listen(sockets_[0], 0), 0);
    EXPECT_EQ(::getsockname(sockets_[0], name, &size), 0);
    port_ = ntohs(address.sin_port);
    for (int i = 0; i < 4; ++i) {
      sockets_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      static_cast<void>(::connect(sockets_.back(), name, size));
    }
  }
  ~FullListener() {
    for (const int socket : sockets_) ::close(socket);
  }
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "http://" + authority() + "/"; }

 private:
  std::vector<int> sockets_;
  int port_ = 0;
};

}  // namespace mellea
