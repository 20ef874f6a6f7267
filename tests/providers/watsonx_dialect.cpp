#include <ctime>

#include "openai_dialect.h"

namespace mellea::providers {
namespace {

using nlohmann::json;

constexpr const char* kToken = "a-token-of-iam";

// Chats are OpenAI's, but for names and the end of a stream; completions and embeddings are
// watsonx's own. One server stands for the service and for IBM Cloud's IAM.
class Watsonx final : public OpenAiProtocol {
 public:
  std::string name() const override { return "watsonx"; }

  BackendOptions client(const LoopbackServer& server) const override {
    return {.backend = "watsonx",
            .base_url = server.url(),
            .watsonx = {.project = "p-1", .iam_url = server.url("/identity/token")}};
  }

  Gaps gaps() const override { return {.tokens = true}; }

  std::optional<Script> aside(const ReceivedRequest& request) const override {
    if (!request.path.starts_with("/identity/token")) return {};
    const json token = {{"access_token", kToken},
                        {"token_type", "Bearer"},
                        {"expires_in", 3600},
                        {"expiration", std::time(nullptr) + 3600}};
    return Script::answer(200, token.dump(), {{"content-type", "application/json"}});
  }

  std::string whole(Request::Kind kind, const Answer& answer) const override {
    const std::vector<Reply> choices = choices_of(answer);
    if (kind == Request::Kind::chat) return OpenAiProtocol::whole(kind, answer);
    json body = head(choices[0].response);
    for (const Reply& reply : choices)
      body["results"].push_back(kind == Request::Kind::embedding
                                    ? json{{"embedding", reply.embeddings.at(0).values}}
                                    : result(reply.text, reply));
    if (kind == Request::Kind::embedding && choices[0].usage)
      body["input_token_count"] = choices[0].usage->input_tokens.value_or(0);
    return body.dump();
  }

  std::vector<std::string> stream(Request::Kind kind, const Answer& answer) const override {
    if (kind == Request::Kind::chat) return OpenAiProtocol::stream(kind, answer);
    const Reply reply = choices_of(answer).front();
    std::vector<std::string> events;
    const auto say = [&](const json& result) {
      json body = head(reply.response);
      body["results"] = json::array({result});
      events.push_back(event(body));
    };
    for (const Chunk& chunk : answer)
      if (const auto* text = std::get_if<std::string>(&chunk.what))
        say({{"generated_text", *text},
             {"generated_token_count", 1},
             {"input_token_count", 0},
             {"stop_reason", "not_finished"}});
    say(result("", reply));
    return events;
  }

  // As its generations call it.
  static std::string stop_reason(std::string_view reason) {
    if (reason == "stop") return "eos_token";
    return reason == "length" ? "max_tokens" : std::string(reason);
  }

  Fault fault(int status, std::string_view message) const override {
    return {status, errors(status, message).dump()};
  }
  Fault context_fault() const override {
    return fault(400,
                 "Invalid input argument for Model 'm': the number of input tokens 9 cannot exceed "
                 "the total tokens limit 8 for this model");
  }
  std::string stream_fault(std::string_view message) const override {
    return "id: 9\nevent: error\ndata: " + errors(500, message).dump() + "\n\n";
  }

  std::string models(const std::vector<std::string>& names) const override {
    json list = json::array();
    for (const std::string& name : names) list.push_back({{"model_id", name}, {"label", name}});
    return json{{"total_count", names.size()}, {"resources", std::move(list)}}.dump();
  }

  Request read(const ReceivedRequest& received) const override {
    const json body = json::parse(received.body);
    const std::string path = received.path.substr(0, received.path.find('?'));
    if (path.ends_with("/text/chat") || path.ends_with("/text/chat_stream")) {
      Request request = read_members(body);
      request.model = body.at("model_id");
      request.stream = path.ends_with("_stream");
      if (body.contains("tool_choice_option"))
        request.tool_choice = read_option(body["tool_choice_option"]);
      const json kwargs = body.value("chat_template_kwargs", json::object());
      if (kwargs.contains("thinking"))
        request.options.think = std::string(kwargs["thinking"].get<bool>() ? "on" : "off");
      return request;
    }
    const bool embeds = path.ends_with("/embeddings");
    Request request{.kind = embeds ? Request::Kind::embedding : Request::Kind::completion,
                    .model = body.at("model_id"),
                    .stream = path.ends_with("_stream")};
    for (const json& input : body.at(embeds ? "inputs" : "input")) request.prompts.push_back(input);
    return request;
  }

 protected:
  json head(const ResponseInfo& info) const override {
    json head = {{"object", "chat.completion"},
                 {"created", 1700000000},
                 {"created_at", "2025-01-01T00:00:00.000Z"}};
    if (!info.id.empty()) head["id"] = info.id;
    if (!info.model.empty()) head["model_id"] = head["model"] = info.model;
    return head;
  }
  std::string event(const json& body) const override {
    return "id: 1\nevent: message\ndata: " + body.dump() + "\n\n";
  }
  std::string end_of_stream() const override { return {}; }

 private:
  static ToolChoice read_option(const std::string& option) {
    if (option == "none") return {.mode = ToolChoice::Mode::none};
    if (option == "required") return {.mode = ToolChoice::Mode::required};
    return {.mode = ToolChoice::Mode::automatic};
  }

  static json result(std::string_view text, const Reply& reply) {
    json result = {{"generated_text", text}};
    if (!reply.finish_reasons.empty()) result["stop_reason"] = stop_reason(reply.finish_reasons[0]);
    if (!reply.usage) return result;
    if (reply.usage->input_tokens) result["input_token_count"] = *reply.usage->input_tokens;
    if (reply.usage->output_tokens) result["generated_token_count"] = *reply.usage->output_tokens;
    return result;
  }

  static json errors(int status, std::string_view message) {
    const json error = {{"code", "invalid_request_entity"},
                        {"message", message},
                        {"more_info", "https://cloud.ibm.com/apidocs/watsonx-ai"}};
    return {{"trace", "7a5e"}, {"errors", json::array({error})}, {"status_code", status}};
  }
};

}  // namespace

std::shared_ptr<const Dialect> watsonx_dialect() { return std::make_shared<Watsonx>(); }

}  // namespace mellea::providers
