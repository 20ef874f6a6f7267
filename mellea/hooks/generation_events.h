// The moments of one request to a model and its reply, and of a batch.
#pragma once

#include <cstddef>

#include "mellea/core/chat.h"
#include "mellea/core/cow.h"
#include "mellea/core/endpoint.h"
#include "mellea/core/prompt.h"
#include "mellea/hooks/event.h"

namespace mellea {

// What is fixed about a generation or a batch before it starts, whatever a handler changes.
struct Target {
  std::string_view provider{};  // static lifetime
  Endpoint endpoint{};
  std::string_view component{};                       // class name of what is said; static lifetime
  std::shared_ptr<const std::string> conversation{};  // its id; null outside of one
  std::size_t context_size = 0;                       // turns that went along
  std::shared_ptr<const Prompt> prompt{};             // null: made from no template
};

// The request is about to be sent; handlers see what will be sent, all of it.
struct GenerationPreCall {
  static constexpr std::string_view name = "generation_pre_call";
  static constexpr Allows allows{.change = true, .stop = true};
  const Scope scope{};
  const Instant at{};
  const std::shared_ptr<const Target> target{};
  Cow<Request> request{};
  Headers headers{};  // sent beside those of the request: cheaper than to edit() all of it
  TraceRef trace{};
  Stopped stopped{};
};

// A chunk arrived. Fired only if somebody listens.
struct GenerationEvent {
  static constexpr std::string_view name = "generation_event";
  static constexpr Allows allows{};
  const Scope scope{};
  const std::shared_ptr<const Chunk> chunk{};
  const std::size_t index = 0;  // from 0; notices are not counted
};

// The request failed and is sent again.
struct GenerationRetry {
  static constexpr std::string_view name = "generation_retry";
  static constexpr Allows allows{};
  const Scope scope{};
  const Instant at{};
  const Notice notice{};
  const std::shared_ptr<const Target> target{};
  // Of a batch that is several requests: the first prompt of the one that is sent again. Else -1.
  const int index = -1;
};

// What a reply took, on every path.
struct Effort {
  Times times{};
  std::size_t chunks = 0;  // pieces of text, thinking, refusal or tool call
  int retries = 0;
};

// The reply is there (or was cancelled: then what had come of it). A stop fails the output for
// good; the others then hear GenerationError instead.
struct GenerationPostCall {
  static constexpr std::string_view name = "generation_post_call";
  static constexpr Allows allows{.stop = true};
  const std::shared_ptr<const GenerationPreCall> opening{};  // as it was after all changes
  const Ending ending{};
  const std::shared_ptr<const Reply> reply{};  // never null
  const Effort effort{};
  Stopped stopped{};
};

// It failed, or was blocked: before anything was sent (then opening->stopped), or after the reply.
struct GenerationError {
  static constexpr std::string_view name = "generation_error";
  static constexpr Allows allows{};
  const std::shared_ptr<const GenerationPreCall> opening{};
  const Ending ending{};
  const std::shared_ptr<const Reply> reply{};  // what had come; null if nothing
  const Effort effort{};
};

// The reply came, and is not what its format says. After generation_post_call: tokens and cost are
// counted there.
struct GenerationParseError {
  static constexpr std::string_view name = "generation_parse_error";
  static constexpr Allows allows{};
  const Scope scope{};
  const std::shared_ptr<const Error> error{};
  const std::shared_ptr<const Reply> reply{};
};

// Several prompts in one request.
struct GenerationBatchPreCall {
  static constexpr std::string_view name = "generation_batch_pre_call";
  static constexpr Allows allows{.change = true, .stop = true};
  const Scope scope{};
  const Instant at{};
  const std::shared_ptr<const Target> target{};
  Cow<Request> request{};
  Headers headers{};
  TraceRef trace{};
  Stopped stopped{};
};

struct GenerationBatchPostCall {
  static constexpr std::string_view name = "generation_batch_post_call";
  static constexpr Allows allows{.stop = true};
  const std::shared_ptr<const GenerationBatchPreCall> opening{};
  const Ending ending{};
  const std::shared_ptr<const std::vector<Reply>> replies{};  // one a prompt, in its order
  const std::optional<Usage> usage{};                         // of all of them
  const Effort effort{};
  Stopped stopped{};
};

struct GenerationBatchError {
  static constexpr std::string_view name = "generation_batch_error";
  static constexpr Allows allows{};
  const std::shared_ptr<const GenerationBatchPreCall> opening{};
  const Ending ending{};
  const std::shared_ptr<const std::vector<Reply>> replies{};  // what had come; null if nothing
  const std::optional<Usage> usage{};
  const Effort effort{};
};

}  // namespace mellea
