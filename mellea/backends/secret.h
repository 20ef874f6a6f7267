// Keys and tokens that a server repeats: struck out before anybody reads its words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/request.h"

namespace mellea {

// `text` with *** in place of what it has in common with `secret`: all of it, or any 16 characters
// in a row, since what is quoted may be cut.
std::string without_secret(std::string_view text, std::string_view secret);

// The same for all that a server can have put into an error.
Error without_secret(const Error& error, std::string_view secret);

// The keys and tokens among a request's headers, without what says of which kind they are. Those of
// a few characters are placeholders ("none"), which may stand anywhere.
std::vector<std::string> secrets_in(const Headers& headers);

}  // namespace mellea
