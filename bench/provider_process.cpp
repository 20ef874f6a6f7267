#include "provider_process.h"

#include <arpa/inet.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace mellea::bench {
namespace {

std::string read_line(int file) {
  std::string line;
  for (char c = 0; ::read(file, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

}  // namespace

ProviderProcess::ProviderProcess() {
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "mellea_bench_provider";
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) throw std::runtime_error("no pipe for the provider");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addclose(&actions, pipe[0]);
  ::posix_spawn_file_actions_addclose(&actions, pipe[1]);
  const bool two_cores = ::sysconf(_SC_NPROCESSORS_ONLN) > 1;
  std::string core = two_cores ? "1" : "0";
  std::string name = program;
  const std::array<char*, 3> arguments = {name.data(), core.data(), nullptr};
  const int result =
      ::posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  std::istringstream said(result == 0 ? read_line(pipe[0]) : "");
  ::close(pipe[0]);
  if (!(said >> port_ >> tls_port_ >> ca_file_))
    throw std::runtime_error("the provider does not start: " + program);
}

ProviderProcess::~ProviderProcess() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

std::string ProviderProcess::url(std::string_view path) const {
  return ("http://127.0.0.1:" + std::to_string(port_)).append(path);
}
std::string ProviderProcess::tls_url(std::string_view path) const {
  return ("https://127.0.0.1:" + std::to_string(tls_port_)).append(path);
}

ProviderProcess::Counters ProviderProcess::counters() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    constexpr std::string_view kRequest = "GET /counters HTTP/1.1\r\n\r\n";
    static_cast<void>(::send(socket, kRequest.data(), kRequest.size(), 0));
    std::array<char, 1024> bytes;
    const ssize_t size = ::recv(socket, bytes.data(), bytes.size(), 0);
    if (size > 0) answer.assign(bytes.data(), static_cast<std::size_t>(size));
  }
  ::close(socket);
  Counters counters;
  std::istringstream numbers(answer.substr(std::min(answer.find("\r\n\r\n"), answer.size())));
  if (!(numbers >> counters.connections >> counters.requests >> counters.spans))
    throw std::runtime_error("the provider does not tell its counters");
  counters.connections -= ++asked_;
  return counters;
}

}  // namespace mellea::bench
