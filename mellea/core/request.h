// What is asked of a model provider.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mellea/core/message.h"
#include "mellea/core/options.h"

namespace mellea {

// How long what may take. Zero: no limit. Time that a socket is held back because nobody reads
// counts in none of them but `whole`.
struct Limits {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds first_byte{600'000};
  std::chrono::milliseconds silence{0};  // between two pieces of an answer
  std::chrono::milliseconds whole{0};    // from the start, retries included
};

// HTTP headers, in the order they are sent.
using Headers = std::vector<std::pair<std::string, std::string>>;

// Adds `nearer`, which replace those of the same names, in whatever case.
void replace(Headers& headers, const Headers& nearer);

struct Request {
  enum class Kind { chat, completion, embedding };
  Kind kind = Kind::chat;
  std::string model{};
  std::vector<Message> messages{};     // of a chat
  std::vector<std::string> prompts{};  // completion and embedding: one reply each, Chunk::index
  ModelOptions options{};
  std::vector<ToolSpec> tools{};
  ToolChoice tool_choice{};
  std::optional<Format> format{};
  bool stream = false;
  Limits limits{};
  Headers headers{};  // sent beside the backend's own, which they replace
};

}  // namespace mellea
