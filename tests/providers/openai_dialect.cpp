#include "openai_dialect.h"

#include <algorithm>

namespace mellea::providers {
namespace {

using nlohmann::json;

json usage_of(const Usage& usage) {
  json counts = json::object();
  const auto put = [](json& into, const char* name, const std::optional<std::int64_t>& count) {
    if (count) into[name] = *count;
  };
  put(counts, "prompt_tokens", usage.input_tokens);
  put(counts, "completion_tokens", usage.output_tokens);
  put(counts, "total_tokens", usage.total_tokens);
  if (usage.cache_read_tokens)
    put(counts["prompt_tokens_details"], "cached_tokens", usage.cache_read_tokens);
  if (usage.reasoning_tokens)
    put(counts["completion_tokens_details"], "reasoning_tokens", usage.reasoning_tokens);
  return counts;
}

json logprobs_of(const std::vector<TokenLogprob>& tokens) {
  json content = json::array();
  for (const TokenLogprob& token : tokens) {
    json top = json::array();
    for (const auto& other : token.top)
      top.push_back({{"token", other.token}, {"logprob", other.logprob}, {"bytes", nullptr}});
    content.push_back({{"token", token.token},
                       {"logprob", token.logprob},
                       {"bytes", nullptr},
                       {"top_logprobs", std::move(top)}});
  }
  return {{"content", std::move(content)}};
}

json call_of(const ToolCall& call) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

json part_of(const ToolCallPart& part) {
  json call = {{"index", part.call}, {"function", {{"arguments", part.arguments}}}};
  if (!part.id.empty()) {
    call["id"] = part.id;
    call["type"] = "function";
  }
  if (!part.name.empty()) call["function"]["name"] = part.name;
  return call;
}

json message_of(const Reply& reply) {
  json message = {{"role", "assistant"}, {"content", reply.text}, {"refusal", nullptr}};
  if (reply.text.empty() && !reply.tool_calls.empty()) message["content"] = nullptr;
  if (!reply.thinking.empty()) message["reasoning_content"] = reply.thinking;
  if (!reply.refusal.empty()) message["refusal"] = reply.refusal;
  for (const ToolCall& call : reply.tool_calls) message["tool_calls"].push_back(call_of(call));
  return message;
}

// The choice of one event of a stream; null if the chunk is none.
struct EventChoice {
  const Dialect& dialect;
  bool is_chat;

