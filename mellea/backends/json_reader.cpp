#include "mellea/backends/json_reader.h"

#include <bit>
#include <cstring>
#include <new>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/text.h"

namespace mellea {
namespace {

using simdjson::simdjson_error;
using simdjson::ondemand::json_type;

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

}  // namespace

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

bool is_object(JsonReader::Value& value) { return value.type().value() == json_type::object; }
bool is_array(JsonReader::Value& value) { return value.type().value() == json_type::array; }
bool is_null(JsonReader::Value& value) { return value.type().value() == json_type::null; }

bool has_elements(JsonReader::Value& value) {
  if (!is_array(value)) return false;
  auto array = value.get_array().value();
  return !array.is_empty().value();
}

std::string_view text_of(JsonReader::Value value, const char* complaint) {
  if (is_null(value)) return {};
  if (value.type().value() != json_type::string) throw WrongShape{complaint};
  const std::string_view text = value.get_string().value();
  // Half a surrogate pair is decoded to what is no UTF-8.
  if (!simdjson::validate_utf8(text.data(), text.size()))
    throw simdjson_error(simdjson::STRING_ERROR);
  return text;
}

std::string_view text_if_any(JsonReader::Value value) {
  return value.type().value() == json_type::string ? value.get_string().value()
                                                   : std::string_view();
}

std::optional<std::int64_t> count_of(JsonReader::Value value) {
  std::int64_t number = 0;
  if (value.type().value() != json_type::number || value.get_int64().get(number)) return {};
  return number;
}

std::string_view raw_of(JsonReader::Value value) {
  switch (value.type().value()) {
    case json_type::object: return value.get_object().value().raw_json().value();
    case json_type::array: return value.get_array().value().raw_json().value();
    default: break;
  }
  const std::string_view token = value.raw_json_token();
  return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

Json told_as(std::string_view name, std::string_view text) {
  constexpr std::size_t kMaxDepth = 64;
  if (nests_deeper_than(text, kMaxDepth)) return {};
  auto value = nlohmann::json::parse(to_utf8(text), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return {};
  nlohmann::json told;
  told[std::string(name)] = std::move(value);
  return Json(std::move(told));
}

simdjson::ondemand::document JsonReader::document_of(std::string_view json) {
  constexpr std::size_t kPadding = simdjson::SIMDJSON_PADDING;
  if (padded_.size() < json.size() + kPadding)
    padded_.resize(std::bit_ceil(json.size() + kPadding));
  std::memcpy(padded_.data(), json.data(), json.size());
  std::memset(padded_.data() + json.size(), 0, kPadding);
  // On demand only what is entered counts, and that is never deep: the tables for the usual 1,024
  // would be 9 KiB of each stream.
  constexpr std::size_t kDepth = 64;
  if (parser_.capacity() < json.size() &&
      parser_.allocate(padded_.size(), kDepth) != simdjson::SUCCESS)
    throw std::bad_alloc();
  auto document = parser_.iterate(padded_.data(), json.size(), padded_.size()).value();
  if (document.type().value() != json_type::object) throw WrongShape{"not a JSON object"};
  return document;
}

}  // namespace mellea
