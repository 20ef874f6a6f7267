#include "mellea/mcp/mcp_answers.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 4> kRevisions = {"2024-11-05", "2025-03-26", "2025-06-18",
                                                        kMcpRevision};

[[noreturn]] void refuse(const std::string& what) { throw Error(Errc::parse_error, what); }

// The member of `object`, or null.
const json& member(const json& object, const char* name) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

// Empty if there is none.
std::string text_in(const json& object, const char* name) {
  const json& text = member(object, name);
  if (text.is_null()) return {};
  if (!text.is_string()) refuse(std::string(name) + " is no text");
  return text.get<std::string>();
}

ToolSpec read_tool(const json& tool) {
  ToolSpec spec{.name = text_in(tool, "name"), .description = text_in(tool, "description")};
  if (spec.name.empty()) refuse("a tool has no name");
  if (spec.description.empty()) spec.description = text_in(tool, "title");
  const json& schema = member(tool, "inputSchema");
  if (!schema.is_object()) refuse("the tool " + one_line(spec.name, 60) + " has no inputSchema");
  spec.parameters = Json(schema);
  return spec;
}

// How many bytes a text in base64 stands for.
std::size_t decoded_size(std::string_view base64) {
  const auto end = base64.find_last_not_of("=\r\n");
  return end == base64.npos ? 0 : (end + 1) * 3 / 4;
}

// "[image: image/png, 2048 bytes]"
std::string stand_in(const std::string& kind, const json& part, const char* bytes) {
  const std::string mime = text_in(part, "mimeType");
  return '[' + kind + ": " + (mime.empty() ? "" : one_line(mime, 80) + ", ") +
         std::to_string(decoded_size(text_in(part, bytes))) + " bytes]";
}

std::string read_resource(const json& resource) {
  if (!resource.is_object()) refuse("a part of the content has no resource");
  return resource.contains("text") ? text_in(resource, "text")
                                   : stand_in("resource", resource, "blob");
}

std::string read_part(const json& part) {
  const std::string type = text_in(part, "type");
  if (type == "text") return text_in(part, "text");
  if (type == "image" || type == "audio") return stand_in(type, part, "data");
  if (type == "resource") return read_resource(member(part, "resource"));
  if (type == "resource_link")
    return "[link: " + one_line(text_in(part, "name"), 80) + ", " + text_in(part, "uri") + ']';
  if (type.empty()) refuse("a part of the content has no type");
  return '[' + one_line(type, 80) + ']';
}

}  // namespace

bool is_known_mcp_revision(std::string_view revision) noexcept {
  return std::find(kRevisions.begin(), kRevisions.end(), revision) != kRevisions.end();
}

McpGreeting read_mcp_greeting(const Json& result) {
  const json& server = member(*result, "serverInfo");
  McpGreeting greeting{.revision = text_in(*result, "protocolVersion"),
                       .name = text_in(server, "name"),
                       .version = text_in(server, "version"),
                       .instructions = text_in(*result, "instructions"),
                       .has_tools = member(member(*result, "capabilities"), "tools").is_object()};
  if (greeting.revision.empty()) refuse("it does not say its protocolVersion");
  return greeting;
}

McpToolsPage read_mcp_tools(const Json& result) {
  const json& tools = member(*result, "tools");
  if (!tools.is_array()) refuse("there is no list of tools");
  McpToolsPage page{.next_cursor = text_in(*result, "nextCursor")};
  for (const json& tool : tools)
    if (member(member(tool, "execution"), "taskSupport") != "required")
      page.tools.push_back(read_tool(tool));
  return page;
}

McpToolAnswer read_mcp_tool_answer(const Json& result) {
  const json& content = member(*result, "content");
  const json& structured = member(*result, "structuredContent");
  if (!content.is_array() && structured.is_null()) refuse("there is no content");
  McpToolAnswer answer{.failed = member(*result, "isError") == true};
  if (!content.empty()) {
    for (const json& part : content)
      answer.text.append(&part == &content.front() ? "" : "\n").append(read_part(part));
  } else if (!structured.is_null()) {
    answer.text = Json(structured).text();
  }
  return answer;
}

McpFault read_mcp_fault(const Json& error) {
  const json& code = member(*error, "code");
  return {.code = code.is_number_integer() ? code.get<std::int64_t>() : 0,
          .message = text_in(*error, "message")};
}

}  // namespace mellea
