// A shared value that is copied when it is changed.
#pragma once

#include <memory>
#include <utility>

namespace mellea {

// A copy is one reference count. A const Cow gives a const T and nothing else, so an event that
// holds Cows is const all the way down when it is const. Copies may be read by any threads; one Cow
// is changed by one thread at a time.
template <class T>
class Cow {
 public:
  Cow(T value = {}) : value_(std::make_shared<const T>(std::move(value))) {}  // NOLINT: a value

  const T& operator*() const noexcept { return *value_; }
  const T* operator->() const noexcept { return value_.get(); }

  // Copies each time, so take it once. Other Cows never see the change.
  T& edit() {
    auto mine = std::make_shared<T>(*value_);
    T& value = *mine;
    value_ = std::move(mine);
    return value;
  }

  // The value as it is now, for those who keep it.
  const std::shared_ptr<const T>& share() const noexcept { return value_; }

 private:
  std::shared_ptr<const T> value_;  // never null
};

}  // namespace mellea
