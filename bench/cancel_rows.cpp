// How soon a call that is cancelled, or let go of, is over.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "mellea/runtime/runtime.h"
#include "provider_process.h"
#include "rows.h"
#include "table.h"

namespace {
constexpr const char* kSlowHost = "slow.invalid";
}

// Takes the place of libc's for the whole program: one name takes its time.
extern "C" int getaddrinfo(const char* __restrict node, const char* __restrict service,
                           const addrinfo* __restrict hints, addrinfo** __restrict result) {
  if (node != nullptr && std::strcmp(node, kSlowHost) == 0) {
    ::usleep(2'000'000);
    return EAI_NONAME;
  }
  static const auto next =
      reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(node, service, hints, result);
}

namespace mellea::bench {
namespace {

constexpr const char* kPrompt = "Write a line about the sea.";
constexpr auto kUnderWay =
    std::chrono::milliseconds(50);  // until a call has come to where it waits

// A port that nobody answers, on this machine: its queue of connections is full.
class DeafServer {
 public:
  DeafServer() : sockets_{::socket(AF_INET, SOCK_STREAM, 0)} {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    ::bind(sockets_[0], reinterpret_cast<sockaddr*>(&address_), size);
    ::listen(sockets_[0], 0);
    ::getsockname(sockets_[0], reinterpret_cast<sockaddr*>(&address_), &size);
    for (int i = 0; i < 4; ++i) {
      sockets_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      ::connect(sockets_.back(), reinterpret_cast<sockaddr*>(&address_), size);
    }
  }
  ~DeafServer() {
    for (const int socket : sockets_) ::close(socket);
  }
  DeafServer(const DeafServer&) = delete;
  DeafServer& operator=(const DeafServer&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(ntohs(address_.sin_port)); }

 private:
  sockaddr_in address_{};
  std::vector<int> sockets_;
};

// From cancel() until the thread that waits for the call goes on, in microseconds.
double cancelled(Session& session) {
  Output output = session.start_chat(kPrompt, {.stream = true});
  Errc how = Errc::unknown;
  Clock::time_point over{};
  std::thread waiting([&] {
    try {
      output.wait();
    } catch (const Error& error) {
      how = error.code();
    }
    over = Clock::now();
  });
  std::this_thread::sleep_for(kUnderWay);
  const auto began = Clock::now();
  output.cancel();
  waiting.join();
  if (how != Errc::cancelled) throw std::runtime_error("a call was over before it was cancelled");
  return microseconds(over - began);
}

// The same for a reader that leaves: the destructor.
double left(Session& session) {
  Output output = session.start_chat(kPrompt, {.stream = true});
  for (int events = 0; events < 2;) events += output.next().has_value();
  std::this_thread::sleep_for(kUnderWay);
  const auto began = Clock::now();
  { const Output last = std::move(output); }
  return microseconds(Clock::now() - began);
}

}  // namespace

void cancel_rows(const Settings& settings) {
  ProviderProcess provider;
  DeafServer deaf;
  Runtime runtime;
  const BackendOptions client = client_of(*settings.wire, provider, "hold");
  const auto session = [&](std::string url) {
    BackendOptions other = client;
    other.base_url = std::move(url);
    return runtime.start_session(std::move(other));
  };
  Session held = runtime.start_session(client);
  Session resolving = session(std::string("http://") + kSlowHost);
  Session connecting = session(deaf.url());
  const auto [stream, dns, connect, leaving] = in_turn(
      4 * settings.rounds(),  //
      [&] { return std::array{cancelled(held)}; }, [&] { return std::array{cancelled(resolving)}; },
      [&] { return std::array{cancelled(connecting)}; }, [&] { return std::array{left(held)}; });
  print({"from cancel() to the return of a waiting call, in a stream",
         "us",
         stream[0],
         {},
         Bar::below(5000)});
  print({"  while the name is looked up", "us", dns[0], {}, Bar::below(5000)});
  print({"  while it connects", "us", connect[0], {}, Bar::below(5000)});
  print(
      {"leaving a stream early: the destructor of Output", "us", leaving[0], {}, Bar::below(5000)});
}

}  // namespace mellea::bench