  json operator()(const std::string& text) const {
    return is_chat ? json{{"delta", {{"content", text}}}} : json{{"text", text}};
  }
  json operator()(const Thinking& thinking) const {
    return {{"delta", {{"reasoning_content", thinking.text}}}};
  }
  json operator()(const Refusal& refusal) const { return {{"delta", {{"refusal", refusal.text}}}}; }
  json operator()(const ToolCallPart& part) const {
    return {{"delta", {{"tool_calls", json::array({part_of(part)})}}}};
  }
  json operator()(const Logprobs& logprobs) const {
    return {{"delta", {{"content", ""}}}, {"logprobs", logprobs_of(logprobs.tokens)}};
  }
  json operator()(const Finish& finish) const {
    json choice = is_chat ? json{{"delta", json::object()}} : json{{"text", ""}};
    choice["finish_reason"] = dialect.finish(finish.reason);
    return choice;
  }
  template <class Other>
  json operator()(const Other&) const {
    return nullptr;
  }
};

Message::Role role_of(const std::string& name) {
  for (const auto role : {Message::Role::system, Message::Role::user, Message::Role::assistant})
    if (to_string(role) == name) return role;
  return Message::Role::tool;
}

void read_content(const json& content, Message& message) {
  if (content.is_string()) message.text = content;
  if (!content.is_array()) return;
  for (const json& part : content) {
    const std::string type = part.at("type");
    if (type == "text")
      message.text += part.at("text").get<std::string>();
    else if (type == "image_url")
      message.images.push_back({.url = part.at("image_url").at("url"),
                                .detail = part.at("image_url").value("detail", "")});
    else
      message.audio.push_back({.data = part.at("input_audio").at("data"),
                               .format = part.at("input_audio").at("format")});
  }
}

Message read_message(const json& told) {
  Message message{.role = role_of(told.at("role")),
                  .tool_call_id = told.value("tool_call_id", ""),
                  .thinking = told.value("reasoning_content", "")};
  if (told.contains("content")) read_content(told["content"], message);
  for (const json& call : told.value("tool_calls", json::array()))
    message.tool_calls.push_back({.id = call.at("id"),
                                  .name = call.at("function").at("name"),
                                  .arguments = call.at("function").at("arguments")});
  return message;
}

ToolChoice read_tool_choice(const json& choice) {
  if (choice.is_object())
    return {.mode = ToolChoice::Mode::named, .name = choice.at("function").at("name")};
  if (choice == "none") return {.mode = ToolChoice::Mode::none};
  if (choice == "required") return {.mode = ToolChoice::Mode::required};
  return {.mode = ToolChoice::Mode::automatic};
}

Format read_format(const json& told) {
  if (told.at("type") == "json_object") return {};
  const json& schema = told.at("json_schema");
  return {.name = schema.at("name"),
          .schema = Json(schema.at("schema")),
          .strict = schema.value("strict", false)};
}

template <class T>
void read_option(const json& body, const char* name, Option<T>& option) {
  if (const auto found = body.find(name); found != body.end()) option = found->get<T>();
}

ModelOptions read_options(const json& body) {
  ModelOptions options;
  read_option(body, "temperature", options.temperature);
  read_option(body, "top_p", options.top_p);
  read_option(body, "top_k", options.top_k);
  read_option(body, "min_p", options.min_p);
  read_option(body, "frequency_penalty", options.frequency_penalty);
  read_option(body, "presence_penalty", options.presence_penalty);
  read_option(body, "max_tokens", options.max_tokens);
  read_option(body, "max_completion_tokens", options.max_tokens);
  read_option(body, "seed", options.seed);
  read_option(body, "stop", options.stop);
  read_option(body, "n", options.choices);
  read_option(body, "top_logprobs", options.top_logprobs);
  read_option(body, "reasoning_effort", options.think);
  read_option(body, "parallel_tool_calls", options.parallel_tool_calls);
  read_option(body, "user", options.user);
  read_option(body, "service_tier", options.service_tier);
  if (const auto found = body.find("logprobs"); found != body.end()) {
    options.logprobs = found->is_number() || found->get<bool>();
    if (found->is_number()) options.top_logprobs = found->get<std::int64_t>();  // of a completion
  }
  const json kwargs = body.value("chat_template_kwargs", json::object());
  if (kwargs.contains("enable_thinking"))
    options.think = std::string(kwargs["enable_thinking"].get<bool>() ? "on" : "off");
  return options;
}

}  // namespace

BackendOptions OpenAiProtocol::client(const LoopbackServer& server) const {
  return {.backend = "openai", .base_url = server.url("/v1")};
}

json OpenAiProtocol::head(const ResponseInfo& info) const {
  json head = {{"object", "chat.completion"}, {"created", 1700000000}};
  if (!info.id.empty()) head["id"] = info.id;
  if (!info.model.empty()) head["model"] = info.model;
  return head;
}

std::string OpenAiProtocol::event(const json& json) const {
  return "data: " + json.dump() + "\n\n";
}

std::string OpenAiProtocol::whole(Request::Kind kind, const Answer& answer) const {
  const std::vector<Reply> choices = choices_of(answer);
  json body = head(choices.front().response);
  json list = json::array();
  for (std::size_t i = choices.size(); i-- > 0;) {
    const Reply& reply = choices[i];
    json one = {{"index", i}};
    switch (kind) {
      case Request::Kind::chat: one["message"] = message_of(reply); break;
      case Request::Kind::completion: one["text"] = reply.text; break;
      case Request::Kind::embedding: one["embedding"] = reply.embeddings.at(0).values; break;
    }
    if (!reply.finish_reasons.empty()) one["finish_reason"] = finish(reply.finish_reasons[0]);
    if (!reply.logprobs.empty()) one["logprobs"] = logprobs_of(reply.logprobs);
    list.push_back(std::move(one));
  }
  body[kind == Request::Kind::embedding ? "data" : "choices"] = std::move(list);
  if (choices.front().usage) body["usage"] = usage_of(*choices.front().usage);
  return body.dump();
}

std::vector<std::string> OpenAiProtocol::stream(Request::Kind kind, const Answer& answer) const {
  const json head = this->head(choices_of(answer).front().response);
  const bool is_chat = kind == Request::Kind::chat;
  std::vector<std::string> events;
  const auto say = [&](json list, const char* more = nullptr, json value = nullptr) {
    json body = head;
    body["choices"] = std::move(list);
    if (more != nullptr) body[more] = std::move(value);
    events.push_back(event(body));
  };
  if (is_chat)
    say(json::array({{{"index", 0}, {"delta", {{"role", "assistant"}, {"content", ""}}}}}));
  for (const Chunk& chunk : answer) {
    if (const auto* usage = std::get_if<Usage>(&chunk.what)) {
      say(json::array(), "usage", usage_of(*usage));
      continue;
    }
    json choice = std::visit(EventChoice{*this, is_chat}, chunk.what);
    if (choice.is_null()) continue;
    choice["index"] = chunk.index;
    say(json::array({std::move(choice)}));
  }
  if (std::string end = end_of_stream(); !end.empty()) events.push_back(std::move(end));
  return events;
}

Fault OpenAiProtocol::fault(int status, std::string_view message) const {
  const json error = {
      {"message", message}, {"type", "api_error"}, {"param", nullptr}, {"code", nullptr}};
  return {status, json{{"error", error}}.dump()};
}

Fault OpenAiProtocol::context_fault() const {
  return {400, R"({"error":{"message":"This model's maximum context length is 8 tokens.",)"
               R"("type":"invalid_request_error","code":"context_length_exceeded"}})"};
}

std::string OpenAiProtocol::stream_fault(std::string_view message) const {
  return event({{"error", {{"message", message}, {"type", "server_error"}}}});
}

std::string OpenAiProtocol::models(const std::vector<std::string>& names) const {
  json list = json::array();
  for (const std::string& name : names) list.push_back({{"id", name}, {"object", "model"}});
  return json{{"object", "list"}, {"data", std::move(list)}}.dump();
}

std::vector<ToolSpec> OpenAiProtocol::read_tools(const json& tools) {
  std::vector<ToolSpec> specs;
  for (const json& tool : tools) {
    const json& function = tool.at("function");
    specs.push_back(
        {.name = function.at("name"),
         .description = function.value("description", ""),
         .parameters = function.contains("parameters") ? Json(function["parameters"]) : Json()});
  }
  return specs;
}

Request OpenAiProtocol::read_members(const json& body) {
  Request request{.model = body.value("model", ""),
                  .options = read_options(body),
                  .tools = read_tools(body.value("tools", json::array())),
                  .stream = body.value("stream", false)};
  for (const json& message : body.value("messages", json::array()))
    request.messages.push_back(read_message(message));
  for (const char* name : {"prompt", "input"})
    for (const json& prompt : body.value(name, json::array())) request.prompts.push_back(prompt);
  if (body.contains("tool_choice")) request.tool_choice = read_tool_choice(body["tool_choice"]);
  if (body.contains("response_format")) request.format = read_format(body["response_format"]);
  return request;
}

Request OpenAiProtocol::read(const ReceivedRequest& request) const {
  Request read = read_members(json::parse(request.body));
  if (request.path.ends_with("/embeddings"))
    read.kind = Request::Kind::embedding;
  else if (!request.path.ends_with("/chat/completions"))
    read.kind = Request::Kind::completion;
  return read;
}

namespace {

// Reached through a proxy, which is the server of the test.
class OpenAiItself final : public OpenAiProtocol {
 public:
  std::string name() const override { return "openai_itself"; }
  std::string title() const override { return "`openai`: its own service"; }
  std::string provider() const override { return "openai"; }
  BackendOptions client(const LoopbackServer& server) const override {
    return {.backend = "openai", .base_url = "http://api.openai.com/v1", .proxy = server.url()};
  }
  Endpoint endpoint(const LoopbackServer&) const override {
    return {.address = "api.openai.com", .port = 80};
  }
  Gaps gaps() const override { return {.thinking = true}; }
};

}  // namespace

std::shared_ptr<const Dialect> openai_itself_dialect() { return std::make_shared<OpenAiItself>(); }
std::shared_ptr<const Dialect> openai_dialect() { return std::make_shared<OpenAiProtocol>(); }

}  // namespace mellea::providers
