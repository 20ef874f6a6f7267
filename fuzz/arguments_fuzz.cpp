// What a model wrote for a tool's arguments is refused in words, or is what the schema says; and a
// second time nothing is changed.
#include <fuzzer/FuzzedDataProvider.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "mellea/core/error.h"
#include "mellea/core/tool.h"
#include "require.h"

namespace mellea {
namespace {

constexpr std::array<std::string_view, 4> kSchemas = {
    R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer",
        "minimum":1,"default":1},"near":{"type":"boolean"},"at":{"type":"number"}},
        "required":["city"],"additionalProperties":false})",
    R"({"type":"object","properties":{"value":{"type":["integer","null"]},
        "children":{"type":"array","items":{"$ref":"#"}}},"required":["value"]})",
    R"({"type":"object","properties":{"x":{"$ref":"#/$defs/X"}},"$defs":{"X":{"anyOf":[
        {"type":"integer"},{"type":"array","items":{"$ref":"#/$defs/X"}},
        {"type":"object","additionalProperties":{"$ref":"#/$defs/X"}},{"enum":["a","b"]}]}}})",
    R"({"type":"object","properties":{"l":{"oneOf":[{"type":"array","prefixItems":[
        {"type":"string","maxLength":3},{"type":"number"}],"maxItems":2,"uniqueItems":true},
        {"type":"boolean"}]},"m":{"allOf":[{"type":"integer"},{"maximum":9}]}}})"};

std::optional<Json> arguments(const Tool& tool, const std::string& written) {
  try {
    return tool.arguments(written);
  } catch (const Error& error) {
    require(error.code() == Errc::invalid_request, "what is refused is an invalid request");
    return {};
  }
}

void check(const Json& parameters, const std::string& written) {
  const Tool tool({.name = "f", .parameters = parameters},
                  [](const Json&, const Call&) { return std::string(); });
  const auto given = arguments(tool, written);
  if (!given) return;
  require(Schema(parameters).allows(**given), "arguments are what the schema says");
  const auto again = arguments(tool, given->text());
  require(again && again->text() == given->text(), "what fits stays as it is");
}

}  // namespace
}  // namespace mellea

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider input(bytes, size);
  const auto known = input.ConsumeIntegralInRange<std::size_t>(0, mellea::kSchemas.size());
  if (known < mellea::kSchemas.size()) {
    mellea::check(mellea::Json::parse(mellea::kSchemas[known]),
                  input.ConsumeRemainingBytesAsString());
    return 0;
  }
  const std::string schema = input.ConsumeRandomLengthString(400);
  const std::string written = input.ConsumeRemainingBytesAsString();
  try {
    const mellea::Tool tool({.name = "f", .parameters = mellea::Json::parse(schema)},
                            [](const mellea::Json&, const mellea::Call&) { return std::string(); });
    (void)mellea::arguments(tool, written);
  } catch (const mellea::Error&) {  // no schema
  }
  return 0;
}
