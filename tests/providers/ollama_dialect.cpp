#include <nlohmann/json.hpp>
#include <utility>

#include "dialect.h"

namespace mellea::providers {
namespace {

using nlohmann::json;

json call_of(const ToolCall& call, std::size_t index) {
  json told = {{"function",
                {{"index", index},
                 {"name", call.name},
                 {"arguments", json::parse(call.arguments.empty() ? "{}" : call.arguments)}}}};
  if (!call.id.empty()) told["id"] = call.id;
  return told;
}

template <class T>
void read_option(const json& options, const char* name, Option<T>& option) {
  if (const auto found = options.find(name); found != options.end()) option = found->get<T>();
}

ModelOptions read_options(const json& body) {
  ModelOptions options;
  const json told = body.value("options", json::object());
  read_option(told, "temperature", options.temperature);
  read_option(told, "top_p", options.top_p);
  read_option(told, "top_k", options.top_k);
  read_option(told, "min_p", options.min_p);
  read_option(told, "frequency_penalty", options.frequency_penalty);
  read_option(told, "presence_penalty", options.presence_penalty);
  read_option(told, "num_predict", options.max_tokens);
  read_option(told, "num_ctx", options.context_window);
  read_option(told, "seed", options.seed);
  read_option(told, "stop", options.stop);
  read_option(body, "logprobs", options.logprobs);
  read_option(body, "top_logprobs", options.top_logprobs);
  if (const auto think = body.find("think"); think != body.end())
    options.think = think->is_string() ? think->get<std::string>()
                                       : std::string(think->get<bool>() ? "on" : "off");
  return options;
}

Message read_message(const json& told) {
  Message message{.text = told.at("content"),
                  .tool_call_id = told.value("tool_call_id", ""),
                  .tool_name = told.value("tool_name", ""),
                  .thinking = told.value("thinking", "")};
  const std::string role = told.at("role");
  for (const auto known :
       {Message::Role::system, Message::Role::user, Message::Role::assistant, Message::Role::tool})
    if (to_string(known) == role) message.role = known;
  for (const json& image : told.value("images", json::array()))
    message.images.push_back({.url = "data:image/png;base64," + image.get<std::string>()});
  for (const json& call : told.value("tool_calls", json::array()))
    message.tool_calls.push_back({.id = call.value("id", ""),
                                  .name = call.at("function").at("name"),
                                  .arguments = call.at("function").at("arguments").dump()});
  return message;
}

class Ollama final : public Dialect {
 public:
  std::string name() const override { return "ollama"; }

  BackendOptions client(const LoopbackServer& server) const override {
    return {.backend = "ollama", .base_url = server.url()};
  }

  Gaps gaps() const override {
    return {.image_urls = "Ollama fetches no images",
            .audio = "Ollama takes no sound",
            .ids = true,
            .total_tokens = true,
            .token_details = true,
            .split_calls = true,
            .refusals = true};
  }

  std::string whole(Request::Kind kind, const Answer& answer) const override {
    const Reply reply = choices_of(answer).front();
    if (kind == Request::Kind::embedding) return embeddings(answer);
    json line = said(kind, reply.response, reply.text, reply.thinking);
    for (std::size_t i = 0; i < reply.tool_calls.size(); ++i)
      line["message"]["tool_calls"].push_back(call_of(reply.tool_calls[i], i));
    end(line, reply);
    return line.dump();
  }

  std::string_view stream_type() const override { return "application/x-ndjson"; }

  std::vector<std::string> stream(Request::Kind kind, const Answer& answer) const override {
    const Reply reply = choices_of(answer).front();
    std::vector<std::string> lines;
    const auto say = [&lines](const json& line) { lines.push_back(line.dump() + '\n'); };
    int calls = 0;
    for (const Chunk& chunk : answer) {
      if (const auto* text = std::get_if<std::string>(&chunk.what)) {
        say(said(kind, reply.response, *text, ""));
      } else if (const auto* thinking = std::get_if<Thinking>(&chunk.what)) {
        say(said(kind, reply.response, "", thinking->text));
      } else if (const auto* part = std::get_if<ToolCallPart>(&chunk.what);
                 part != nullptr && part->call == calls) {  // whole, with its first piece
        const auto at = static_cast<std::size_t>(calls++);
        json line = said(kind, reply.response, "", "");
        line["message"]["tool_calls"] = json::array({call_of(reply.tool_calls.at(at), at)});
        say(line);
      } else if (const auto* logprobs = std::get_if<Logprobs>(&chunk.what)) {
        json line = said(kind, reply.response, "", "");
        line["logprobs"] = logprobs_of(logprobs->tokens);
        say(line);
      }
    }
    json last = said(kind, reply.response, "", "");
    Reply ending = reply;
    ending.logprobs.clear();
    end(last, ending);
    say(last);
    return lines;
  }

