// The head of an HTTP answer, line by line as libcurl hands it on.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "mellea/net/network.h"

namespace mellea {

// Collects the final head: those of status 1xx before it are passed over, trailers after it too.
class HttpHeadParser {
 public:
  static constexpr std::size_t kMaxBytes = 256U << 10U;

  // `line` has its line end. Returns false once more than kMaxBytes have come.
  [[nodiscard]] bool take_line(std::string_view line);
  bool done() const noexcept { return done_; }
  HttpHead take() noexcept { return std::move(head_); }  // once, when done

 private:
  HttpHead head_;
  std::size_t bytes_ = 0;
  bool done_ = false;
};

}  // namespace mellea
