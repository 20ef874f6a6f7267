#include "mellea/backends/watsonx_event.h"

namespace mellea {

const char* WatsonxEventReader::read(std::string_view json) {
  return reader_.read(json, [this](Object object) {
    event_ = {};
    take(object);
  });
}

void WatsonxEventReader::take(Object object) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "results")
      results(value);
    else if (key == "model_id")
      event_.model = text_if_any(value);
    else if (key == "system" && is_object(value))
      event_.system = value.get_object().value().raw_json().value();
    else if (key == "errors")
      event_.is_error = has_elements(value);
  }
}

void WatsonxEventReader::results(Value value) {
  if (is_null(value)) return;
  if (!is_array(value)) throw WrongShape{"\"results\" is not an array"};
  for (auto element : value.get_array()) {
    Value item = element.value();
    if (!is_object(item)) throw WrongShape{"a result is not an object"};
    result(item.get_object());
  }
}

void WatsonxEventReader::result(Object object) {
  ++event_.results;
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "generated_text")
      event_.text = text_of(value, "\"generated_text\" is not text");
    else if (key == "stop_reason")
      event_.stop_reason = text_if_any(value);
    else if (key == "generated_tokens" && is_array(value))
      event_.tokens = value.get_array().value().raw_json().value();
    else if (key == "input_token_count")
      event_.input_token_count = count_of(value);
    else if (key == "generated_token_count")
      event_.generated_token_count = count_of(value);
  }
}

}  // namespace mellea
