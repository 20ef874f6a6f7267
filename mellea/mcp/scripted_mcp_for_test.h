// An MCP server without any way to reach it: messages in, messages out. Behind it is the program of
// tests/mcp on standard input and output, and a LoopbackServer in the tests of HTTP.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace mellea {

// Its tools:
//   echo      returns `text`
//   seen      all messages that it was sent, in a list
//   hold      no answer before `release`, which answers those held, the last first, and then itself
//   chatter   says what a server may say before its answer: a ping, a question that we can't
//   answer,
//             the answer to a question that nobody asked, notifications, progress
//   fail      says that it failed
//   fault     is a JSON-RPC error of number `code`
//   rich      content of all kinds
//   shape     structured content alone
//   grow      adds a tool, and says so
//   broken    an answer that is no result of a tool
//   odd       has a schema that we do not know all of
class ScriptedMcp {
 public:
  using Json = nlohmann::json;
  struct Options {
    std::string revision{};  // empty: the one that it is asked for
    bool tools = true;
    int page = 100;                   // tools to a page
    bool endless = false;             // each page has a next one
    std::vector<std::string> more{};  // tools that it lists, and does not have
  };

  explicit ScriptedMcp(Options options) : options_(std::move(options)) {}

  // What it sends for a message, in that order.
  std::vector<Json> hear(const Json& message) {
    seen_.push_back(message);
    if (!message.contains("method")) return {};
    const std::string method = message["method"];
    if (!message.contains("id")) return {};
    const Json id = message["id"];
    if (method == "initialize") return {result(id, greeting(message["params"]))};
    if (method == "tools/list") return {result(id, page(message.value("params", Json::object())))};
    if (method == "tools/call") return called(id, message["params"]);
    return {fault(id, -32601, "no such method")};
  }

  static Json result(const Json& id, Json result) {
    return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}};
  }
  static Json fault(const Json& id, int code, const std::string& message) {
    return {{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}};
  }
  static Json text(const Json& id, const std::string& text, bool failed = false) {
    return result(id, {{"content", {{{"type", "text"}, {"text", text}}}}, {"isError", failed}});
  }

 private:
  Json greeting(const Json& params) const {
    return {{"protocolVersion",
             options_.revision.empty() ? params["protocolVersion"] : Json(options_.revision)},
            {"capabilities",
             options_.tools ? Json{{"tools", {{"listChanged", true}}}} : Json::object()},
            {"serverInfo", {{"name", "scripted"}, {"version", "1.0"}}},
            {"instructions", "Be brief."}};
  }

  static Json tool(const std::string& name, Json properties = Json::object(),
                   Json required = Json::array()) {
    return {{"name", name},
            {"description", "It is " + name},
            {"inputSchema",
             {{"type", "object"},
              {"properties", std::move(properties)},
              {"required", std::move(required)}}}};
  }

  Json page(const Json& params) const {
    const Json text = {{"type", "string"}};
    Json all = {tool("echo", {{"text", text}, {"mark", text}}, {"text"})};
    for (const char* name :
         {"seen", "hold", "release", "chatter", "fail", "rich", "shape", "grow", "broken"})
      all.push_back(tool(name));
    all.push_back(tool("fault", {{"code", {{"type", "integer"}}}}, {"code"}));
    all.push_back(tool("odd", {{"a", text}}));
    all.back()["inputSchema"]["dependentRequired"] = {{"a", {"b"}}};
    all.push_back(tool("task"));
    all.back()["execution"] = {{"taskSupport", "required"}};
    for (const std::string& name : options_.more) all.push_back(tool(name));
    for (int more = 0; more < grown_; ++more) all.push_back(tool("more" + std::to_string(more)));
    const std::size_t from = std::stoul(params.value("cursor", "0"));
    const std::size_t to = std::min(all.size(), from + static_cast<std::size_t>(options_.page));
    Json page{{"tools", Json::array()}};
    for (std::size_t at = from; at < to; ++at) page["tools"].push_back(all[at]);
    if (options_.endless)
      page["nextCursor"] = "0";
    else if (to < all.size())
      page["nextCursor"] = std::to_string(to);
    return page;
  }

  std::vector<Json> called(const Json& id, const Json& params) {
    const std::string name = params["name"];
    const Json arguments = params.value("arguments", Json::object());
    if (name == "echo") return {text(id, arguments["text"])};
    if (name == "seen") return {text(id, Json(seen_).dump())};
    if (name == "hold") {
      held_.push_back(id);
      return {};
    }
    if (name == "release") return released(id);
    if (name == "chatter") return chatter(id, params);
    if (name == "fail") return {text(id, "no\nsuch file", true)};
    if (name == "fault") return {fault(id, arguments["code"], "as you wish")};
    if (name == "rich") return {result(id, {{"content", rich()}})};
    if (name == "shape")
      return {result(id, {{"structuredContent", {{"degrees", 21}}}, {"content", Json::array()}})};
    if (name == "broken") return {result(id, {{"contents", "none"}})};
    if (name == "odd") return {text(id, arguments.dump())};
    if (name == "grow") {
      ++grown_;
      return {{{"jsonrpc", "2.0"}, {"method", "notifications/tools/list_changed"}},
              text(id, "done")};
    }
    return {fault(id, -32602, "Unknown tool: " + name)};
  }

  std::vector<Json> released(const Json& id) {
    std::vector<Json> answers;
    for (auto held = held_.rbegin(); held != held_.rend(); ++held)
      answers.push_back(text(*held, "held " + held->dump()));
    held_.clear();
    answers.push_back(text(id, "released"));
    return answers;
  }

  static std::vector<Json> chatter(const Json& id, const Json& params) {
    std::vector<Json> said = {
        {{"jsonrpc", "2.0"}, {"id", "p1"}, {"method", "ping"}},
        {{"jsonrpc", "2.0"},
         {"id", 77},
         {"method", "sampling/createMessage"},
         {"params", Json::object()}},
        text(4711, "to nobody"),
        {{"jsonrpc", "2.0"}, {"method", "notifications/message"}, {"params", {{"data", "hm"}}}},
        {{"jsonrpc", "2.0"}, {"method", "notifications/unheard"}}};
    if (const Json token = params.value("/_meta/progressToken"_json_pointer, Json());
        !token.is_null())
      for (int step : {1, 2})
        said.push_back(
            {{"jsonrpc", "2.0"},
             {"method", "notifications/progress"},
             {"params",
              {{"progressToken", token}, {"progress", step}, {"total", 2}, {"message", "on it"}}}});
    said.push_back(text(id, "chatted"));
    return said;
  }

  static Json rich() {
    return {{{"type", "text"}, {"text", "first"}},
            {{"type", "image"}, {"mimeType", "image/png"}, {"data", "aGVsbG8="}},
            {{"type", "audio"}, {"mimeType", "audio/wav"}, {"data", ""}},
            {{"type", "resource"}, {"resource", {{"uri", "file:///a"}, {"text", "inside"}}}},
            {{"type", "resource"},
             {"resource", {{"uri", "file:///b"}, {"mimeType", "a/b"}, {"blob", "aGk="}}}},
            {{"type", "resource_link"}, {"uri", "file:///c"}, {"name", "c"}},
            {{"type", "hologram"}}};
  }

  const Options options_;
  std::vector<Json> seen_;
  std::vector<Json> held_;  // ids
  int grown_ = 0;
};

}  // namespace mellea
