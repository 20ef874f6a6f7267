// A result that is a struct.
#pragma once

#include <optional>
#include <utility>

#include "mellea/core/described.h"
#include "mellea/core/error.h"
#include "mellea/runtime/result.h"

namespace mellea {

// What the model was to answer with, format_of<T>(), and the value read from it. A value. Any
// thread may read it.
template <class T>
class Typed : public Result {
  static_assert(DescribedStruct<T>, "describe this type: MELLEA_DESCRIBE(Type, members...)");

 public:
  explicit Typed(Result result) : Result(std::move(result)) {
    try {
      value_ = read_described<T>(text());
    } catch (const Error& error) {
      unfit_ = error.with_partial_text(text());
    }
  }

  // Whether the text is one. It is but for an answer that calls tools: one that does not fit is an
  // Error of the call.
  bool has_value() const noexcept { return value_.has_value(); }
  // Throw Error (Errc::parse_error) that names what is wrong and where, if the text is none.
  const T& value() const& {
    if (unfit_) throw Error(*unfit_);
    return *value_;
  }
  T value() && {
    if (unfit_) throw Error(*unfit_);
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
  std::optional<Error> unfit_;  // why there is no value; nothing if there is one
};

}  // namespace mellea
