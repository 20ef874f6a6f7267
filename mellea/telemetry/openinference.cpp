#include "mellea/telemetry/openinference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/json.h"

namespace mellea::telemetry {
namespace {

using nlohmann::json;

constexpr auto kNames = std::to_array<std::string_view>({
    "embedding.invocation_parameters",
    "embedding.model_name",
    "input.mime_type",
    "input.value",
    "llm.finish_reason",
    "llm.input_messages.",
    "llm.invocation_parameters",
    "llm.model_name",
    "llm.output_messages.",
    "llm.provider",
    "llm.request.model_name",
    "llm.response.model_name",
    "llm.system",
    "llm.tools.",
    "metadata",
    "openinference.span.kind",
    "output.mime_type",
    "output.value",
    "tool.parameters",
});

// How what is asked of a model is called among its parameters.
constexpr auto kParameters = std::to_array<std::pair<Fact, std::string_view>>({
    {Fact::request_model, "model"},
    {Fact::temperature, "temperature"},
    {Fact::top_p, "top_p"},
    {Fact::top_k, "top_k"},
    {Fact::max_tokens, "max_tokens"},
    {Fact::seed, "seed"},
    {Fact::stop_sequences, "stop"},
    {Fact::frequency_penalty, "frequency_penalty"},
    {Fact::presence_penalty, "presence_penalty"},
    {Fact::choice_count, "n"},
    {Fact::reasoning_level, "reasoning_effort"},
    {Fact::request_stream, "stream"},
});

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// A text as it is, anything else as JSON.
std::string plain(const json& value) {
  return value.is_string() ? value.get<std::string>() : text_of(value);
}

json json_of(const Value& value) {
  struct ToJson {
    json operator()(std::string_view text) const { return std::string(text); }
    json operator()(std::int64_t number) const { return number; }
    json operator()(bool truth) const { return truth; }
    json operator()(double number) const {
      return std::isfinite(number) ? json(number) : json(std::to_string(number));
    }
    json operator()(std::span<const std::string_view> texts) const {
      json list = json::array();
      for (const std::string_view text : texts) list.push_back(std::string(text));
      return list;
    }
  };
  return std::visit(ToJson(), value);
}

// Null where there is none, or it can't be read.
json parsed(std::string_view text) {
  if (text.empty()) return nullptr;
  try {
    return *Json::parse(text);
  } catch (const Error&) {
    return nullptr;
  }
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string_view kind_of(const SpanRecord& span) {
  switch (span.traces) {
    case Kind::generation: return "LLM";
    case Kind::batch: return span.text(Fact::operation) == "embeddings" ? "EMBEDDING" : "LLM";
    case Kind::tool: return "TOOL";
    case Kind::agent: return "AGENT";
    case Kind::validation: return "EVALUATOR";
    case Kind::session:
    case Kind::action:
    case Kind::sampling:
    case Kind::stream: break;
  }
  return "CHAIN";
}

class Writer {
 public:
  Writer(const SpanRecord& span, MadeAttributes& made)
      : span_(span), made_(made), kind_(kind_of(span)) {}

  void add_facts() {
    if (!span_.find(Fact::span_class)) add("openinference.span.kind", kind_);
    if (kind_ == "LLM") add_model();
    if (kind_ == "EMBEDDING") {
      add("embedding.model_name", span_.text(Fact::request_model));
      add_parameters("embedding.invocation_parameters");
    }
    add_metadata();
  }

  void add_content() {
    if (span_.traces == Kind::tool) return add_call();
    add_messages();
    add_tools();
  }

 private:
  void add(std::string name, std::string_view text) {
    if (!text.empty()) made_.push_back({std::move(name), std::string(text)});
  }
  void add_side(const std::string& side, std::string_view text, bool is_json) {
    if (text.empty()) return;
    add(side + ".value", text);
    add(side + ".mime_type", is_json ? "application/json" : "text/plain");
  }

  // Those of our providers that it has words for go by the same here.
  void add_model() {
    const std::string_view provider = span_.text(Fact::provider);
    add("llm.provider", provider);
    add("llm.system", provider);
    const std::string_view asked = span_.text(Fact::request_model);
    const std::string_view answered = span_.text(Fact::response_model);
    add("llm.model_name", answered.empty() ? asked : answered);
    if (!answered.empty() && answered != asked) {
      add("llm.request.model_name", asked);
      add("llm.response.model_name", answered);
    }
    add_parameters("llm.invocation_parameters");
    const Value* reasons = span_.find(Fact::finish_reasons);
    const auto* all = reasons ? std::get_if<std::span<const std::string_view>>(reasons) : nullptr;
    if (all && !all->empty()) add("llm.finish_reason", all->front());
  }

  void add_parameters(std::string name) {
    json parameters = json::object();
    for (const auto& [fact, key] : kParameters)
      if (const Value* value = span_.find(fact)) parameters[std::string(key)] = json_of(*value);
    if (!parameters.empty()) add(std::move(name), text_of(parameters));
  }

  void add_metadata() {
    json labels = json::object();
    for (const Attribute& attribute : span_.attributes())
      if (const auto* key = std::get_if<std::string_view>(&attribute.key))
        labels[std::string(*key)] = json_of(attribute.value);
    if (!labels.empty()) add("metadata", text_of(labels));
  }

  // Of a tool: its arguments, as its parameters too, for that is where Phoenix shows them.
  void add_call() {
    const std::string_view arguments = span_.text(Fact::tool_call_arguments);
    add_side("input", arguments, !parsed(arguments).is_null());
    add("tool.parameters", arguments);
    const std::string_view result = span_.text(Fact::tool_call_result);
    const json read = parsed(result);
    if (read.is_string())
      add_side("output", read.get<std::string>(), false);
    else
      add_side("output", result, !read.is_null() || result == "null");
  }

  void add_messages() {
    int at = 0;
    if (const json parts = parsed(span_.text(Fact::system_instructions)); parts.is_array())
      add_message("llm.input_messages.", at++, {{"role", "system"}, {"parts", parts}});
    const std::string_view input = span_.text(Fact::input_messages);
    if (const json messages = parsed(input); messages.is_array())
      for (const json& message : messages) add_message("llm.input_messages.", at++, message);
    add_side("input", input, true);

    const std::string_view output = span_.text(Fact::output_messages);
    if (const json messages = parsed(output); messages.is_array()) {
      at = 0;
      for (const json& message : messages) add_message("llm.output_messages.", at++, message);
    }
    if (output.empty())
      add_side("output", span_.text(Fact::action_response), false);
    else
      add_side("output", output, true);
  }

  void add_message(std::string_view list, int at, const json& message) {
    if (!message.is_object()) return;
    const std::string name = std::string(list) + std::to_string(at) + ".message.";
    add(name + "role", text_at(message, "role"));
    add(name + "name", text_at(message, "name"));
    const auto parts = message.find("parts");
    if (parts == message.end() || !parts->is_array()) return;
    const bool one_text = parts->size() == 1 && text_at(parts->front(), "type") == "text";
    int content = 0;
    int calls = 0;
    for (const json& part : *parts) {
      if (!part.is_object()) continue;
      const std::string type = text_at(part, "type");
      if (one_text)
        add(name + "content", text_at(part, "content"));
      else if (type == "tool_call")
        add_tool_call(name + "tool_calls." + std::to_string(calls++) + ".tool_call.", part);
      else if (type == "tool_call_response")
        add_tool_response(name, part);
      else
        content += add_content_part(name, content, type, part) ? 1 : 0;
    }
  }

  void add_tool_call(const std::string& name, const json& part) {
    add(name + "id", text_at(part, "id"));
    add(name + "function.name", text_at(part, "name"));
    if (const auto arguments = part.find("arguments");
        arguments != part.end() && !arguments->is_null())
      add(name + "function.arguments", plain(*arguments));
  }

  void add_tool_response(const std::string& name, const json& part) {
    add(name + "tool_call_id", text_at(part, "id"));
    if (const auto response = part.find("response"); response != part.end())
      add(name + "content", plain(*response));
  }

  bool add_content_part(const std::string& message, int at, const std::string& type,
                        const json& part) {
    const std::string name = message + "contents." + std::to_string(at) + ".message_content.";
    if (type == "text" || type == "reasoning" || type == "refusal") {
      const std::string text = text_at(part, "content");
      if (!text.empty()) add(name + "type", type == "refusal" ? "text" : type);
      add(name + "text", text);
      return !text.empty();
    }
    const bool by_uri = type == "uri";
    if ((!by_uri && type != "blob") || text_at(part, "modality") != "image") return false;
    const std::string data = "data:" + text_at(part, "mime_type") + ";base64,";
    add(name + "type", "image");
    add(name + "image.image.url", by_uri ? text_at(part, "uri") : data + text_at(part, "content"));
    return true;
  }

  // As the schema by which a model is told of a tool.
  void add_tools() {
    const json tools = parsed(span_.text(Fact::tool_definitions));
    if (!tools.is_array()) return;
    int at = 0;
    for (const json& tool : tools) {
      if (!tool.is_object()) continue;
      json function = tool;
      function.erase("type");
      const std::string type = text_at(tool, "type");
      add("llm.tools." + std::to_string(at++) + ".tool.json_schema",
          text_of({{"type", type.empty() ? "function" : type}, {"function", function}}));
    }
  }

  const SpanRecord& span_;
  MadeAttributes& made_;
  const std::string_view kind_;
};

}  // namespace

void add_openinference(const SpanRecord& span, bool content, MadeAttributes& made) {
  Writer writer(span, made);
  writer.add_facts();
  if (content) writer.add_content();
}

std::span<const std::string_view> openinference_names() noexcept { return kNames; }

}  // namespace mellea::telemetry
