// JSON off the wire, read by simdjson on demand: what the codecs share.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/json.h"

namespace mellea {

// Thrown by those who take an object: valid JSON, but not what the protocol says.
struct WrongShape {
  const char* why;  // a clause
};

// Reads one object after another with the same memory. Invalid UTF-8 and halves of surrogate pairs
// become U+FFFD. Members that nobody takes may be anything, however deep.
class JsonReader {
 public:
  using Value = simdjson::ondemand::value;
  using Object = simdjson::ondemand::object;

  // Calls `take` with the object that `json` is, a second time if text in it had to be mended. What
  // it takes is good until the next read. Null if all went well; else why not, as a clause.
  template <class Take>
  const char* read(std::string_view json, const Take& take);

 private:
  template <class Take>
  void parse(std::string_view json, const Take& take);

  simdjson::ondemand::document document_of(std::string_view json);

  simdjson::ondemand::parser parser_;
  std::vector<char> padded_;  // the object, with the bytes after it that simdjson may touch
};

bool is_object(JsonReader::Value& value);
bool is_array(JsonReader::Value& value);
bool is_null(JsonReader::Value& value);
bool has_elements(JsonReader::Value& value);  // an array that is not empty

// Text, or nothing for null. Throws WrongShape with that complaint for anything else.
std::string_view text_of(JsonReader::Value value, const char* complaint);
// For what is nice to know: anything but text is nothing.
std::string_view text_if_any(JsonReader::Value value);
std::optional<std::int64_t> count_of(JsonReader::Value value);
// As it stands there; what nobody entered is not checked, and may be no JSON.
std::string_view raw_of(JsonReader::Value value);

// {name: json}, for what is handed on as it came. No document if `json` is none, or nested deep.
Json told_as(std::string_view name, std::string_view json);

// Servers that cut text by tokens cut surrogate pairs too.
std::string with_whole_characters(std::string_view json);

template <class Take>
const char* JsonReader::read(std::string_view json, const Take& take) {
  try {
    try {
      parse(json, take);
    } catch (const simdjson::simdjson_error& error) {
      if (error.error() != simdjson::UTF8_ERROR && error.error() != simdjson::STRING_ERROR) throw;
      parse(with_whole_characters(json), take);
    }
  } catch (const simdjson::simdjson_error&) {
    return "not JSON";
  } catch (const WrongShape& shape) {
    return shape.why;
  }
  return nullptr;
}

template <class Take>
void JsonReader::parse(std::string_view json, const Take& take) {
  auto document = document_of(json);
  take(document.get_object().value());
  const char* rest = nullptr;
  if (!document.current_location().get(rest))
    throw simdjson::simdjson_error(simdjson::TRAILING_CONTENT);
}

}  // namespace mellea
