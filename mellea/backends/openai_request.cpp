#include "mellea/backends/openai_request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/json_writer.h"

namespace mellea {
namespace {

constexpr std::size_t kMaxSchemaDepth = 256;

// Calls `visit` with each schema that stands right in `schema`, which may be const.
template <class Node, class Visit>
void for_each_inner(Node& schema, const Visit& visit) {
  if (const auto items = schema.find("items"); items != schema.end()) visit(*items);
  for (const char* keyword :
       {"properties", "$defs", "definitions", "anyOf", "oneOf", "allOf", "prefixItems"})
    if (const auto found = schema.find(keyword); found != schema.end() && found->is_structured())
      for (auto& inner : *found) visit(inner);
}

// Whether `schema` is a reference and says no more than that.
bool is_mere_reference(const nlohmann::json& schema) {
  static constexpr auto kMore = std::to_array<std::string_view>(
      {"$ref", "$defs", "definitions", "$schema", "title", "description", "default"});
  if (!schema.is_object() || !schema.contains("$ref")) return false;
  for (const auto& [name, value] : schema.items())
    if (std::find(kMore.begin(), kMore.end(), name) == kMore.end()) return false;
  return true;
}

// The outermost schema must be an object itself, and not lead to one.
nlohmann::json with_root(nlohmann::json schema) {
  if (!is_mere_reference(schema) || !schema["$ref"].is_string()) return schema;
  const std::string reference = schema["$ref"];
  for (const char* place : {"$defs", "definitions"}) {
    const std::string beginning = std::string("#/") + place + '/';
    if (!reference.starts_with(beginning) || !schema.contains(place)) continue;
    const auto meant = schema[place].find(reference.substr(beginning.size()));
    if (meant == schema[place].end() || !meant->is_object()) continue;
    const nlohmann::json root = *meant;
    schema.erase("$ref");
    schema.update(root);
    break;
  }
  return schema;
}

// What strict mode has no word for, as a clause; empty if it can say the same. It would forbid
// members whose names are not known.
std::string_view not_for_strict_mode(const nlohmann::json& schema, std::size_t depth = 0) {
  static constexpr auto kUnknown = std::to_array<std::string_view>(
      {"allOf", "oneOf", "not", "if", "dependentRequired", "dependentSchemas", "patternProperties",
       "propertyNames", "minProperties", "maxProperties", "unevaluatedProperties", "prefixItems",
       "unevaluatedItems", "contains", "uniqueItems", "minLength", "maxLength"});
  if (depth > kMaxSchemaDepth) return {};  // is refused for that
  if (!schema.is_object()) return "schemas that are true or false";
  for (const std::string_view keyword : kUnknown)
    if (schema.contains(keyword)) return keyword;
  const auto more = schema.find("additionalProperties");
  if (more != schema.end() && *more != false) return "maps";
  if (depth == 0 &&
      (schema.value("type", nlohmann::json()) != "object" || schema.contains("anyOf")))
    return "answers that are no object";
  if (schema.contains("$ref") && !is_mere_reference(schema))
    return "references with more beside them";
  const bool is_any = !schema.contains("type") && !schema.contains("$ref") &&
                      !schema.contains("enum") && !schema.contains("const") &&
                      !schema.contains("anyOf");
  if (is_any) return "values of any type";
  std::string_view found;
  for_each_inner(schema, [&](const nlohmann::json& inner) {
    if (found.empty()) found = not_for_strict_mode(inner, depth + 1);
  });
  return found;
}

class RequestWriter {
 public:
  RequestWriter(const Request& request, OpenAiDialect dialect, std::string_view provider)
      : checks_(provider), request_(request), options_(request.options), dialect_(dialect) {
    checks_.extra(options_);
  }

  WrittenRequest chat() && {
    if (request_.messages.empty()) checks_.refuse("no messages");
    json_.begin_object();
    model();
    if (member("messages")) messages();
    tools();
    format();
    sampling();
    chat_options();
    think();
    return std::move(*this).finish("/chat/completions");
  }

