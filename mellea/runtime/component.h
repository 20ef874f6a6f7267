// What is said to a model, before it is words.
//
//   class Riddle : public mellea::Component {
//    public:
//     std::string_view name() const override { return "Riddle"; }
//     mellea::Message render(const mellea::Told&) const override { return {.text = "What has
//     hands?"}; }
//   };
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/message.h"
#include "mellea/core/prompt.h"

namespace mellea {

// What sampling wants the model to be told beside a component's own words.
struct Told {
  std::vector<std::string> requirements{};  // descriptions; those check_only are not among them
  std::vector<std::string> repair{};        // what was wrong with the answer before; empty: nothing
};

// What is said to a model. Any thread may render one.
class Component {
 public:
  virtual ~Component() = default;

  // Its class name, for spans and events: static lifetime.
  virtual std::string_view name() const = 0;
  // Throws Error (Errc::invalid_request), e.g. for a missing variable.
  virtual Message render(const Told& told) const = 0;
  // Where it comes from; null: from no template.
  virtual std::shared_ptr<const Prompt> prompt() const { return nullptr; }
};

}  // namespace mellea
