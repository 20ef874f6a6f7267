// relay --port PORT --relay-to PORT [WORD...]: stands for llama-server, as a door to a server of
// the test's own. Each connection is a connection there, byte for byte, and ends as that one ends.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<in_port_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// False once `from` has ended or `to` takes no more.
bool pass_on(int from, int to) {
  std::array<char, 65536> bytes;
  const ssize_t size = ::recv(from, bytes.data(), bytes.size(), 0);
  for (ssize_t sent = 0; sent < size;) {
    const ssize_t step =
        ::send(to, bytes.data() + sent, static_cast<std::size_t>(size - sent), MSG_NOSIGNAL);
    if (step <= 0) return false;
    sent += step;
  }
  return size > 0;
}

void relay(int client, int port) {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const int at_once = 1;
  for (const int socket : {client, server})
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
  bool open = ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  std::array<pollfd, 2> sockets{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
  while (open && ::poll(sockets.data(), sockets.size(), -1) > 0) {
    if (sockets[0].revents != 0) open = pass_on(client, server);
    if (open && sockets[1].revents != 0) open = pass_on(server, client);
  }
  ::close(server);
  ::close(client);
}

}  // namespace

int main(int count, char** words) {
  int port = 0, to = 0;
  for (int i = 1; i + 1 < count; ++i) {
    if (std::string_view(words[i]) == "--port") port = std::atoi(words[i + 1]);
    if (std::string_view(words[i]) == "--relay-to") to = std::atoi(words[i + 1]);
  }
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int again = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &again, sizeof again);
  const sockaddr_in address = loopback(port);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, SOMAXCONN) != 0)
    return EXIT_FAILURE;
  for (int client = 0; (client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;)
    std::thread(relay, client, to).detach();
  return EXIT_FAILURE;
}
