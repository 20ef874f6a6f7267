// What is said to a model and by it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/json.h"

namespace mellea {

// An image that goes with a message: an http(s) URL, or a data URL with base64.
struct Image {
  std::string url{};
  std::string detail{};  // "low", "high"; empty: the provider's choice
};

// Sound that goes with a message.
struct Audio {
  std::string data{};    // base64
  std::string format{};  // "wav", "mp3"
};

// A model's wish to have a function called. `arguments` is text as the model wrote it, which may be
// no JSON at all: whoever runs the tool checks it.
struct ToolCall {
  std::string id{};
  std::string name{};
  std::string arguments{};
};

// One turn of a conversation. A tool's result is a message of role `tool` that names the call it
// answers.
struct Message {
  enum class Role { system, user, assistant, tool };
  Role role = Role::user;
  std::string text{};
  std::vector<Image> images{};
  std::vector<ToolCall> tool_calls{};  // of an assistant
  std::string tool_call_id{};          // of a tool
  std::string tool_name{};             // of a tool
  std::string thinking{};              // of an assistant; sent back only beside tool calls
  std::vector<Audio> audio{};
};
std::string_view to_string(Message::Role role) noexcept;

// A function that a model may ask for: what the model is told of it.
struct ToolSpec {
  std::string name{};
  std::string description{};
  Json parameters{};  // a JSON schema of type object; no document: no parameters
};

// Which tools the model may use.
struct ToolChoice {
  enum class Mode { provider_default, automatic, none, required, named };
  Mode mode = Mode::provider_default;
  std::string name{};  // with Mode::named
};

// The form an answer must have.
struct Format {
  std::string name{};
  Json schema{};  // no document: any JSON object
  bool strict = true;
};

}  // namespace mellea
