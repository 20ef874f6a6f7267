// What a model is told to do.
//
//   session.instruct("Write a haiku about the sea.");
//   session.instruct(mellea::Instruction({.description = "Answer {{name}}'s question.",
//                                         .grounding = {{"manual", manual}},
//                                         .variables = {{"name", name}}}));
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/core/message.h"
#include "mellea/runtime/component.h"
#include "mellea/runtime/template.h"

namespace mellea {

// Its prompt has these sections, each on lines of its own, and those that are empty are not there:
// prefix, description, requirements, examples, grounding, what was wrong before, output_prefix.
class Instruction : public Component {
 public:
  struct Parts {
    std::string description{};
    std::vector<std::string> examples{};
    // What the answer is to be based on: a key, which may be empty, and a text. No {{name}} in
    // these is replaced: they come from elsewhere.
    std::vector<std::pair<std::string, std::string>> grounding{};
    // If there are any, each {{name}} in what is said is replaced: see fill(). If there are none,
    // braces are braces.
    Variables variables{};
    std::string prefix{};         // said before all else
    std::string output_prefix{};  // said last: how the answer goes on from there
    std::vector<Image> images{};
    std::vector<Audio> audio{};
  };

  // Throws Error (Errc::invalid_request), e.g. for a missing variable.
  Instruction(Parts parts);  // NOLINT: a value
  // A template, since g++ 12 takes {.description = "..."} for a text too.
  template <std::convertible_to<std::string_view> Text>
  Instruction(const Text& text)  // NOLINT: "Write a haiku." is one
      : Instruction(Parts{.description = std::string(std::string_view(text))}) {}
  // The text of `from` is the description; each {{name}} in it has to have a value in `parts`.
  Instruction(const Template& from, Parts parts);

  std::string_view name() const override { return "Instruction"; }
  Message render(const Told& told) const override;
  std::shared_ptr<const Prompt> prompt() const override { return prompt_; }

 private:
  Parts parts_;                           // filled
  std::shared_ptr<const Prompt> prompt_;  // null: from no template
};

}  // namespace mellea
