// Questions about a thing, and changes to it.
#pragma once

#include <string>
#include <string_view>

#include "mellea/core/message.h"
#include "mellea/runtime/component.h"

namespace mellea {

// A question that `object` answers.
class Query : public Component {
 public:
  struct Parts {
    std::string object{};
    std::string query{};
  };
  explicit Query(Parts parts);

  std::string_view name() const override { return "Query"; }
  Message render(const Told& told) const override;

 private:
  Parts parts_;
};

// `object`, but changed; the answer is the whole of it.
class Transform : public Component {
 public:
  struct Parts {
    std::string object{};
    std::string transformation{};
  };
  explicit Transform(Parts parts);

  std::string_view name() const override { return "Transform"; }
  Message render(const Told& told) const override;

 private:
  Parts parts_;
};

}  // namespace mellea
