// What a provider, a tool or a plugin said of a failure, as telemetry shows it. It gets there here
// and nowhere else.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "mellea/core/error.h"
#include "mellea/core/request.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/content.h"

namespace mellea::telemetry {

// Any thread may call anything.
class ErrorText {
 public:
  static constexpr std::size_t kSafe = 256;  // code points; likewise below
  static constexpr std::size_t kFull = 4'096;
  static constexpr std::size_t kQuotation = 16;  // so many of the request's in a row are one

  ErrorText() = default;  // shows nothing
  // `content` has the redactor; it is asked last.
  ErrorText(ErrorMessages mode, std::shared_ptr<const Content> content);

  // One line; empty if nothing may be shown. `request` is what failed; null where that is unknown,
  // and then nothing is safe.
  std::string of(const Error& error, const Request* request) const;

 private:
  const ErrorMessages mode_ = ErrorMessages::none;
  const std::shared_ptr<const Content> content_{};  // never null unless the mode is none
};

// `text` with each word that looks like a key replaced by "***".
std::string with_keys_masked(std::string_view text);

// Whether kQuotation code points in a row of `text`, which is valid UTF-8, stand in one of the
// request's texts.
bool quotes(std::string_view text, const Request& request);

}  // namespace mellea::telemetry
