// Where a program begins: it owns what all sessions share.
//
//   mellea::Runtime runtime;
//   mellea::Session session = runtime.start_session({.backend = "openai", .model = "gpt-4o-mini",
//                                                    .api_key = key});
//   std::cout << session.chat("Why is the sky blue?").text() << '\n';
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "mellea/backends/backend.h"
#include "mellea/runtime/session.h"

namespace mellea {

struct RuntimeState;

struct RuntimeOptions {
  Plugins plugins{};
  Labels labels{};  // on everything that is traced
  std::chrono::milliseconds shutdown{5000};
  int workers = 256;  // threads at most: guards, asynchronous calls, ends that nobody waits for
  std::function<void(const Notice&)> on_diagnostic{};  // beside the plugins, on any thread
};

// Owns the network thread (started with the first session that needs it) and the workers. Any
// thread may start sessions.
//
// Destroyed: refuses new calls, cancels what runs (CancelReason::shutdown), ends sessions, drains,
// stops the network, and returns within `shutdown`. A handler that has not returned by then is left
// behind with what it holds, and reported to `on_diagnostic`. In a child of fork() it lets go of
// everything and touches nothing.
class Runtime {
 public:
  explicit Runtime(RuntimeOptions options = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Throws Error: an unknown backend, a missing key or model (Errc::invalid_request, auth), a
  // plugin that blocks (Errc::blocked). Sends nothing.
  Session start_session(BackendOptions backend, SessionOptions options = {});
  Session start_session(std::shared_ptr<Backend> backend, std::string model,
                        SessionOptions options = {});

  // The backend alone, on this Runtime's network: for models(), or to share it between sessions.
  std::shared_ptr<Backend> backend(const BackendOptions& options);

  // Waits for what was handed over: dropped outputs, background handlers. False if something still
  // runs at `until`.
  bool drain(Instant until);

 private:
  std::shared_ptr<RuntimeState> state_;
};

}  // namespace mellea