  WrittenRequest completion() && {
    if (request_.prompts.empty()) checks_.refuse("no prompts");
    json_.begin_object();
    model();
    if (member("prompt")) prompts();
    if (!request_.tools.empty()) ignored("tools", "completions have none");
    if (request_.format) ignored("format", "completions have none");
    if (options_.think) ignored("think", "completions do not think");
    if (options_.service_tier) ignored("service_tier", "completions have none");
    if (options_.parallel_tool_calls) ignored("parallel_tool_calls", "completions have no tools");
    sampling();
    number("max_tokens", options_.max_tokens);
    completion_logprobs();
    return std::move(*this).finish("/completions");
  }

  WrittenRequest embedding() && {
    if (request_.prompts.empty()) checks_.refuse("no prompts");
    json_.begin_object();
    model();
    if (member("input")) prompts();
    text("user", options_.user);
    ignore_all_but_user();
    return std::move(*this).finish("/embeddings");
  }

  OpenAiPieces pieces() && {
    messages();
    std::string all_messages = std::exchange(json_, {}).take();
    tool_list();
    std::string all_tools = std::exchange(json_, {}).take();
    if (request_.format) response_format(*request_.format);
    return {std::move(all_messages), std::move(all_tools), std::move(json_).take(),
            std::move(notices_)};
  }

 private:
  // Writes a key of the outermost object, unless `extra` has that key and so the last word.
  bool member(std::string_view name) {
    if (options_.extra && options_.extra->contains(name)) return false;
    json_.key(name);
    return true;
  }

  void ignored(std::string_view option, std::string_view why) {
    notices_.push_back(checks_.ignored(option, why));
  }

  // Completions have one number where chats have a switch and a number.
  void completion_logprobs() {
    const bool off = options_.logprobs && !*options_.logprobs;
    if (off || (!options_.logprobs && !options_.top_logprobs) || !member("logprobs")) return;
    json_.number(options_.top_logprobs ? *options_.top_logprobs : std::int64_t{1});
  }

  void ignore_all_but_user() {
    for (const std::string_view name : names_of_set(options_))
      if (name != "user") ignored(name, "embeddings have none");
    if (!request_.tools.empty()) ignored("tools", "embeddings have none");
    if (request_.format) ignored("format", "embeddings have none");
  }

  void model() {
    if (request_.model.empty()) checks_.refuse("no model given");
    if (member("model")) json_.text(checks_.text(request_.model, {"the model's name"}));
  }

  void prompts() {
    json_.begin_array();
    for (std::size_t i = 0; i < request_.prompts.size(); ++i)
      json_.text(checks_.text(request_.prompts[i], {"prompt", i + 1}));
    json_.end_array();
  }

  void messages() {
    json_.begin_array();
    for (std::size_t i = 0; i < request_.messages.size(); ++i) message(request_.messages[i], i + 1);
    json_.end_array();
  }

  void message(const Message& message, std::size_t number) {
    checks_.text(message.text, {"message", number, to_string(message.role)});
    json_.begin_object().key("role").text(to_string(message.role)).key("content");
    if (!message.images.empty() || !message.audio.empty())
      parts(message, number);
    else if (message.text.empty() && !message.tool_calls.empty())
      json_.null();
    else
      json_.text(message.text);
    if (message.role == Message::Role::tool)
      json_.key("tool_call_id").text(checks_.text(message.tool_call_id, {"message", number, "id"}));
    if (!message.tool_calls.empty()) {
      tool_calls(message, number);
      if (!message.thinking.empty() && !dialect_.thinking_member.empty())
        json_.key(dialect_.thinking_member)
            .text(checks_.text(message.thinking, {"message", number, "thinking"}));
    }
    json_.end_object();
  }

