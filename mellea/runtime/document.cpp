#include "mellea/runtime/document.h"

namespace mellea {

std::string to_string(const Document& document) {
  std::string text = "[Document";
  if (!document.id.empty()) text.append(" ").append(document.id);
  text += "]\n";
  if (!document.title.empty()) text.append(document.title).append(": ");
  return text.append(document.text);
}

}  // namespace mellea
