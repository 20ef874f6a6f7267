#include "mellea/backends/secret.h"

#include <algorithm>
#include <utility>

namespace mellea {
namespace {

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace

std::string without_secret(std::string_view text, std::string_view secret) {
  constexpr std::size_t kRow = 16;
  const std::size_t row = std::min(kRow, secret.size());
  if (row == 0) return std::string(text);
  std::string shown;
  while (!text.empty()) {
    const std::size_t found = text.size() < row ? secret.npos : secret.find(text.substr(0, row));
    if (found == secret.npos) {
      shown += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::string_view rest = secret.substr(found);
    const auto end = std::mismatch(text.begin(), text.end(), rest.begin(), rest.end()).first;
    text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
    shown += "***";
  }
  return shown;
}

Error without_secret(const Error& error, std::string_view secret) {
  ErrorDetails details = error.details();
  for (std::string* text : {&details.provider_code, &details.provider_message, &details.request_id})
    *text = without_secret(*text, secret);
  return Error(error.code(), without_secret(error.what(), secret), std::move(details));
}

std::vector<std::string> secrets_in(const Headers& headers) {
  constexpr std::size_t kShortest = 8;
  std::vector<std::string> secrets;
  for (const auto& [name, value] : headers) {
    const std::string known = lower_case(name);
    if (known != "authorization" && known != "api-key" && known != "x-api-key") continue;
    const auto scheme = known == "authorization" ? value.find(' ') : value.npos;
    std::string secret = scheme == value.npos ? value : value.substr(scheme + 1);
    if (secret.size() >= kShortest) secrets.push_back(std::move(secret));
  }
  return secrets;
}

}  // namespace mellea