  void parts(const Message& message, std::size_t number) {
    json_.begin_array();
    if (!message.text.empty())
      json_.begin_object().key("type").text("text").key("text").text(message.text).end_object();
    for (const Image& image : message.images) {
      json_.begin_object().key("type").text("image_url").key("image_url").begin_object();
      json_.key("url").text(checks_.text(image.url, {"message", number, "image"}));
      if (!image.detail.empty())
        json_.key("detail").text(checks_.text(image.detail, {"message", number, "image"}));
      json_.end_object().end_object();
    }
    for (const Audio& audio : message.audio) {
      const Part what{"message", number, "audio"};
      json_.begin_object().key("type").text("input_audio").key("input_audio").begin_object();
      json_.key("data").text(checks_.text(audio.data, what));
      json_.key("format").text(checks_.text(audio.format, what)).end_object().end_object();
    }
    json_.end_array();
  }

  void tool_calls(const Message& message, std::size_t number) {
    const Part what{"message", number, "tool call"};
    json_.key("tool_calls").begin_array();
    for (const ToolCall& call : message.tool_calls) {
      json_.begin_object().key("id").text(checks_.text(call.id, what)).key("type").text("function");
      json_.key("function").begin_object().key("name").text(checks_.text(call.name, what));
      json_.key("arguments").text(checks_.text(call.arguments, what)).end_object().end_object();
    }
    json_.end_array();
  }

  void tools() {
    const std::vector<ToolSpec>& tools = request_.tools;
    if (!tools.empty() && member("tools")) tool_list();
    const ToolChoice& choice = request_.tool_choice;
    checks_.tool_choice(request_);
    if (!tools.empty() && choice.mode != ToolChoice::Mode::provider_default &&
        member("tool_choice"))
      tool_choice(choice);
    if (!options_.parallel_tool_calls) return;
    if (tools.empty())
      ignored("parallel_tool_calls", "there are no tools");
    else if (dialect_.tgi)
      ignored("parallel_tool_calls", kNotTgi);
    else if (member("parallel_tool_calls"))
      json_.boolean(*options_.parallel_tool_calls);
  }

  void tool_list() {
    json_.begin_array();
    for (std::size_t i = 0; i < request_.tools.size(); ++i)
      tool(request_.tools[i], {"tool", i + 1});
    json_.end_array();
  }

  void tool(const ToolSpec& tool, const Part& what) {
    json_.begin_object().key("type").text("function").key("function").begin_object();
    json_.key("name").text(checks_.text(tool.name, what));
    if (!tool.description.empty())
      json_.key("description").text(checks_.text(tool.description, what));
    if (tool.parameters) json_.key("parameters").raw(tool.parameters.text());
    json_.end_object().end_object();
  }

  void tool_choice(const ToolChoice& choice) {
    switch (choice.mode) {
      case ToolChoice::Mode::none: json_.text("none"); return;
      case ToolChoice::Mode::required: json_.text("required"); return;
      case ToolChoice::Mode::named: break;
      default: json_.text("auto"); return;
    }
    json_.begin_object().key("type").text("function").key("function").begin_object();
    json_.key("name").text(choice.name).end_object().end_object();
  }

  void format() {
    if (!request_.format || !member("response_format")) return;
    const Format& format = *request_.format;
    if (dialect_.tgi) {
      json_.begin_object().key("type").text("json").key("value");
      json_.raw(format.schema ? format.schema.text() : R"({"type":"object"})").end_object();
      return;
    }
    response_format(format);
  }

  void response_format(const Format& format) {
    json_.begin_object().key("type");
    if (!format.schema || !dialect_.knows_schemas) {
      if (format.schema) ignored("format.schema", "this service knows any JSON object, or none");
      json_.text("json_object").end_object();
      return;
    }
    json_.text("json_schema").key("json_schema").begin_object();
    json_.key("name").text(format.name.empty() ? "answer"
                                               : checks_.text(format.name, {"the format's name"}));
    const std::string_view unknown = format.strict && dialect_.own_service
                                         ? not_for_strict_mode(with_root(*format.schema))
                                         : std::string_view();
    if (!unknown.empty()) ignored("format.strict", "strict mode knows no " + std::string(unknown));
    const bool strict = format.strict && unknown.empty();
    json_.key("schema").raw(dialect_.own_service && strict ? strict_schema(format.schema).text()
                                                           : format.schema.text());
    json_.key("strict").boolean(strict).end_object().end_object();
  }

