// What comes back from a model provider, piece by piece and as a whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/instant.h"
#include "mellea/core/message.h"

namespace mellea {

// Tokens, counted by the provider. What it did not tell is absent and not 0.
// Invariants, kept by checked(): no count is negative; cache_read and cache_write are subsets of
// input, reasoning of output.
struct Usage {
  std::optional<std::int64_t> input_tokens{};
  std::optional<std::int64_t> output_tokens{};
  std::optional<std::int64_t> total_tokens{};  // as the provider says it, never our sum
  std::optional<std::int64_t> cache_read_tokens{};
  std::optional<std::int64_t> cache_write_tokens{};
  std::optional<std::int64_t> reasoning_tokens{};

  friend bool operator==(const Usage&, const Usage&) = default;
};

// `usage` less the counts that break an invariant: a number that can't be true is worse than none.
Usage checked(Usage usage);

// Each count of `later` where there is one, else that of `earlier`. For providers that tell their
// counts in several chunks.
Usage updated(const Usage& earlier, const Usage& later);

// What a lower layer has to tell and can't: it sees neither hooks nor a logger.
struct Notice {
  enum class Kind {
    retry,              // the request is sent again: attempt, http_status, category, delay
    option_ignored,     // name: the option that the provider can't honour
    usage_implausible,  // counts that broke an invariant were left out
    token_renewed,
    server_restarted,
    plugin_failed,       // name: the plugin; text: what it threw
    plugin_slow,         // name: the plugin
    callback_failed,     // text: what a function of the user's threw
    background_dropped,  // count: events that no background handler saw
    summary_failed,      // text: why what was said could not be summed up
    left_behind,         // a handler that had not returned when the Runtime went
  };
  Kind kind = Kind::retry;
  std::string text{};  // one sentence
  std::string name{};
  int attempt = 0;      // of the request that failed, from 1
  int http_status = 0;  // 0 if there was no answer
  Errc category = Errc::unknown;
  std::chrono::milliseconds delay{0};
  std::int64_t count = 0;
};
std::string_view to_string(Notice::Kind kind) noexcept;

// A piece of a tool call: id and name come with the first piece, arguments in any number.
struct ToolCallPart {
  int call = 0;  // which call of the reply, from 0
  std::string id{};
  std::string name{};
  std::string arguments{};
};
struct Thinking {
  std::string text{};
};
struct Refusal {
  std::string text{};
};
struct Finish {
  std::string reason{};
};
struct ResponseInfo {
  std::string id{};
  std::string model{};
  std::string service_tier{};
  std::string system_fingerprint{};
  // An object: what else the provider tells, under its own names. What comes later joins what came
  // before, member by member.
  Json metadata{};
};

// How likely the model found a token: the natural logarithm, 0 for certain.
struct TokenLogprob {
  struct Alternative {
    std::string token{};
    double logprob = 0;
  };
  std::string token{};
  double logprob = 0;
  std::vector<Alternative> top{};  // the likeliest in its place, which it may be among
};
// Of the tokens that came last; never empty.
struct Logprobs {
  std::vector<TokenLogprob> tokens{};
};
// What a text is to an embedding model.
struct Embedding {
  std::vector<float> values{};
};

struct Chunk {
  Instant at{};   // when its last byte arrived
  int index = 0;  // of the choice or the prompt; -1: of all, as a batch's usage or a notice may be
  std::variant<std::string, Thinking, Refusal, ToolCallPart, Usage, Finish, ResponseInfo, Notice,
               Logprobs, Embedding>
      what{};
};

// One of several answers to one request.
struct Choice {
  std::string text{};
  std::string thinking{};
  std::string refusal{};
  std::vector<ToolCall> tool_calls{};
  std::string finish_reason{};
  std::vector<TokenLogprob> logprobs{};
};

struct Reply {
  std::string text{};
  std::string thinking{};
  std::string refusal{};
  std::vector<ToolCall> tool_calls{};
  std::vector<std::string> finish_reasons{};  // one a choice that gave one
  std::vector<Choice> alternatives{};         // choices 1 and up, where more than one was asked for
  ResponseInfo response{};                    // the provider's id, and the model that answered
  std::optional<Usage> usage{};
  std::vector<TokenLogprob> logprobs{};  // of `text`, where they were asked for
  std::vector<Embedding> embeddings{};   // one a prompt
};

// Folds a chunk into the reply. Notices are none of its business.
void add(Reply& reply, const Chunk& chunk);

// When what happened. `began` is the only wall clock; all else is steady and stamped when bytes
// left or arrived. Zero: it did not happen.
struct Times {
  std::chrono::system_clock::time_point began{};
  Instant started{};        // the same moment as `began`
  Instant sent{};           // the request of the last attempt
  Instant first_chunk{};    // of any kind but a notice
  Instant first_content{};  // the first token of text, thinking, refusal or tool call
  Instant ended{};
  std::chrono::nanoseconds paused{0};  // socket held back for a slow reader; within the rest

  std::chrono::nanoseconds duration() const noexcept { return ended - started; }
};

// Whether a chunk is some of the answer itself: text, thinking, a refusal or a call of a tool.
bool is_content(const Chunk& chunk) noexcept;

}  // namespace mellea
