#include "mellea/backends/openai_request.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/json_writer.h"

namespace mellea {
namespace {

// Whether strict mode can say the same: not of objects with any members, which it would forbid.
bool can_be_strict(const nlohmann::json& schema, std::size_t depth = 0) {
  constexpr std::size_t kMaxDepth = 256;
  if (!schema.is_structured() || depth > kMaxDepth) return true;
  if (schema.is_object()) {
    const auto more = schema.find("additionalProperties");
    const bool is_map = more != schema.end() && (more->is_object() || *more == true);
    if (is_map || schema.contains("uniqueItems")) return false;
  }
  return std::all_of(schema.begin(), schema.end(), [depth](const nlohmann::json& inner) {
    return can_be_strict(inner, depth + 1);
  });
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
      if (!message.thinking.empty())
        json_.key("reasoning_content")
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
    if (request_.format && member("response_format")) response_format(*request_.format);
  }

  void response_format(const Format& format) {
    json_.begin_object().key("type");
    if (!format.schema) {
      json_.text("json_object").end_object();
      return;
    }
    json_.text("json_schema").key("json_schema").begin_object();
    json_.key("name").text(format.name.empty() ? "answer"
                                               : checks_.text(format.name, {"the format's name"}));
    const bool strict = format.strict && (!dialect_.own_service || can_be_strict(*format.schema));
    if (format.strict && !strict)
      ignored("format.strict", "strict mode knows neither maps nor uniqueItems");
    json_.key("schema").raw(dialect_.own_service && strict ? strict_schema(format.schema).text()
                                                           : format.schema.text());
    json_.key("strict").boolean(strict).end_object().end_object();
  }

  // The options that completions know too.
  void sampling() {
    number("temperature", options_.temperature);
    number("top_p", options_.top_p);
    own_only("top_k", options_.top_k);
    own_only("min_p", options_.min_p);
    number("frequency_penalty", options_.frequency_penalty);
    number("presence_penalty", options_.presence_penalty);
    number("seed", options_.seed);
    number("n", options_.choices);
    if (options_.stop && member("stop")) {
      json_.begin_array();
      for (const std::string& stop : *options_.stop)
        json_.text(checks_.text(stop, {"option stop"}));
      json_.end_array();
    }
    text("user", options_.user);
  }

  void chat_options() {
    number(dialect_.own_service ? "max_completion_tokens" : "max_tokens", options_.max_tokens);
    if (options_.logprobs && member("logprobs")) json_.boolean(*options_.logprobs);
    number("top_logprobs", options_.top_logprobs);
    text("service_tier", options_.service_tier);
  }

  // "on" and "off" are a switch of the chat template; OpenAI's own service has levels only.
  void think() {
    if (!options_.think) return;
    const std::string& think = *options_.think;
    const bool is_switch = think == "on" || think == "off";
    const bool has_effort = dialect_.own_service || think != "off";
    if (has_effort && member("reasoning_effort")) {
      if (is_switch)
        json_.text(think == "on" ? "medium" : "none");
      else
        json_.text(checks_.text(think, {"option think"}));
    }
    if (is_switch && !dialect_.own_service) enable_thinking(think == "on");
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

  // An option that only servers other than OpenAI's own know.
  template <class T>
  void own_only(std::string_view name, const Option<T>& option) {
    if (option && dialect_.own_service)
      ignored(name, "OpenAI's own service does not know it");
    else
      number(name, option);
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

  static constexpr const char* kKwargs = "chat_template_kwargs";

  const RequestChecks checks_;
  const Request& request_;
  const ModelOptions& options_;
  const OpenAiDialect dialect_;
  JsonWriter json_;
  std::vector<Notice> notices_;
  bool kwargs_written_ = false;  // those of `extra` among them
};

void make_strict(nlohmann::json& schema, std::size_t depth);

void make_each_strict(nlohmann::json& schema, const char* keyword, std::size_t depth) {
  const auto found = schema.find(keyword);
  if (found == schema.end() || !found->is_structured()) return;
  for (nlohmann::json& inner : *found) make_strict(inner, depth);
}

void make_strict(nlohmann::json& schema, std::size_t depth) {
  constexpr std::size_t kMaxDepth = 256;
  if (depth > kMaxDepth)
    RequestChecks("openai").refuse("the format's schema is nested more than " +
                                   std::to_string(kMaxDepth) + " deep");
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
  if (const auto items = schema.find("items"); items != schema.end())
    make_strict(*items, depth + 1);
  for (const char* keyword :
       {"properties", "$defs", "definitions", "anyOf", "oneOf", "allOf", "prefixItems"})
    make_each_strict(schema, keyword, depth + 1);
}

// The outermost schema must be an object itself, and not lead to one.
void inline_root(nlohmann::json& schema) {
  constexpr std::string_view kBeginning = "#/$defs/";
  if (!schema.is_object() || !schema.contains("$ref") || !schema["$ref"].is_string()) return;
  const std::string reference = schema["$ref"];
  if (!reference.starts_with(kBeginning) || !schema.contains("$defs")) return;
  const auto meant = schema["$defs"].find(reference.substr(kBeginning.size()));
  if (meant == schema["$defs"].end() || !meant->is_object()) return;
  const nlohmann::json root = *meant;
  schema.erase("$ref");
  schema.update(root);
}

}  // namespace

OpenAiDialect OpenAiDialect::of_host(std::string_view host) noexcept {
  return {.own_service = host == "api.openai.com" || host.ends_with(".openai.azure.com")};
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
  nlohmann::json strict = *schema;
  inline_root(strict);
  make_strict(strict, 0);
  return Json(std::move(strict));
}

}  // namespace mellea
