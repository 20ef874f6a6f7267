#include "mellea/backends/openai_event.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <utility>

namespace mellea {
namespace {

using Value = JsonReader::Value;

std::optional<std::int64_t> count_in(Value value, std::initializer_list<std::string_view> names) {
  std::optional<std::int64_t> found;
  if (!is_object(value)) return found;
  for (auto field : value.get_object()) {
    const std::string_view key = field.unescaped_key();
    for (const std::string_view name : names)
      if (key == name) found = count_of(field.value());
  }
  return found;
}

// And whether there is more than counts of tokens.
std::pair<Usage, bool> counts(JsonReader::Object object) {
  Usage usage;
  bool has_more = false;
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    auto member = field.value().value();
    if (key == "prompt_tokens")
      usage.input_tokens = count_of(member);
    else if (key == "completion_tokens")
      usage.output_tokens = count_of(member);
    else if (key == "total_tokens")
      usage.total_tokens = count_of(member);
    else if (key == "prompt_cache_hit_tokens" || key == "cache_read_input_tokens")
      usage.cache_read_tokens = count_of(member);
    else if (key == "cache_creation_input_tokens")
      usage.cache_write_tokens = count_of(member);
    else if (key == "prompt_tokens_details" && is_object(member)) {
      for (auto detail : member.get_object()) {
        const std::string_view name = detail.unescaped_key();
        auto tokens = detail.value().value();
        if (name == "cached_tokens")
          usage.cache_read_tokens = count_of(tokens);
        else if (name == "cache_creation_tokens" || name == "cache_write_tokens")
          usage.cache_write_tokens = count_of(tokens);
      }
    } else if (key == "completion_tokens_details") {
      usage.reasoning_tokens = count_in(member, {"reasoning_tokens"});
    } else if (key != "prompt_cache_miss_tokens" && !is_null(member)) {
      has_more = true;
    }
  }
  return {usage, has_more};
}

}  // namespace

void OpenAiEvent::clear() {
  id = model = service_tier = system_fingerprint = {};
  choice_error = {};
  is_error = has_choices = false;
  choices.clear();
  calls.clear();
  usage.reset();
  others.clear();
}

const char* OpenAiEventReader::read(std::string_view json) {
  return reader_.read(json, [this](Object object) {
    event_.clear();
    joined_.clear();
    take(object);
  });
}

void OpenAiEventReader::take(Object object) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "choices")
      choices(value);
    else if (key == "id")
      event_.id = text_if_any(value);
    else if (key == "model")
      event_.model = text_if_any(value);
    else if (key == "usage" && is_object(value))
      usage(value.get_object());
    else if (key == "system_fingerprint")
      event_.system_fingerprint = text_if_any(value);
    else if (key == "service_tier")
      event_.service_tier = text_if_any(value);
    else if (key == "error")
      event_.is_error = event_.is_error || !is_null(value);
    else if (key == "errors")
      event_.is_error = event_.is_error || has_elements(value);
    else if (key == "object")
      event_.is_error = event_.is_error || text_if_any(value) == "error";
    else if (key == "model_id") {
      if (event_.model.empty()) event_.model = text_if_any(value);
    } else if (key == "x_groq" && is_object(value))
      groq(value.get_object());
    else if (key != "created" && key != "obfuscation")
      other(key, value);
  }
}

void OpenAiEventReader::other(std::string_view name, Value value) {
  if (is_null(value)) return;
  const std::string_view json = raw_of(value);
  if (json != "{}" && json != "[]") event_.others.push_back({name, json});
}

// {"id": "req_...", "usage": {...}}: who did not ask for usage gets it there.
void OpenAiEventReader::groq(Object object) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "usage" && is_object(value)) event_.usage = counts(value.get_object()).first;
  }
  object.reset().value();
  event_.others.push_back({"x_groq", object.raw_json().value()});
}

void OpenAiEventReader::usage(Object object) {
  const auto [usage, has_more] = counts(object);
  event_.usage = usage;
  if (!has_more) return;
  object.reset().value();
  event_.others.push_back({"usage", object.raw_json().value()});
}

void OpenAiEventReader::choices(Value value) {
  if (is_null(value)) return;
  if (!is_array(value)) throw WrongShape{"\"choices\" is not an array"};
  event_.has_choices = true;
  for (auto element : value.get_array()) {
    auto item = element.value();
    if (!is_object(item)) throw WrongShape{"a choice is not an object"};
    if (event_.choices.size() == most_choices_) throw WrongShape{"there are too many choices"};
    choice(item.get_object());
  }
}

