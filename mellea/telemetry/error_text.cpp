#include "mellea/telemetry/error_text.h"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>
#include <vector>

#include "mellea/core/text.h"

namespace mellea::telemetry {
namespace {

constexpr std::string_view kMask = "***";
constexpr std::size_t kLongRun =
    20;  // letters and digits in a row; with some of both it may be a key

constexpr std::string_view kKeyLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=.*~";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return low(x) == low(y);
  });
}

// What stands before a key, in a header or an address.
bool announces_key(std::string_view word) {
  static constexpr auto kWords =
      std::to_array<std::string_view>({"bearer", "basic", "key", "api-key", "apikey", "api_key",
                                       "token", "access_token", "authorization", "x-api-key"});
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view known) { return equal_in_any_case(word, known); });
}

bool looks_like_key(std::string_view word) {
  static constexpr auto kPrefixes = std::to_array<std::string_view>(
      {"sk-", "pk-", "sk_", "pk_", "rk-", "hf_", "gsk_", "xai-", "AIza", "AKIA", "eyJ", "ghp_"});
  const auto starts = [&](std::string_view prefix) {
    return word.size() > prefix.size() + 4 && word.starts_with(prefix);
  };
  if (std::any_of(kPrefixes.begin(), kPrefixes.end(), starts)) return true;
  if (word.find("**") != std::string_view::npos)
    return true;  // masked by the provider, but for ends
  // Names of models are long too, but have dashes and dots.
  while (!word.empty()) {
    const auto* end = std::find_if_not(word.begin(), word.end(),
                                       [](char c) { return is_digit(c) || is_letter(c); });
    const auto size = static_cast<std::size_t>(end - word.begin());
    if (size >= kLongRun && std::any_of(word.begin(), end, is_digit) &&
        std::any_of(word.begin(), end, is_letter))
      return true;
    word.remove_prefix(std::min(size + 1, word.size()));
  }
  return false;
}

// All starts of code points, and the end.
std::vector<std::size_t> starts_in(std::string_view text) {
  std::vector<std::size_t> starts;
  for (std::size_t at = 0; at < text.size(); ++at)
    if ((static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U) starts.push_back(at);
  starts.push_back(text.size());
  return starts;
}

// What was said of an error is compared with all that was said before, whoever it was.
class Quotations {
 public:
  explicit Quotations(std::string_view text) {
    each(text, [&](std::string_view piece) {
      pieces_.insert(piece);
      return false;
    });
  }

  bool in(std::string_view text) const {
    return each(text, [&](std::string_view piece) { return pieces_.contains(piece); });
  }

 private:
  // Whether `found` is true of any piece of that many code points.
  template <class Found>
  static bool each(std::string_view text, Found&& found) {
    const std::vector<std::size_t> starts = starts_in(text);
    for (std::size_t at = 0; at + ErrorText::kQuotation < starts.size(); ++at) {
      const std::size_t end = starts[at + ErrorText::kQuotation];
      if (found(text.substr(starts[at], end - starts[at]))) return true;
    }
    return false;
  }

  std::unordered_set<std::string_view> pieces_;
};

bool stand_in(const Quotations& said, const Message& message) {
  return said.in(message.text) || said.in(message.thinking) ||
         std::any_of(
             message.tool_calls.begin(), message.tool_calls.end(),
             [&](const ToolCall& call) { return said.in(call.name) || said.in(call.arguments); }) ||
         std::any_of(message.images.begin(), message.images.end(),
                     [&](const Image& image) { return said.in(image.url); });
}

// 400 and 422, also where they came inside an answer that began well: there providers quote.
bool blames_request(const Error& error) {
  const int status = error.details().status;
  return status == 400 || status == 422 || error.code() == Errc::invalid_request;
}

}  // namespace

std::string with_keys_masked(std::string_view text) {
  std::string masked;
  bool announced = false;  // the word before says that a key follows
  while (!text.empty()) {
    const std::size_t size = std::min(text.find_first_not_of(kKeyLetters), text.size());
    std::string_view word = text.substr(0, size);
    text.remove_prefix(size);
    // "KEY." at the end of a sentence, and "key=KEY".
    while (!word.empty()) {
      const std::size_t equals = std::min(word.find('='), word.size());
      const std::string_view part = word.substr(0, equals);
      const std::string_view bare = part.substr(0, part.find_last_not_of('.') + 1);
      const bool key = looks_like_key(bare) || (announced && bare.size() >= 8 &&
                                                std::any_of(bare.begin(), bare.end(), is_digit));
      masked.append(key ? kMask : bare).append(part.substr(bare.size()));
      if (!bare.empty()) announced = announces_key(bare);
      if (equals < word.size()) masked += '=';
      word.remove_prefix(std::min(equals + 1, word.size()));
    }
    const std::size_t other = std::min(text.find_first_of(kKeyLetters), text.size());
    masked += text.substr(0, other);
    text.remove_prefix(other);
  }
  return masked;
}

bool quotes(std::string_view text, const Request& request) {
  const Quotations said(text);
  return std::any_of(request.messages.begin(), request.messages.end(),
                     [&](const Message& message) { return stand_in(said, message); }) ||
         std::any_of(request.prompts.begin(), request.prompts.end(),
                     [&](const std::string& prompt) { return said.in(prompt); }) ||
         std::any_of(request.tools.begin(), request.tools.end(),
                     [&](const ToolSpec& tool) {
                       return said.in(tool.name) || said.in(tool.description) ||
                              (tool.parameters && said.in(tool.parameters.text()));
                     }) ||
         (request.format && request.format->schema && said.in(request.format->schema.text()));
}

ErrorText::ErrorText(ErrorMessages mode, std::shared_ptr<const Content> content)
    : mode_(mode), content_(std::move(content)) {}

std::string ErrorText::of(const Error& error, const Request* request) const {
  if (mode_ == ErrorMessages::none) return {};
  if (mode_ == ErrorMessages::full)
    return content_->redacted(with_keys_masked(one_line(error.what(), kFull)));
  if (!request || blames_request(error)) return {};
  const std::string said = to_utf8(error.details().provider_message);
  const std::string_view shown = first_code_points(said, kSafe);
  if (shown.empty() || quotes(shown, *request)) return {};
  return content_->redacted(with_keys_masked(one_line(shown, kSafe)));
}

}  // namespace mellea::telemetry
