#include "openai_dialect.h"

namespace mellea::providers {
namespace {

using nlohmann::json;

// The router of Hugging Face, reached through a proxy, which is the server of the test: OpenAI's
// protocol, and Hugging Face's own inference for embeddings.
class Router final : public OpenAiProtocol {
 public:
  std::string name() const override { return "huggingface_router"; }
  std::string title() const override { return "`huggingface`: the router"; }
  std::string provider() const override { return "huggingface"; }
  BackendOptions client(const LoopbackServer& server) const override {
    return {.backend = "huggingface",
            .base_url = "http://router.huggingface.co/v1",
            .proxy = server.url()};
  }
  Endpoint endpoint(const LoopbackServer&) const override {
    return {.address = "router.huggingface.co", .port = 80};
  }

  std::string whole(Request::Kind kind, const Answer& answer) const override {
    if (kind != Request::Kind::embedding) return OpenAiProtocol::whole(kind, answer);
    json list = json::array();
    for (const Reply& reply : choices_of(answer)) list.push_back(reply.embeddings.at(0).values);
    return list.dump();
  }

  Request read(const ReceivedRequest& received) const override {
    if (!received.path.ends_with("/feature-extraction")) return OpenAiProtocol::read(received);
    return {.kind = Request::Kind::embedding,
            .prompts = json::parse(received.body).at("inputs").get<std::vector<std::string>>()};
  }
};

// Text Generation Inference and, for embeddings, Text Embeddings Inference at a URL of their own.
class TextGenerationInference final : public OpenAiProtocol {
 public:
  std::string name() const override { return "huggingface_tgi"; }
  std::string title() const override { return "`huggingface`: TGI, TEI"; }
  std::string provider() const override { return "huggingface"; }
  BackendOptions client(const LoopbackServer& server) const override {
    return {.backend = "huggingface", .base_url = server.url()};
  }
  Gaps gaps() const override { return {.model_names = true}; }

  std::string whole(Request::Kind kind, const Answer& answer) const override {
    if (kind == Request::Kind::chat) return OpenAiProtocol::whole(kind, answer);
    if (kind == Request::Kind::embedding) {
      json list = json::array();
      for (const Reply& reply : choices_of(answer)) list.push_back(reply.embeddings.at(0).values);
      return list.dump();
    }
    const Reply reply = choices_of(answer).front();
    return json{{"generated_text", reply.text}, {"details", details(reply)}}.dump();
  }

  std::vector<std::string> stream(Request::Kind kind, const Answer& answer) const override {
    if (kind == Request::Kind::chat) return OpenAiProtocol::stream(kind, answer);
    const Reply reply = choices_of(answer).front();
    std::vector<std::string> events;
    const auto say = [&](const json& token, const json& text, const json& details) {
      events.push_back("data:" +
                       json{{"index", events.size() + 1},
                            {"token", token},
                            {"generated_text", text},
                            {"details", details}}
                           .dump() +
                       "\n\n");
    };
    for (const Chunk& chunk : answer)
      if (const auto* text = std::get_if<std::string>(&chunk.what))
        say({{"id", 1}, {"text", *text}, {"logprob", -0.5}, {"special", false}}, nullptr, nullptr);
    json last = details(reply);
    if (reply.usage && reply.usage->input_tokens) last["input_length"] = *reply.usage->input_tokens;
    say({{"id", 2}, {"text", "</s>"}, {"logprob", -0.5}, {"special", true}}, reply.text, last);
    return events;
  }

  Fault fault(int status, std::string_view message) const override {
    return {status, json{{"error", message}, {"error_type", "generation"}}.dump()};
  }
  Fault context_fault() const override {
    return {422, json{{"error",
                       "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8. "
                       "Given: 9 `inputs` tokens and 20 `max_new_tokens`"},
                      {"error_type", "validation"}}
                     .dump()};
  }
  std::string stream_fault(std::string_view message) const override {
    return "data:" + fault(500, message).body + "\n\n";
  }

  // It has one.
  std::string models(const std::vector<std::string>& names) const override {
    return json{{"model_id", names.at(0)}, {"max_input_tokens", 4095}}.dump();
  }

  Request read(const ReceivedRequest& received) const override {
    json body = json::parse(received.body);
    if (received.path.ends_with("/chat/completions")) {
      if (const auto format = body.find("response_format"); format != body.end()) {
        const json schema = format->at("value");
        if (schema == json{{"type", "object"}})  // any
          *format = {{"type", "json_object"}};
        else
          *format = {{"type", "json_schema"}, {"json_schema", {{"name", ""}, {"schema", schema}}}};
      }
      return read_members(body);
    }
    const bool embeds = received.path.ends_with("/embed");
    Request request{.kind = embeds ? Request::Kind::embedding : Request::Kind::completion,
                    .stream = received.path.ends_with("_stream")};
    for (const json& input : body.at("inputs")) request.prompts.push_back(input);
    return request;
  }

 private:
  static json details(const Reply& reply) {
    json details = {{"seed", nullptr}, {"prefill", json::array()}, {"tokens", json::array()}};
    if (!reply.finish_reasons.empty())
      details["finish_reason"] =
          reply.finish_reasons[0] == "stop" ? "eos_token" : reply.finish_reasons[0];
    if (reply.usage && reply.usage->output_tokens)
      details["generated_tokens"] = *reply.usage->output_tokens;
    return details;
  }
};

}  // namespace

std::shared_ptr<const Dialect> huggingface_router_dialect() { return std::make_shared<Router>(); }
std::shared_ptr<const Dialect> huggingface_tgi_dialect() {
  return std::make_shared<TextGenerationInference>();
}

}  // namespace mellea::providers