void OpenAiEventReader::choice(Object object) {
  OpenAiEvent::Choice choice;
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "delta" || key == "message")
      said(value, choice);
    else if (key == "index")
      choice.index = count_of(value).value_or(0);
    else if (key == "finish_reason")
      choice.finish_reason = text_if_any(value);
    else if (key == "text")
      choice.text = text_of(value, "the text of a choice is not text");
    else if (key == "logprobs" && is_object(value))
      choice.logprobs = raw_of(value);
    else if (key == "error" && is_object(value))
      event_.choice_error = raw_of(value);
  }
  choice.calls_end = event_.calls.size();
  event_.choices.push_back(choice);
}

// Of the names that thinking goes by, a server uses one, or all of them for the same text.
void OpenAiEventReader::said(Value value, OpenAiEvent::Choice& choice) {
  if (is_null(value)) return;
  if (!is_object(value)) throw WrongShape{"the message of a choice is not an object"};
  for (auto field : value.get_object()) {
    const std::string_view key = field.unescaped_key();
    auto member = field.value().value();
    if (key == "content") {
      content(member, choice);
    } else if (key == "reasoning_content" || key == "reasoning" || key == "thinking") {
      if (choice.thinking.empty() && member.type().value() == simdjson::ondemand::json_type::string)
        choice.thinking = text_of(member, "");
    } else if (key == "refusal") {
      choice.refusal = text_of(member, "\"refusal\" is not text");
    } else if (key == "tool_calls") {
      tool_calls(member);
    } else if (key == "function_call" && is_object(member)) {
      function(member, new_call());
    }
  }
}

// Text, or, as some servers write it, a list of parts of which some are thinking.
void OpenAiEventReader::content(Value value, OpenAiEvent::Choice& choice) {
  constexpr const char* kNotText = "\"content\" is not text";
  if (!is_array(value)) {
    choice.text = text_of(value, kNotText);
    return;
  }
  for (auto element : value.get_array()) {
    auto part = element.value();
    if (!is_object(part)) throw WrongShape{"a part of \"content\" is not an object"};
    for (auto field : part.get_object()) {
      const std::string_view key = field.unescaped_key();
      auto member = field.value().value();
      if (key == "text")
        choice.text = joined(choice.text, text_of(member, kNotText));
      else if (key == "thinking" && is_array(member))
        thinking_parts(member, choice);
    }
  }
}

// [{"type": "text", "text": "..."}, ...]: no deeper, or a server could have us nest without end.
void OpenAiEventReader::thinking_parts(Value value, OpenAiEvent::Choice& choice) {
  for (auto element : value.get_array()) {
    auto part = element.value();
    if (!is_object(part)) continue;
    for (auto field : part.get_object()) {
      const std::string_view key = field.unescaped_key();
      if (key == "text")
        choice.thinking = joined(choice.thinking, text_if_any(field.value().value()));
    }
  }
}

// `all` grows where it is: it is none of ours yet, or one of the last two.
std::string_view OpenAiEventReader::joined(std::string_view all, std::string_view more) {
  if (all.empty()) return more;
  const auto last = joined_.end() - std::min<std::ptrdiff_t>(2, std::ssize(joined_));
  auto mine = std::find_if(last, joined_.end(),
                           [&](const std::string& one) { return one.data() == all.data(); });
  if (mine == joined_.end()) mine = joined_.emplace(joined_.end(), all);
  return mine->append(more);
}

void OpenAiEventReader::tool_calls(Value value) {
  if (is_null(value)) return;
  if (!is_array(value)) throw WrongShape{"\"tool_calls\" is not an array"};
  for (auto element : value.get_array()) {
    auto item = element.value();
    if (!is_object(item)) throw WrongShape{"a tool call is not an object"};
    OpenAiEvent::Call& call = new_call();
    for (auto field : item.get_object()) {
      const std::string_view key = field.unescaped_key();
      auto member = field.value().value();
      if (key == "index")
        call.index = count_of(member);
      else if (key == "id")
        call.id = text_if_any(member);
      else if (key == "function" && is_object(member))
        function(member, call);
    }
  }
}

// Each is many times as large as the two bytes that a server needs for one.
OpenAiEvent::Call& OpenAiEventReader::new_call() {
  constexpr std::size_t kMostCalls = 16'384;  // of all choices
  if (event_.calls.size() == kMostCalls) throw WrongShape{"there are too many tool calls"};
  return event_.calls.emplace_back();
}

// Arguments are JSON in a text; some servers send the JSON itself.
void OpenAiEventReader::function(Value value, OpenAiEvent::Call& call) {
  for (auto field : value.get_object()) {
    const std::string_view key = field.unescaped_key();
    auto member = field.value().value();
    if (key == "name")
      call.name = text_of(member, "the name of a tool call is not text");
    else if (key == "arguments" && is_object(member))
      call.arguments = member.get_object().value().raw_json().value();
    else if (key == "arguments")
      call.arguments = text_of(member, "the arguments of a tool call are not text");
  }
}

}  // namespace mellea
