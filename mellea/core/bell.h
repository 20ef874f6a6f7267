// What one thread rings and another, which waits in poll(), hears.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "mellea/core/descriptor.h"

namespace mellea {

// Any thread may call anything, in a signal handler too.
class Bell {
 public:
  // Throws std::system_error if the system has no descriptor left.
  Bell() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!descriptor_) throw std::system_error(errno, std::generic_category(), "eventfd");
  }

  // Readable from ring() to hush().
  int descriptor() const noexcept { return descriptor_.get(); }
  void ring() const noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(::write(descriptor_.get(), &one, sizeof(one)) < 0);
  }
  void hush() const noexcept {
    std::uint64_t count = 0;
    static_cast<void>(::read(descriptor_.get(), &count, sizeof(count)) < 0);
  }

 private:
  Descriptor descriptor_;
};

}  // namespace mellea
