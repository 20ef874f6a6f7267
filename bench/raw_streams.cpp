#include "raw_streams.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace mellea::bench {

RawStreams::RawStreams(const Wire& wire, const ProviderProcess& provider, const std::string& model,
                       int count)
    : wire_(wire), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(provider.port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string body = R"({"model":")" + model + R"(","messages":[]})";
  const std::string request = "POST " + std::string(wire.stream_path) +
                              " HTTP/1.1\r\ncontent-length: " + std::to_string(body.size()) +
                              "\r\n\r\n" + body;
  for (int i = 0; i < count; ++i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockets_.push_back(socket);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::send(socket, request.data(), request.size(), 0) < 0)
      throw std::runtime_error("no raw stream to the provider");
    epoll_event event{.events = EPOLLIN, .data = {.fd = socket}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  }
}

RawStreams::~RawStreams() {
  for (const int socket : sockets_) ::close(socket);
  ::close(epoll_);
}

std::int64_t RawStreams::read_until(Clock::time_point until) {
  static std::array<char, 64U << 10U> buffer;
  std::array<epoll_event, 512> events;
  std::int64_t count = 0;
  while (Clock::now() < until) {
    const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 10);
    for (int i = 0; i < ready; ++i) {
      const int socket = events[static_cast<std::size_t>(i)].data.fd;
      const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (size <= 0) continue;
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
      const std::string_view ends = wire_.once;
      for (std::size_t at = 0; (at = bytes.find(ends, at)) != bytes.npos; at += ends.size())
        ++count;
    }
  }
  return count;
}

}  // namespace mellea::bench
