// What a model provider must be able to do.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/backends/local_options.h"
#include "mellea/core/chat.h"
#include "mellea/core/endpoint.h"

namespace mellea {

enum class Next { chunk, pending, end };

// What a stream knows of its own times; zero where it did not happen.
struct StreamTimes {
  Instant sent{};   // the request of the last attempt had left
  Instant ended{};  // the last byte, or the failure
  std::chrono::nanoseconds paused{0};
};

// A reply on its way. Used by one thread at a time, cancel() by any. The destructor cancels and
// does not wait.
class ReplyStream {
 public:
  virtual ~ReplyStream() = default;

  // Never blocks. Fills `chunk` if the answer is Next::chunk. Throws Error, again at each call,
  // once everything that had arrived before the failure was given out.
  virtual Next try_next(Chunk& chunk) = 0;

  // Blocks until try_next would not say pending, or `until`; may return early.
  virtual void wait(Instant until) = 0;

  // False if try_next would not say pending now; then `wake` is not kept. Else `wake` is called
  // once, on the network's thread, when try_next may have something to say: it must not block,
  // throw, or call back into the stream.
  [[nodiscard]] virtual bool when_ready(std::function<void()> wake) = 0;

  // Returns at once; the next try_next throws Errc::cancelled once what has arrived is read.
  virtual void cancel() noexcept = 0;

  // Whole once try_next has said end or thrown.
  virtual StreamTimes times() const = 0;
};

// Sends requests to one provider. May be called from several threads at once.
class Backend {
 public:
  virtual ~Backend() = default;

  // The provider's name, as in BackendOptions::backend. Static lifetime.
  virtual std::string_view provider() const = 0;
  virtual Endpoint endpoint() const = 0;

  // Begins to send, and returns at once: what must come before the request, a token or a server
  // that starts, is waited for by the stream. A reply that does not stream is a stream of one
  // chunk. A stop request cancels. Throws Error if the request can't be written down, or
  // Errc::after_fork.
  virtual std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) = 0;

  // The names of the models that the provider has. Blocks. Throws Error.
  virtual std::vector<std::string> models(std::stop_token stop) = 0;
};

class Network;  // the thread and the connections that backends share; opaque here

// What only watsonx needs to know.
struct WatsonxOptions {
  std::string project{};  // the id of the project that pays, or
  std::string space{};    // of the deployment space
  std::string
      api_version{};      // a date, "2024-05-31"; empty: the one that this client is written for
  std::string iam_url{};  // where the key becomes a token; empty: IBM Cloud's
  std::string user{};     // of a Cloud Pak for Data: then the key is sent itself, as ZenApiKey
};

struct BackendOptions {
  // "huggingface", "litellm", "local", "ollama", "openai", "scripted", "watsonx"
  std::string backend{};
  std::string model{};
  std::string base_url{};              // empty: the provider's own
  std::string api_key{};               // sent to the provider and nowhere else
  Headers headers{};                   // sent with every request
  std::string ca_file{};               // PEM; empty: the system's certificates
  std::string certificate_file{};      // PEM, the client's own; empty: none
  std::string key_file{};              // PEM, without a password; empty: in certificate_file
  std::optional<std::string> proxy{};  // its URL; "": none; not set: the environment's
  bool http2 = false;                  // offered over TLS: see HttpRequest
  WatsonxOptions watsonx{};
  // Of the backend "local", which uses nothing else but `model`. Not set: LocalOptions::from_env().
  std::optional<LocalOptions> local{};
};

// Starts the loop thread. `diagnostic` hears, on that thread, what happens while no stream is open.
std::shared_ptr<Network> make_network(std::function<void(const Notice&)> diagnostic = {});

// Closes all connections and ends the loop thread: streams that are still open fail with
// Errc::shutdown.
void stop(Network& network) noexcept;

// What a session calls the model of `options`, and what becomes of it in events: never a path.
std::string model_name(const BackendOptions& options);

// The names that make_backend() knows, in alphabetical order.
std::span<const std::string_view> backend_names() noexcept;

// A switch over the names, no registry. Reads no environment (but for `local`, where that is not
// set) and opens no connection. Throws Error (Errc::invalid_request) naming the nearest known
// backend, or what is missing.
std::shared_ptr<Backend> make_backend(const BackendOptions& options,
                                      std::shared_ptr<Network> network);

}  // namespace mellea
