// A turn of a conversation, as it is.
//
//   session.act(mellea::Turn("Which of these mentions a storm?", {{.text = log, .id = "7"}}));
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/message.h"
#include "mellea/runtime/component.h"
#include "mellea/runtime/document.h"

namespace mellea {

// A message, with the documents that it speaks of. What sampling has to tell stands below them
// where a user speaks; the words of others are not added to.
class Turn : public Component {
 public:
  explicit Turn(Message message, const std::vector<Document>& documents = {});
  template <std::convertible_to<std::string_view> Text>
  explicit Turn(const Text& text, const std::vector<Document>& documents = {})
      : Turn(Message{.text = std::string(std::string_view(text))}, documents) {}

  std::string_view name() const override { return "Message"; }
  Message render(const Told& told) const override;

 private:
  Message message_;  // the documents are in its text
};

}  // namespace mellea
