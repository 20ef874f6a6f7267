// A function of the program that a model may ask for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mellea/core/call.h"
#include "mellea/core/json.h"
#include "mellea/core/message.h"
#include "mellea/core/schema.h"

namespace mellea {

// A value: a copy is one reference count. `run` may be called by several threads at once.
class Tool {
 public:
  // Given the arguments, which are what the schema says, it returns what the model is told: text,
  // or JSON as text. What it throws the model is told too, as an error.
  using Run = std::function<std::string(const Json& arguments, const Call& call)>;

  // The model may ask for it, and whoever made the call sees to that: it can't be run here.
  Tool(ToolSpec spec) : Tool(std::move(spec), nullptr) {}  // NOLINT: {.tools = {spec}}
  // Throws Error (Errc::invalid_request) if it has no name, or its parameters are no schema of an
  // object (see Schema for what is known).
  Tool(ToolSpec spec, Run run);

  // For parameters that are somebody else's to check, as those of a server that the tool calls:
  // they may say what Schema does not know. The model is told of them as they are, and `run` is
  // given any JSON object, with no default filled in. Throws Error if it has no name.
  static Tool unchecked(ToolSpec spec, Run run);

  const ToolSpec& spec() const noexcept { return parts_->spec; }
  const std::string& name() const noexcept { return parts_->spec.name; }
  const Run& run() const noexcept { return parts_->run; }  // may be empty

  // What a model wrote, as the tool is to get it: defaults filled in, and a value of another type
  // made one of the right type where nothing is lost by it ("5" for an integer, but not "5.5").
  // An unchecked tool gets what was written. Throws Error (Errc::invalid_request) in words that a
  // model can mend its call by.
  Json arguments(const std::string& written) const;

 private:
  struct Parts {
    ToolSpec spec{};
    Run run{};
    std::shared_ptr<const Schema> schema{};  // null: no parameters, unchecked, or nobody runs it
  };
  explicit Tool(Parts parts);

  std::shared_ptr<const Parts> parts_;  // never null
};
using Tools = std::vector<Tool>;

// What the models are told of them.
std::vector<ToolSpec> specs_of(const Tools& tools);

}  // namespace mellea