  // The options that completions know too.
  void sampling() {
    if (options_.context_window) ignored("context_window", "the server has decided");
    number("temperature", options_.temperature);
    if (!dialect_.tgi || !options_.top_p || *options_.top_p != 1)  // all of it: an error there
      number("top_p", options_.top_p);
    if_known("top_k", options_.top_k);
    if_known("min_p", options_.min_p);
    number("frequency_penalty", options_.frequency_penalty);
    number("presence_penalty", options_.presence_penalty);
    number("seed", options_.seed);
    choices();
    if (options_.stop && member("stop")) {
      json_.begin_array();
      for (const std::string& stop : *options_.stop)
        json_.text(checks_.text(stop, {"option stop"}));
      json_.end_array();
    }
    unless_tgi("user", options_.user);
  }

  void choices() {
    if (dialect_.tgi && options_.choices && *options_.choices != 1)
      ignored("choices", "TGI gives one answer to a chat");
    else
      number("n", options_.choices);
  }

  void chat_options() {
    number(dialect_.own_service ? "max_completion_tokens" : "max_tokens", options_.max_tokens);
    if (options_.logprobs && member("logprobs")) json_.boolean(*options_.logprobs);
    number("top_logprobs", options_.top_logprobs);
    unless_tgi("service_tier", options_.service_tier);
  }

  void think() {
    if (!options_.think) return;
    const std::string_view think = checks_.text(*options_.think, {"option think"});
    const bool off = think == "off" || think == "none";
    const bool is_switch = off || think == "on";
    switch (dialect_.thinking) {
      case OpenAiDialect::Thinking::effort:
        if (member("reasoning_effort")) json_.text(off ? "none" : is_switch ? "medium" : think);
        return;
      case OpenAiDialect::Thinking::chat_template:
        if (!off && member("reasoning_effort")) json_.text(is_switch ? "medium" : think);
        if (is_switch) enable_thinking(!off);
        return;
      case OpenAiDialect::Thinking::deepseek:
        if (!is_switch && member("reasoning_effort")) json_.text(think);
        if (is_switch && member("thinking"))
          json_.begin_object().key("type").text(off ? "disabled" : "enabled").end_object();
        return;
      case OpenAiDialect::Thinking::none: ignored("think", "this service does not know it"); return;
      case OpenAiDialect::Thinking::openrouter: break;
    }
    if (!member("reasoning")) return;
    json_.begin_object();
    if (is_switch && !off)
      json_.key("enabled").boolean(true);
    else
      json_.key("effort").text(off ? "none" : think);
    json_.end_object();
  }

  // Joined with the chat_template_kwargs of `extra`, unless that says something else altogether.
  void enable_thinking(bool enable) {
    nlohmann::json kwargs = {{"enable_thinking", enable}};
    if (options_.extra && options_.extra->contains(kKwargs)) {
      const nlohmann::json& theirs = (*options_.extra)[kKwargs];
      if (!theirs.is_object()) return;
      kwargs.update(theirs);
    }
    json_.key(kKwargs).raw(Json(std::move(kwargs)).text());
    kwargs_written_ = true;
  }

  void number(std::string_view name, const Option<double>& option) {
    if (option && member(name)) json_.number(checks_.number(*option, name));
  }
  void number(std::string_view name, const Option<std::int64_t>& option) {
    if (option && member(name)) json_.number(*option);
  }
  void text(std::string_view name, const Option<std::string>& option) {
    if (option && member(name)) json_.text(checks_.text(*option, {"option", 0, name}));
  }

  // An option that the large services do not know.
  template <class T>
  void if_known(std::string_view name, const Option<T>& option) {
    if (option && !dialect_.knows_more_sampling)
      ignored(name, "this service does not know it");
    else
      number(name, option);
  }

  void unless_tgi(std::string_view name, const Option<std::string>& option) {
    if (option && dialect_.tgi)
      ignored(name, kNotTgi);
    else
      text(name, option);
  }

