#include "mellea/backends/tgi_event.h"

namespace mellea {
namespace {

using Value = JsonReader::Value;

std::string_view array_if_any(Value value) {
  if (!is_array(value)) return {};
  return value.get_array().value().raw_json().value();
}

std::int64_t size_if_any(Value value) {
  std::int64_t size = 0;
  if (is_array(value))
    for (auto element : value.get_array()) {
      static_cast<void>(element.value());
      ++size;
    }
  return size;
}

std::optional<double> number_if_any(Value value) {
  double number = 0;
  if (value.type().value() != simdjson::ondemand::json_type::number ||
      value.get_double().get(number))
    return {};
  return number;
}

std::optional<std::uint64_t> seed_if_any(Value value) {
  std::uint64_t seed = 0;
  if (value.type().value() != simdjson::ondemand::json_type::number || value.get_uint64().get(seed))
    return {};
  return seed;
}

bool is_true(Value value) {
  bool answer = false;
  return !value.get_bool().get(answer) && answer;
}

}  // namespace

void TgiEvent::clear() {
  is_error = has_token = ends = false;
  token = {};
  sequences.clear();
}

const char* TgiEventReader::read(std::string_view json) {
  return reader_.read(json, [this](Object object) {
    event_.clear();
    own_ = {};
    take(object);
    if (event_.ends) event_.sequences.insert(event_.sequences.begin(), own_);
  });
}

void TgiEventReader::take(Object object) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "token" && is_object(value)) {
      token(value.get_object());
    } else if (key == "top_tokens") {
      event_.token.top_tokens = array_if_any(value);
    } else if (key == "generated_text" && !is_null(value)) {
      own_.text = text_of(value, "\"generated_text\" is not text");
      event_.ends = true;
    } else if (key == "details" && is_object(value)) {
      details(value.get_object(), own_);
    } else if (key == "error") {
      event_.is_error = !is_null(value);
    }
  }
}

void TgiEventReader::token(Object object) {
  TgiEvent::Token& token = event_.token;
  event_.has_token = true;
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "text")
      token.text = text_of(value, "the text of a token is not text");
    else if (key == "logprob")
      token.logprob = number_if_any(value);
    else if (key == "special")
      token.special = is_true(value);
  }
}

void TgiEventReader::details(Object object, TgiEvent::Sequence& sequence) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "generated_text")
      sequence.text = text_of(value, "\"generated_text\" is not text");
    else if (key == "finish_reason")
      sequence.finish_reason = text_if_any(value);
    else if (key == "generated_tokens")
      sequence.generated_tokens = count_of(value);
    else if (key == "input_length")
      sequence.input_length = count_of(value);
    else if (key == "seed")
      sequence.seed = seed_if_any(value);
    else if (key == "prefill")
      sequence.prefill = size_if_any(value);
    else if (key == "tokens")
      sequence.tokens = array_if_any(value);
    else if (key == "top_tokens")
      sequence.top_tokens = array_if_any(value);
    else if (key == "best_of_sequences" && &sequence == &own_)
      best_of(value);
  }
}

void TgiEventReader::best_of(Value value) {
  if (!is_array(value)) return;
  for (auto element : value.get_array()) {
    Value item = element.value();
    if (!is_object(item)) throw WrongShape{"one of \"best_of_sequences\" is not an object"};
    constexpr std::size_t kMost = 1024;
    if (event_.sequences.size() == kMost) throw WrongShape{"there are too many answers"};
    details(item.get_object(), event_.sequences.emplace_back());
  }
}

}  // namespace mellea
