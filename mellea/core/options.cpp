#include "mellea/core/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>
#include <type_traits>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

template <class T>
struct Field {
  std::string_view name;
  Option<T> ModelOptions::*member;
};
template <class T>
Field(std::string_view, Option<T> ModelOptions::*) -> Field<T>;  // clang 14 does not find it

// Every option but `extra`, once.
constexpr std::tuple kFields{
    Field{"temperature", &ModelOptions::temperature},
    Field{"top_p", &ModelOptions::top_p},
    Field{"top_k", &ModelOptions::top_k},
    Field{"min_p", &ModelOptions::min_p},
    Field{"frequency_penalty", &ModelOptions::frequency_penalty},
    Field{"presence_penalty", &ModelOptions::presence_penalty},
    Field{"max_tokens", &ModelOptions::max_tokens},
    Field{"context_window", &ModelOptions::context_window},
    Field{"seed", &ModelOptions::seed},
    Field{"stop", &ModelOptions::stop},
    Field{"choices", &ModelOptions::choices},
    Field{"logprobs", &ModelOptions::logprobs},
    Field{"top_logprobs", &ModelOptions::top_logprobs},
    Field{"think", &ModelOptions::think},
    Field{"parallel_tool_calls", &ModelOptions::parallel_tool_calls},
    Field{"user", &ModelOptions::user},
    Field{"service_tier", &ModelOptions::service_tier},
};
constexpr auto kNames =
    std::apply([](const auto&... fields) { return std::array{fields.name...}; }, kFields);

template <class T>
constexpr OptionName named(const Field<T>& field) {
  using Type = OptionName::Type;
  if constexpr (std::is_same_v<T, double>) return {field.name, Type::number};
  if constexpr (std::is_same_v<T, std::int64_t>) return {field.name, Type::whole_number};
  if constexpr (std::is_same_v<T, bool>) return {field.name, Type::boolean};
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return {field.name, Type::texts};
  return {field.name, Type::text};
}
constexpr auto kTypes =
    std::apply([](const auto&... fields) { return std::array{named(fields)...}; }, kFields);

constexpr std::array<std::string_view, 7> kThinkLevels = {"none", "minimal", "low", "medium",
                                                          "high", "on",      "off"};

[[noreturn]] void refuse(std::string_view name, std::string_view value, std::string_view wanted) {
  throw Error(Errc::invalid_request, "option " + std::string(name) + ": \"" + one_line(value, 60) +
                                         "\" is not " + std::string(wanted));
}

template <class Number>
Number number(std::string_view name, std::string_view value, std::string_view wanted) {
  Number read{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), read);
  if (error != std::errc{} || end != value.data() + value.size()) refuse(name, value, wanted);
  return read;
}

struct FromText {
  std::string_view name;
  std::string_view value;

  void operator()(Option<double>& option) const {
    option = number<double>(name, value, "a number");
  }
  void operator()(Option<std::int64_t>& option) const {
    option = number<std::int64_t>(name, value, "a whole number");
  }
  void operator()(Option<bool>& option) const {
    if (value != "true" && value != "false") refuse(name, value, "true or false");
    option = value == "true";
  }
  void operator()(Option<std::string>& option) const {
    if (name == "think" &&
        std::find(kThinkLevels.begin(), kThinkLevels.end(), value) == kThinkLevels.end())
      refuse(name, value, "none, minimal, low, medium, high, on or off");
    option = std::string(value);
  }
  void operator()(Option<std::vector<std::string>>& option) const {
    std::vector<std::string> all = option ? *option : std::vector<std::string>{};
    all.emplace_back(value);
    option = std::move(all);
  }
};

}  // namespace

ModelOptions merged(const ModelOptions& nearer, const ModelOptions& wider) {
  ModelOptions both = nearer;
  std::apply(
      [&](const auto&... fields) {
        ((both.*fields.member = (nearer.*fields.member).or_else(wider.*fields.member)), ...);
      },
      kFields);
  if (wider.extra && nearer.extra) {
    nlohmann::json extra = *wider.extra;
    extra.update(*nearer.extra);
    both.extra = Json(std::move(extra));
  } else if (wider.extra) {
    both.extra = wider.extra;
  }
  return both;
}

std::vector<std::string_view> names_of_set(const ModelOptions& options) {
  std::vector<std::string_view> names;
  std::apply(
      [&](const auto&... fields) {
        ((options.*fields.member ? names.push_back(fields.name) : void()), ...);
      },
      kFields);
  return names;
}

std::span<const OptionName> option_names() noexcept { return kTypes; }

void set_option(ModelOptions& options, std::string_view name, std::string_view value) {
  if (name.starts_with("x.") && name.size() > 2) {
    nlohmann::json extra = options.extra ? *options.extra : nlohmann::json::object();
    nlohmann::json parsed = nlohmann::json::parse(value, nullptr, /*allow_exceptions=*/false);
    if (parsed.is_discarded() || nests_deeper_than(value, 256)) parsed = to_utf8(value);
    extra[std::string(name.substr(2))] = std::move(parsed);
    options.extra = Json(std::move(extra));
    return;
  }
  const FromText from_text{name, value};
  const bool is_known = std::apply(
      [&](const auto&... fields) {
        return ((fields.name == name && (from_text(options.*fields.member), true)) || ...);
      },
      kFields);
  if (is_known) return;
  const std::string meant = did_you_mean(name, kNames);
  throw Error(
      Errc::invalid_request,
      "unknown option \"" + one_line(name, 60) + "\"" +
          (meant.empty() ? ": x." + one_line(name, 60) + "=VALUE passes it on as it is" : meant));
}

}  // namespace mellea
