#include "mellea/backends/ollama_event.h"

#include <utility>

namespace mellea {
namespace {

bool is_true(JsonReader::Value value) {
  bool answer = false;
  return !value.get_bool().get(answer) && answer;
}

}  // namespace

void OllamaEvent::clear() {
  std::vector<Call> memory = std::move(calls);
  memory.clear();
  *this = {};
  calls = std::move(memory);
}

const char* OllamaEventReader::read(std::string_view json) {
  return reader_.read(json, [this](Object object) {
    event_.clear();
    take(object);
  });
}

void OllamaEventReader::take(Object object) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "message" || key == "response" || key == "done") event_.is_answer = true;
    if (key == "message")
      message(value);
    else if (key == "response")
      event_.text = text_of(value, "\"response\" is not text");
    else if (key == "thinking")
      event_.thinking = text_of(value, "\"thinking\" is not text");
    else if (key == "logprobs" && is_array(value))
      event_.logprobs = value.get_array().value().raw_json().value();
    else if (key == "model")
      event_.model = text_if_any(value);
    else if (key == "created_at")
      event_.created_at = text_if_any(value);
    else if (key == "done")
      event_.done = is_true(value);
    else if (key == "done_reason")
      event_.done_reason = text_if_any(value);
    else if (key == "prompt_eval_count")
      event_.prompt_eval_count = count_of(value);
    else if (key == "eval_count")
      event_.eval_count = count_of(value);
    else if (key == "total_duration")
      event_.total_duration = count_of(value);
    else if (key == "load_duration")
      event_.load_duration = count_of(value);
    else if (key == "prompt_eval_duration")
      event_.prompt_eval_duration = count_of(value);
    else if (key == "eval_duration")
      event_.eval_duration = count_of(value);
    else if (key == "error")
      event_.is_error = !is_null(value);
  }
}

void OllamaEventReader::message(Value value) {
  if (is_null(value)) return;
  if (!is_object(value)) throw WrongShape{"\"message\" is not an object"};
  for (auto field : value.get_object()) {
    const std::string_view key = field.unescaped_key();
    Value member = field.value();
    if (key == "content")
      event_.text = text_of(member, "\"content\" is not text");
    else if (key == "thinking")
      event_.thinking = text_of(member, "\"thinking\" is not text");
    else if (key == "tool_calls")
      tool_calls(member);
  }
}

void OllamaEventReader::tool_calls(Value value) {
  if (is_null(value)) return;
  if (!is_array(value)) throw WrongShape{"\"tool_calls\" is not an array"};
  for (auto element : value.get_array()) {
    Value item = element.value();
    if (!is_object(item)) throw WrongShape{"a tool call is not an object"};
    OllamaEvent::Call& call = event_.calls.emplace_back();
    for (auto field : item.get_object()) {
      const std::string_view key = field.unescaped_key();
      Value member = field.value();
      if (key == "id")
        call.id = text_if_any(member);
      else if (key == "function" && is_object(member))
        function(member.get_object(), call);
    }
    if (call.name.empty()) throw WrongShape{"a tool call has no name"};
    if (call.arguments.empty()) call.arguments = "{}";
  }
}

// Arguments are an object; some servers that speak the protocol send a text with JSON in it.
void OllamaEventReader::function(Object object, OllamaEvent::Call& call) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value member = field.value();
    if (key == "name")
      call.name = text_of(member, "the name of a tool call is not text");
    else if (key == "arguments" && is_object(member))
      call.arguments = member.get_object().value().raw_json().value();
    else if (key == "arguments")
      call.arguments = text_of(member, "the arguments of a tool call are no object");
  }
}

}  // namespace mellea
