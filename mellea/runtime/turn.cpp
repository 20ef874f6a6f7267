#include "mellea/runtime/turn.h"

#include <utility>

#include "mellea/runtime/sections.h"

namespace mellea {

Turn::Turn(Message message, const std::vector<Document>& documents) : message_(std::move(message)) {
  if (documents.empty()) return;
  message_.text += "\n\n";
  for (const Document& document : documents) message_.text.append("\n").append(to_string(document));
}

Message Turn::render(const Told& told) const {
  Message message = message_;
  if (message.role != Message::Role::user) return message;
  add_requirements(message.text, told);
  add_repair(message.text, told);
  return message;
}

}  // namespace mellea
