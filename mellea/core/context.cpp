#include "mellea/core/context.h"

#include <algorithm>
#include <utility>

namespace mellea {

Context Context::add(Message message) const {
  return add(Turns{std::make_shared<const Message>(std::move(message))});
}

Context Context::add(const Turns& more) const {
  Turns turns;
  turns.reserve(turns_->size() + more.size());
  turns = *turns_;
  turns.insert(turns.end(), more.begin(), more.end());
  return with(std::move(turns));
}

Context Context::with(Turns turns) const {
  Context other(kind_);
  other.turns_ = std::make_shared<const Turns>(std::move(turns));
  return other;
}

bool Context::continues(const Context& earlier) const noexcept {
  return size() >= earlier.size() &&
         std::equal(earlier.turns_->begin(), earlier.turns_->end(), turns_->begin());
}

std::vector<Message> Context::messages() const {
  std::vector<Message> all;
  all.reserve(size() + 1);  // a call adds its own
  for (const auto& turn : *turns_) all.push_back(*turn);
  return all;
}

std::vector<Message> Context::view() const {
  return kind_ == Kind::chat ? messages() : std::vector<Message>{};
}

std::string_view to_string(Context::Kind kind) noexcept {
  return kind == Context::Kind::chat ? "ChatContext" : "SimpleContext";
}

}  // namespace mellea
