// How a model is to answer: the sampling options, typed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/core/json.h"

namespace mellea {

// Says that an option is not to be sent, whatever a wider level says.
struct Off {};
inline constexpr Off off{};

// An option is unset (a wider level, then the provider, decides), set, or off.
template <class T>
class Option {
 public:
  Option() = default;
  Option(T value) : value_(std::move(value)) {}  // NOLINT: {.temperature = 0.2}
  Option(Off) : off_(true) {}                    // NOLINT: {.temperature = off}

  bool is_set() const noexcept { return value_.has_value(); }
  bool is_off() const noexcept { return off_; }
  explicit operator bool() const noexcept { return is_set(); }
  const T& operator*() const noexcept { return *value_; }
  const T* operator->() const noexcept { return &*value_; }

  // This option where it says something, else `wider`.
  const Option& or_else(const Option& wider) const noexcept {
    return is_set() || off_ ? *this : wider;
  }

 private:
  std::optional<T> value_;
  bool off_ = false;  // then there is no value
};

struct ModelOptions {
  Option<double> temperature{};
  Option<double> top_p{};
  Option<std::int64_t> top_k{};
  Option<double> min_p{};
  Option<double> frequency_penalty{};
  Option<double> presence_penalty{};
  Option<std::int64_t> max_tokens{};      // of the answer
  Option<std::int64_t> context_window{};  // tokens of prompt and answer; where the model is local
  Option<std::int64_t> seed{};
  Option<std::vector<std::string>> stop{};  // texts that end the answer
  Option<std::int64_t> choices{};           // answers to one request, "n"
  Option<bool> logprobs{};
  Option<std::int64_t> top_logprobs{};
  Option<std::string> think{};  // "none", "minimal", "low", "medium", "high", "on", "off"
  Option<bool> parallel_tool_calls{};
  Option<std::string> user{};
  Option<std::string> service_tier{};
  Json extra{};  // an object; its members go into the request as they are, and win
};

// Each option of `nearer` where it says something, else that of `wider`; `extra` member by member.
ModelOptions merged(const ModelOptions& nearer, const ModelOptions& wider);

// The names of the options that are set, `extra` aside, as set_option() takes them.
std::vector<std::string_view> names_of_set(const ModelOptions& options);

// What set_option() takes by name, `extra` aside, and what a value of it is.
struct OptionName {
  enum class Type { number, whole_number, boolean, text, texts };
  std::string_view name{};  // static lifetime
  Type type = Type::text;
};
std::span<const OptionName> option_names() noexcept;

// Sets an option from text: `temperature=0.2`, `stop=END` (again for a second one), `x.NAME=VALUE`
// into `extra` (VALUE is JSON, or else a string). Throws Error (Errc::invalid_request) that names
// the nearest known option, or what the value should have been.
void set_option(ModelOptions& options, std::string_view name, std::string_view value);

}  // namespace mellea
