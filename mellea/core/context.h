// A conversation so far.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "mellea/core/message.h"

namespace mellea {

// Immutable: add() and with() give another one that shares its messages, so any thread may read
// one.
class Context {
 public:
  // Whether a call sees the turns before it.
  enum class Kind {
    simple,  // no: each call stands alone
    chat,    // yes, all of them
  };
  using Turns = std::vector<std::shared_ptr<const Message>>;  // none is null

  static Context simple() { return Context(Kind::simple); }
  static Context chat() { return Context(Kind::chat); }

  [[nodiscard]] Context add(Message message) const;
  [[nodiscard]] Context add(const Turns& more) const;
  [[nodiscard]] Context with(Turns turns) const;  // the same kind, with these instead
  [[nodiscard]] Context cleared() const { return Context(kind_); }  // the same kind, no turns

  Kind kind() const noexcept { return kind_; }
  std::size_t size() const noexcept { return turns_->size(); }

  // Every turn, oldest first; valid as long as a copy of this context is.
  const Turns& turns() const noexcept { return *turns_; }
  std::vector<Message> messages() const;
  // Whether it is `earlier`, or goes on from there: the very messages, not equal ones.
  bool continues(const Context& earlier) const noexcept;
  // The turns that go to the model with a new one: none of a simple context.
  std::vector<Message> view() const;

 private:
  explicit Context(Kind kind) : kind_(kind) {}

  Kind kind_;
  std::shared_ptr<const Turns> turns_ = std::make_shared<const Turns>();  // never null
};
std::string_view to_string(Context::Kind kind) noexcept;

}  // namespace mellea
