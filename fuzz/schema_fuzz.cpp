// Whatever is a schema, and whatever is held against it: told in words, or allowed. What strict
// mode would write satisfies the schema that was asked for.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "mellea/backends/openai_request.h"
#include "mellea/core/error.h"
#include "mellea/core/schema.h"
#include "mellea/core/text.h"
#include "require.h"

namespace mellea {
namespace {

using nlohmann::json;

std::optional<Schema> schema_of(const Json& text) {
  try {
    return Schema(text);
  } catch (const Error& error) {
    require(error.code() == Errc::invalid_request, "what is refused is an invalid request");
    require(is_utf8(error.what()), "and says so in UTF-8");
  }
  return {};
}

// The schema that strict mode is asked to follow, if it is.
std::optional<Schema> strict_of(const Json& schema) {
  const Request asked{
      .model = "m", .messages = {{.text = "x"}}, .format = Format{.schema = schema}};
  const json body =
      json::parse(write_openai_request(asked, OpenAiDialect::of_host("api.openai.com")).body);
  const json& form = body["response_format"]["json_schema"];
  if (!form["strict"].get<bool>()) return {};
  return schema_of(Json(form["schema"]));
}

void check(const Json& text, const json& value) {
  const std::optional<Schema> schema = schema_of(text);
  if (!schema) return;
  const std::vector<SchemaProblem> problems = schema->check(value, 4);
  require(problems.size() <= 4, "not more is told than was asked for");
  require(problems.empty() == schema->allows(value), "what has no problem is allowed");
  for (const SchemaProblem& problem : problems)
    require(is_utf8(to_string(problem)), "a problem is told in UTF-8");
  if (const auto strict = strict_of(text); strict && strict->allows(value))
    require(problems.empty(), "what strict mode allows is allowed");
}

}  // namespace
}  // namespace mellea

// The schema is the first line, the value the rest.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const auto line = std::min(input.find('\n'), size);
  const std::string_view rest = input.substr(std::min(line + 1, size));
  constexpr std::size_t kMaxDepth = 256;  // as of an answer
  if (mellea::nests_deeper_than(rest, kMaxDepth)) return 0;
  const nlohmann::json value = nlohmann::json::parse(rest, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return 0;
  mellea::Json schema;
  try {
    schema = mellea::Json::parse(input.substr(0, line));
  } catch (const mellea::Error&) {
    return 0;
  }
  mellea::check(schema, value);
  return 0;
}
