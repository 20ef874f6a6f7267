#include "mellea/backends/tei_request.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/json_writer.h"
#include "mellea/backends/request_checks.h"

namespace mellea {
namespace {

constexpr RequestChecks kChecks("huggingface");

std::vector<Notice> ignored(const Request& request) {
  std::vector<Notice> notices;
  const auto ignored = [&notices](std::string_view name) {
    notices.push_back(kChecks.ignored(name, "embeddings have none"));
  };
  for (const std::string_view name : names_of_set(request.options)) ignored(name);
  if (!request.tools.empty()) ignored("tools");
  if (request.format) ignored("format");
  return notices;
}

}  // namespace

WrittenBatch write_tei_request(const Request& request) {
  const std::vector<std::string>& prompts = request.prompts;
  const Json& extra = request.options.extra;
  kChecks.extra(request.options);
  if (prompts.empty()) kChecks.refuse("no prompts");
  if (extra && extra->contains("inputs")) kChecks.refuse("extra: inputs are the prompts");
  WrittenBatch written{.notices = ignored(request)};
  for (std::size_t first = 0; first < prompts.size(); first += kTeiTexts) {
    JsonWriter json;
    json.begin_object().key("inputs").begin_array();
    for (std::size_t i = first; i < std::min(first + kTeiTexts, prompts.size()); ++i)
      json.text(kChecks.text(prompts[i], {"prompt", i + 1}));
    json.end_array();
    if (extra)
      for (const auto& [name, value] : extra->items())
        json.key(kChecks.text(name, {"extra"})).raw(Json(value).text());
    written.bodies.push_back(std::move(json.end_object()).take());
  }
  return written;
}

}  // namespace mellea
