// What IBM Cloud's IAM says to an API key. Pure: no network.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mellea/backends/reply_decoder.h"

namespace mellea {

struct IamToken {
  std::string value{};                              // as it goes into a header
  std::optional<std::chrono::milliseconds> life{};  // from when it was made; nothing: not told
};

// Reads the answer to an exchange of a key and hands over the token that it has; there are no
// chunks. Of an answer that is wrong nothing is quoted: a token may be in it.
std::unique_ptr<ReplyDecoder> make_iam_decoder(std::shared_ptr<const RequestNames> names,
                                               std::function<void(IamToken)> take);

}  // namespace mellea