  WrittenRequest finish(std::string_view path) && {
    if (request_.stream && request_.kind != Request::Kind::embedding) {
      if (member("stream")) json_.boolean(true);
      if (member("stream_options"))
        json_.begin_object().key("include_usage").boolean(true).end_object();
    }
    if (options_.extra)
      for (const auto& [name, value] : options_.extra->items())
        if (name != kKwargs || !kwargs_written_)
          json_.key(checks_.text(name, {"extra"})).raw(Json(value).text());
    json_.end_object();
    return {std::string(path), std::move(json_).take(), std::move(notices_)};
  }

  static constexpr const char* kNotTgi = "this service does not know it";
  static constexpr const char* kKwargs = "chat_template_kwargs";

  const RequestChecks checks_;
  const Request& request_;
  const ModelOptions& options_;
  const OpenAiDialect dialect_;
  JsonWriter json_;
  std::vector<Notice> notices_;
  bool kwargs_written_ = false;  // those of `extra` among them
};

void make_strict(nlohmann::json& schema, std::size_t depth) {
  if (depth > kMaxSchemaDepth)
    RequestChecks("openai").refuse("the format's schema is nested more than " +
                                   std::to_string(kMaxSchemaDepth) + " deep");
  if (!schema.is_object()) return;
  schema.erase("default");
  if (const auto reference = schema.find("$ref"); reference != schema.end() && depth > 0) {
    schema = {{"$ref", *reference}};  // it may have nothing beside it
    return;
  }
  if (const auto properties = schema.find("properties");
      properties != schema.end() && properties->is_object()) {
    nlohmann::json required = nlohmann::json::array();
    for (const auto& [name, property] : properties->items()) required.push_back(name);
    schema["required"] = std::move(required);
    schema["additionalProperties"] = false;
  } else if (schema.value("type", nlohmann::json()) == "object") {
    schema["additionalProperties"] = false;
  }
  for_each_inner(schema, [depth](nlohmann::json& inner) { make_strict(inner, depth + 1); });
}

}  // namespace

bool is_azure(std::string_view host) noexcept {
  static constexpr auto kDomains =
      std::to_array<std::string_view>({".openai.azure.com", ".openai.azure.us", ".openai.azure.cn",
                                       ".cognitiveservices.azure.com", ".services.ai.azure.com"});
  return std::any_of(kDomains.begin(), kDomains.end(),
                     [host](std::string_view domain) { return host.ends_with(domain); });
}

OpenAiDialect OpenAiDialect::of_host(std::string_view host) noexcept {
  if (host == "api.openai.com" || is_azure(host))
    return {.own_service = true,
            .knows_more_sampling = false,
            .thinking = Thinking::effort,
            .thinking_member = {}};
  if (host == "api.groq.com")
    return {
        .knows_more_sampling = false, .thinking = Thinking::effort, .thinking_member = "reasoning"};
  if (host == "api.deepseek.com")
    return {.knows_more_sampling = false, .knows_schemas = false, .thinking = Thinking::deepseek};
  if (host == "openrouter.ai")
    return {.thinking = Thinking::openrouter, .thinking_member = "reasoning"};
  return {};
}

OpenAiDialect OpenAiDialect::of_tgi() noexcept {
  return {.tgi = true, .knows_more_sampling = false, .thinking = Thinking::none};
}

WrittenRequest write_openai_request(const Request& request, OpenAiDialect dialect,
                                    std::string_view provider) {
  switch (request.kind) {
    case Request::Kind::chat: return RequestWriter(request, dialect, provider).chat();
    case Request::Kind::completion: return RequestWriter(request, dialect, provider).completion();
    case Request::Kind::embedding: break;
  }
  return RequestWriter(request, dialect, provider).embedding();
}

OpenAiPieces write_openai_pieces(const Request& request, std::string_view provider) {
  return RequestWriter(request, {}, provider).pieces();
}

Json strict_schema(const Json& schema) {
  nlohmann::json strict = with_root(*schema);
  make_strict(strict, 0);
  return Json(std::move(strict));
}

}  // namespace mellea
