#include "mellea/backends/request_checks.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {

std::string Part::text() const {
  std::string all(name);
  if (number > 0) all += ' ' + std::to_string(number);
  if (!detail.empty()) all.append(", ").append(detail);
  return all;
}

void RequestChecks::refuse(const std::string& what) const {
  throw Error(Errc::invalid_request, std::string(provider_) + ": " + what);
}

std::string_view RequestChecks::text(std::string_view text, const Part& part) const {
  if (!simdjson::validate_utf8(text.data(), text.size()))
    refuse(part.text() + ": the text is not valid UTF-8");
  return text;
}

double RequestChecks::number(double number, std::string_view option) const {
  if (!std::isfinite(number)) refuse("option " + std::string(option) + ": not a finite number");
  return number;
}

void RequestChecks::extra(const ModelOptions& options) const {
  if (options.extra && !options.extra->is_object()) refuse("extra: not a JSON object");
}

int RequestChecks::choices(const ModelOptions& options) const {
  constexpr std::int64_t kMost = 1024;
  const std::int64_t choices = options.choices ? *options.choices : 1;
  if (choices < 1 || choices > kMost)
    refuse("option choices: " + std::to_string(choices) + " answers: there can be 1 to " +
           std::to_string(kMost));
  return static_cast<int>(choices);
}

void RequestChecks::tool_choice(const Request& request) const {
  const ToolChoice& choice = request.tool_choice;
  const bool named = choice.mode == ToolChoice::Mode::named;
  if (request.tools.empty() && (named || choice.mode == ToolChoice::Mode::required))
    refuse("a tool must be called, but there are none");
  if (!named) return;
  std::vector<std::string_view> known;
  for (const ToolSpec& tool : request.tools) known.push_back(tool.name);
  if (std::find(known.begin(), known.end(), choice.name) == known.end())
    refuse("tool_choice: there is no tool \"" + one_line(choice.name, 60) + "\"" +
           did_you_mean(choice.name, known));
}

Notice RequestChecks::ignored(std::string_view option, std::string_view why) const {
  const std::string name(option);
  return {
      .kind = Notice::Kind::option_ignored,
      .text = std::string(provider_) + ": option " + name + " was not sent: " + std::string(why),
      .name = name};
}

}  // namespace mellea
