// A conversation so far.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "mellea/core/message.h"

namespace mellea {

// Immutable: add() gives a longer one that shares its messages, so any thread may read one.
class Context {
 public:
  // Whether a call sees the turns before it.
  enum class Kind {
    simple,  // no: each call stands alone
    chat,    // yes, all of them
  };

  static Context simple() { return Context(Kind::simple); }
  static Context chat() { return Context(Kind::chat); }

  [[nodiscard]] Context add(Message message) const;
  [[nodiscard]] Context cleared() const { return Context(kind_); }  // the same kind, no turns

  Kind kind() const noexcept { return kind_; }
  std::size_t size() const noexcept { return turns_->size(); }

  // Every turn, oldest first.
  std::vector<Message> messages() const;
  // The turns that go to the model with a new one: none of a simple context.
  std::vector<Message> view() const;

 private:
  using Turns = std::vector<std::shared_ptr<const Message>>;
  explicit Context(Kind kind) : kind_(kind) {}

  Kind kind_;
  std::shared_ptr<const Turns> turns_ = std::make_shared<const Turns>();  // never null
};
std::string_view to_string(Context::Kind kind) noexcept;

}  // namespace mellea
