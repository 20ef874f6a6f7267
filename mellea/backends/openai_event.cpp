#include "mellea/backends/openai_event.h"

#include <bit>
#include <cstring>
#include <initializer_list>

#include "mellea/core/text.h"

namespace mellea {
namespace {

using simdjson::simdjson_error;
using simdjson::ondemand::array;
using simdjson::ondemand::json_type;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

// Thrown within this file only: valid JSON that is not what the protocol says.
struct WrongShape {
  const char* why;
};

bool is_object(value& value) { return value.type().value() == json_type::object; }
bool is_array(value& value) { return value.type().value() == json_type::array; }
bool is_null(value& value) { return value.type().value() == json_type::null; }

// For what is nice to know: anything but text is nothing.
std::string_view text_if_any(value value) {
  return value.type().value() == json_type::string ? value.get_string().value()
                                                   : std::string_view();
}

std::optional<std::int64_t> count(value value) {
  std::int64_t number = 0;
  if (value.type().value() != json_type::number || value.get_int64().get(number)) return {};
  return number;
}

std::optional<std::int64_t> count_in(value value, std::initializer_list<std::string_view> names) {
  std::optional<std::int64_t> found;
  if (!is_object(value)) return found;
  for (auto field : value.get_object()) {
    const std::string_view key = field.unescaped_key();
    for (const std::string_view name : names)
      if (key == name) found = count(field.value());
  }
  return found;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The code unit of the escape \uXXXX at `at`; -1 if there is none.
int code_unit(std::string_view json, std::size_t at) {
  if (at + 6 > json.size() || json[at] != '\\' || json[at + 1] != 'u') return -1;
  int unit = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    if (hex_digit(json[i]) < 0) return -1;
    unit = unit * 16 + hex_digit(json[i]);
  }
  return unit;
}

// Servers that cut text by tokens cut surrogate pairs too.
std::string with_whole_characters(std::string_view text) {
  std::string json = to_utf8(text);
  for (std::size_t at = json.find('\\'); at != json.npos; at = json.find('\\', at)) {
    const int unit = code_unit(json, at);
    if (unit < 0xD800 || unit > 0xDFFF) {
      at += 2;
      continue;
    }
    const int next = code_unit(json, at + 6);
    if (unit < 0xDC00 && next >= 0xDC00 && next <= 0xDFFF) {
      at += 12;
    } else {
      json.replace(at, 6, "\\uFFFD");
      at += 6;
    }
  }
  return json;
}

}  // namespace

void OpenAiEvent::clear() {
  id = model = service_tier = system_fingerprint = {};
  is_error = has_choices = false;
  choices.clear();
  calls.clear();
  usage.reset();
}

const char* OpenAiEventReader::read(std::string_view json) {
  try {
    try {
      parse(json);
    } catch (const simdjson_error& error) {
      if (error.error() != simdjson::UTF8_ERROR && error.error() != simdjson::STRING_ERROR) throw;
      parse(with_whole_characters(json));
    }
  } catch (const simdjson_error&) {
    return "not JSON";
  } catch (const WrongShape& shape) {
    return shape.why;
  }
  return nullptr;
}

void OpenAiEventReader::parse(std::string_view json) {
  constexpr std::size_t kPadding = simdjson::SIMDJSON_PADDING;
  event_.clear();
  joined_.clear();
  if (padded_.size() < json.size() + kPadding)
    padded_.resize(std::bit_ceil(json.size() + kPadding));
  std::memcpy(padded_.data(), json.data(), json.size());
  std::memset(padded_.data() + json.size(), 0, kPadding);
  auto document = parser_.iterate(padded_.data(), json.size(), padded_.size()).value();
  if (document.type().value() != json_type::object) throw WrongShape{"not a JSON object"};
  for (auto field : document.get_object()) {
    const std::string_view key = field.unescaped_key();
    value value = field.value();
    if (key == "choices")
      choices(value);
    else if (key == "id")
      event_.id = text_if_any(value);
    else if (key == "model")
      event_.model = text_if_any(value);
    else if (key == "usage")
      usage(value);
    else if (key == "system_fingerprint")
      event_.system_fingerprint = text_if_any(value);
    else if (key == "service_tier")
      event_.service_tier = text_if_any(value);
    else if (key == "error")
      event_.is_error = !is_null(value);
    else if (key == "object" && text_if_any(value) == "error")
      event_.is_error = true;
  }
  const char* rest = nullptr;
  if (!document.current_location().get(rest)) throw simdjson_error(simdjson::TRAILING_CONTENT);
}

void OpenAiEventReader::choices(Value value) {
  if (is_null(value)) return;
  if (!is_array(value)) throw WrongShape{"\"choices\" is not an array"};
  event_.has_choices = true;
  for (auto element : value.get_array()) {
    auto item = element.value();
    if (!is_object(item)) throw WrongShape{"a choice is not an object"};
    choice(item.get_object());
  }
}

void OpenAiEventReader::choice(object object) {
  OpenAiEvent::Choice choice;
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    value value = field.value();
    if (key == "delta" || key == "message")
      said(value, choice);
    else if (key == "index")
      choice.index = count(value).value_or(0);
    else if (key == "finish_reason")
      choice.finish_reason = text_if_any(value);
    else if (key == "text")
      choice.text = text(value, "the text of a choice is not text");
    else if (key == "logprobs" && is_object(value))
      choice.logprobs = value.get_object().value().raw_json().value();
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
      if (choice.thinking.empty() && member.type().value() == json_type::string)
        choice.thinking = text(member, "");
    } else if (key == "refusal") {
      choice.refusal = text(member, "\"refusal\" is not text");
    } else if (key == "tool_calls") {
      tool_calls(member);
    } else if (key == "function_call" && is_object(member)) {
      function(member, event_.calls.emplace_back());
    }
  }
}

