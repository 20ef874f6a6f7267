// A provider's protocol, seen from the server: what it says, and what it understands of a request.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/backends/backend.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea::providers {

// What a server says, in no provider's words: pieces of texts and calls, then finish, usage and
// names. An index is that of a choice, or of a prompt.
using Answer = std::vector<Chunk>;

// Each choice of an answer, folded by itself; the first has what is said of all.
std::vector<Reply> choices_of(const Answer& answer);

// What the server of a protocol can't be asked for or does not tell. Where the client refuses the
// request, these are words of what it says; empty: it can be had.
struct Gaps {
  std::string completions{};
  std::string batches{};  // several prompts at once
  std::string embeddings{};
  std::string images{};
  std::string image_urls{};
  std::string audio{};
  bool ids = false;            // answers have none
  bool total_tokens = false;   // not counted
  bool token_details = false;  // which were cached, which were thought
  bool split_calls = false;    // a call comes whole
  bool refusals = false;       // there is no text of a refusal
  bool model_names = false;    // it has one model: a request need not name it
  bool model_lists = false;    // the client knows its model without asking
  bool headers = false;        // those of the backend are not sent
  bool retries = false;        // what it refuses is not asked for again
  bool thinking = false;       // is not sent back with the calls that it led to
  bool tokens = false;         // a request waits for one, which another server gives
};

// An error answer.
struct Fault {
  int status = 400;
  std::string body{};
};

// Pure, so that the server's thread may use it too.
class Dialect {
 public:
  virtual ~Dialect() = default;

  // Whose protocol it is, as tests are named and as tables are headed.
  virtual std::string name() const = 0;
  virtual std::string title() const { return '`' + name() + '`'; }
  // How its client is made, and what that says of itself.
  virtual BackendOptions client(const LoopbackServer& server) const = 0;
  virtual std::string provider() const { return name(); }
  virtual std::string model() const { return "m"; }           // which it can be made with
  virtual std::string model_sent() const { return model(); }  // and what it calls it then
  virtual Endpoint endpoint(const LoopbackServer& server) const {
    return {.address = "127.0.0.1", .port = server.port()};
  }
  virtual Gaps gaps() const { return {}; }

  virtual std::string whole(Request::Kind kind, const Answer& answer) const = 0;
  virtual std::string_view stream_type() const { return "text/event-stream"; }
  // One piece for each chunk that has something to say, and one for the end if there is a mark.
  virtual std::vector<std::string> stream(Request::Kind kind, const Answer& answer) const = 0;
  // How a finish reason of ours is called there.
  virtual std::string finish(std::string_view reason) const { return std::string(reason); }

  virtual Fault fault(int status, std::string_view message) const = 0;
  virtual Fault context_fault() const = 0;  // the prompt is too long
  virtual std::string stream_fault(std::string_view message) const = 0;
  virtual std::string models(const std::vector<std::string>& names) const = 0;

  // What the server would make of a request.
  virtual Request read(const ReceivedRequest& request) const = 0;

  // What is said to a request that is not for an answer (a token, a health check); empty: it is.
  virtual std::optional<Script> aside(const ReceivedRequest&) const { return {}; }
};

// A server's answers, whole and as a stream.
Script whole_answer(const Dialect& dialect, Request::Kind kind, const Answer& answer);
Script begun_stream(const Dialect& dialect);  // the head
Script streamed_answer(const Dialect& dialect, Request::Kind kind, const Answer& answer);

// The protocols of all providers.
std::vector<std::shared_ptr<const Dialect>> all_dialects();

std::shared_ptr<const Dialect> openai_dialect();
std::shared_ptr<const Dialect> openai_itself_dialect();  // the provider's own service
std::shared_ptr<const Dialect> huggingface_router_dialect();
std::shared_ptr<const Dialect> huggingface_tgi_dialect();
std::shared_ptr<const Dialect> local_dialect();
std::shared_ptr<const Dialect> ollama_dialect();
std::shared_ptr<const Dialect> litellm_dialect();
std::shared_ptr<const Dialect> watsonx_dialect();

}  // namespace mellea::providers