  // It says so after calls too.
  std::string finish(std::string_view reason) const override {
    return reason == "tool_calls" ? "stop" : std::string(reason);
  }

  Fault fault(int status, std::string_view message) const override {
    return {status, json{{"error", message}}.dump()};
  }
  Fault context_fault() const override {
    return fault(400, "prompt too long; exceeded max context length by 9 tokens");
  }
  std::string stream_fault(std::string_view message) const override {
    return json{{"error", message}}.dump() + '\n';
  }

  std::string models(const std::vector<std::string>& names) const override {
    json list = json::array();
    for (const std::string& name : names)
      list.push_back({{"name", name}, {"model", name}, {"size", 1}});
    return json{{"models", std::move(list)}}.dump();
  }

  Request read(const ReceivedRequest& received) const override {
    const json body = json::parse(received.body);
    Request request{.model = body.at("model"),
                    .options = read_options(body),
                    .stream = body.value("stream", true)};
    if (received.path.ends_with("/generate")) request.kind = Request::Kind::completion;
    if (received.path.ends_with("/embed")) {
      request.kind = Request::Kind::embedding;
      request.stream = false;
    }
    for (const json& message : body.value("messages", json::array()))
      request.messages.push_back(read_message(message));
    if (body.contains("prompt")) request.prompts.push_back(body["prompt"]);
    for (const json& input : body.value("input", json::array())) request.prompts.push_back(input);
    for (const json& tool : body.value("tools", json::array()))
      request.tools.push_back({.name = tool.at("function").at("name"),
                               .description = tool.at("function").at("description"),
                               .parameters = Json(tool.at("function").at("parameters"))});
    if (body.contains("format"))
      request.format = Format{.schema = body["format"] == "json" ? Json() : Json(body["format"])};
    return request;
  }

 private:
  static json said(Request::Kind kind, const ResponseInfo& info, std::string_view text,
                   std::string_view thinking) {
    json line = {{"created_at", "2025-01-01T00:00:00Z"}, {"done", false}};
    if (!info.model.empty()) line["model"] = info.model;
    const bool is_chat = kind == Request::Kind::chat;
    json& into = is_chat ? line["message"] : line;
    if (is_chat) into["role"] = "assistant";
    into[is_chat ? "content" : "response"] = text;
    if (!thinking.empty()) into["thinking"] = thinking;
    return line;
  }

  void end(json& line, const Reply& reply) const {
    line["done"] = true;
    line["total_duration"] = 1000;
    if (!reply.finish_reasons.empty()) line["done_reason"] = finish(reply.finish_reasons[0]);
    if (!reply.logprobs.empty()) line["logprobs"] = logprobs_of(reply.logprobs);
    if (!reply.usage) return;
    if (reply.usage->input_tokens) line["prompt_eval_count"] = *reply.usage->input_tokens;
    if (reply.usage->output_tokens) line["eval_count"] = *reply.usage->output_tokens;
  }

  static json logprobs_of(const std::vector<TokenLogprob>& tokens) {
    json list = json::array();
    for (const TokenLogprob& token : tokens) {
      json top = json::array();
      for (const auto& other : token.top)
        top.push_back({{"token", other.token}, {"logprob", other.logprob}});
      list.push_back(
          {{"token", token.token}, {"logprob", token.logprob}, {"top_logprobs", std::move(top)}});
    }
    return list;
  }

  static std::string embeddings(const Answer& answer) {
    json list = json::array();
    const std::vector<Reply> choices = choices_of(answer);
    for (const Reply& reply : choices) list.push_back(reply.embeddings.at(0).values);
    json body = {{"model", choices[0].response.model}, {"embeddings", std::move(list)}};
    if (choices[0].usage && choices[0].usage->input_tokens)
      body["prompt_eval_count"] = *choices[0].usage->input_tokens;
    return body.dump();
  }
};

}  // namespace

std::shared_ptr<const Dialect> ollama_dialect() { return std::make_shared<Ollama>(); }

}  // namespace mellea::providers
