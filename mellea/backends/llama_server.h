// A llama-server of our own, on loopback: started, watched and ended.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "mellea/core/child_process.h"
#include "mellea/core/error.h"
#include "mellea/core/fork.h"
#include "mellea/core/reply.h"
#include "mellea/net/network.h"

namespace mellea {

struct LlamaServerOptions {
  ProgramStart start{};    // host, port and key (LLAMA_API_KEY) are added
  std::string log_file{};  // as in LocalOptions
  std::chrono::milliseconds start_limit{600'000};
  std::chrono::milliseconds steady{600'000};   // what ran for so long may die once more
  std::chrono::milliseconds end_limit{1'000};  // from the request to end to the end by force
};

// Where the server is.
struct LlamaServerAddress {
  std::string url{};  // "http://127.0.0.1:41234"
  std::string key{};
  int run = 0;  // from 1; a restart is another run
  // That it was restarted, for the first who hears of it.
  std::optional<Notice> notice{};
};

// A request's wait until the server answers. Used by one thread at a time, cancel() and what
// settles it by any.
class LlamaServerWait {
 public:
  // Nothing while it is not known. Throws Error if there will be no server; Errc::after_fork in a
  // child of fork().
  std::optional<LlamaServerAddress> try_get() const;
  void wait(Instant until);  // until it is known
  // As ReplyStream::when_ready(); `wake` is called on the server's thread.
  [[nodiscard]] bool when_ready(std::function<void()> wake);
  void cancel() noexcept;

  using Result = std::variant<std::monostate, LlamaServerAddress, Error>;
  void settle(Result result);  // the first that is known stays
  bool settled() const;

 private:
  const ForkMark fork_mark_{};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Result result_;               // guarded by mutex_; monostate: not known yet
  std::function<void()> wake_;  // guarded by mutex_
};

// Starts the program with the first wait, on a thread of its own that lives as long as this: the
// kernel ends the program with it, even if this process is killed. No other user of the machine can
// use the server: each run has a key of its own, which is nowhere but in the program's environment.
//
// If it ends by itself it is started once more, and again only after LlamaServerOptions::steady; if
// not, all waits fail with what it printed last. May be used by several threads at once.
class LlamaServer {
 public:
  LlamaServer(LlamaServerOptions options, std::shared_ptr<Network> network);
  // Ends the program, and returns once it has ended; waits fail with Errc::shutdown. In a child of
  // fork() it touches nothing.
  ~LlamaServer();
  LlamaServer(const LlamaServer&) = delete;
  LlamaServer& operator=(const LlamaServer&) = delete;

  // Waits for the server to answer, until `until`. `lost` is the run that broke off a connection, 0
  // if none did: the wait is then for a later one, or for the same if it turns out to be alive.
  // Throws Error (Errc::after_fork).
  std::shared_ptr<LlamaServerWait> up(int lost, Instant until);

 private:
  class Supervisor;
  std::shared_ptr<Supervisor> supervisor_;  // shared with its thread
};

}  // namespace mellea