// Text, or, as some servers write it, a list of parts of which some are thinking.
void OpenAiEventReader::content(Value value, OpenAiEvent::Choice& choice) {
  constexpr const char* kNotText = "\"content\" is not text";
  if (!is_array(value)) {
    choice.text = text(value, kNotText);
    return;
  }
  for (auto element : value.get_array()) {
    auto part = element.value();
    if (!is_object(part)) throw WrongShape{"a part of \"content\" is not an object"};
    for (auto field : part.get_object()) {
      const std::string_view key = field.unescaped_key();
      auto member = field.value().value();
      if (key == "text") {
        choice.text = joined(choice.text, text(member, kNotText));
      } else if (key == "thinking" && is_array(member)) {
        OpenAiEvent::Choice inner;
        content(member, inner);
        choice.thinking = joined(choice.thinking, inner.text);
      }
    }
  }
}

std::string_view OpenAiEventReader::joined(std::string_view all, std::string_view more) {
  if (all.empty()) return more;
  return joined_.emplace_back(std::string(all).append(more));
}

void OpenAiEventReader::tool_calls(Value value) {
  if (is_null(value)) return;
  if (!is_array(value)) throw WrongShape{"\"tool_calls\" is not an array"};
  for (auto element : value.get_array()) {
    auto item = element.value();
    if (!is_object(item)) throw WrongShape{"a tool call is not an object"};
    OpenAiEvent::Call& call = event_.calls.emplace_back();
    for (auto field : item.get_object()) {
      const std::string_view key = field.unescaped_key();
      auto member = field.value().value();
      if (key == "index")
        call.index = count(member);
      else if (key == "id")
        call.id = text_if_any(member);
      else if (key == "function" && is_object(member))
        function(member, call);
    }
  }
}

// Arguments are JSON in a text; some servers send the JSON itself.
void OpenAiEventReader::function(Value value, OpenAiEvent::Call& call) {
  for (auto field : value.get_object()) {
    const std::string_view key = field.unescaped_key();
    auto member = field.value().value();
    if (key == "name")
      call.name = text(member, "the name of a tool call is not text");
    else if (key == "arguments" && is_object(member))
      call.arguments = member.get_object().value().raw_json().value();
    else if (key == "arguments")
      call.arguments = text(member, "the arguments of a tool call are not text");
  }
}

void OpenAiEventReader::usage(Value value) {
  if (!is_object(value)) return;
  Usage usage;
  for (auto field : value.get_object()) {
    const std::string_view key = field.unescaped_key();
    auto member = field.value().value();
    if (key == "prompt_tokens")
      usage.input_tokens = count(member);
    else if (key == "completion_tokens")
      usage.output_tokens = count(member);
    else if (key == "total_tokens")
      usage.total_tokens = count(member);
    else if (key == "prompt_cache_hit_tokens")
      usage.cache_read_tokens = count(member);
    else if (key == "prompt_tokens_details" && is_object(member)) {
      for (auto detail : member.get_object()) {
        const std::string_view name = detail.unescaped_key();
        auto tokens = detail.value().value();
        if (name == "cached_tokens")
          usage.cache_read_tokens = count(tokens);
        else if (name == "cache_creation_tokens" || name == "cache_write_tokens")
          usage.cache_write_tokens = count(tokens);
      }
    } else if (key == "completion_tokens_details") {
      usage.reasoning_tokens = count_in(member, {"reasoning_tokens"});
    }
  }
  event_.usage = usage;
}

std::string_view OpenAiEventReader::text(Value value, const char* complaint) {
  if (is_null(value)) return {};
  if (value.type().value() != json_type::string) throw WrongShape{complaint};
  const std::string_view text = value.get_string().value();
  // Half a surrogate pair is decoded to what is no UTF-8.
  if (!simdjson::validate_utf8(text.data(), text.size()))
    throw simdjson_error(simdjson::STRING_ERROR);
  return text;
}

}  // namespace mellea
