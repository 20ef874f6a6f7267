// JSON as a value, so that public headers need not see a JSON library.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace mellea {

// A JSON document that does not change. A copy is one reference count; any thread may read it.
// Those who build or read one include <nlohmann/json.hpp>.
class Json {
 public:
  Json() = default;  // no document, which is not the same as null
  explicit Json(nlohmann::json value);

  // `what` begins the message of the Error (Errc::invalid_request) that is thrown where `text` is
  // no JSON, or nested more than 256 deep.
  static Json parse(std::string_view text, std::string_view what = "JSON");

  explicit operator bool() const noexcept { return value_ != nullptr; }
  const nlohmann::json& operator*() const noexcept { return *value_; }
  const nlohmann::json* operator->() const noexcept { return value_.get(); }
  std::string text() const;  // compact; invalid UTF-8 is replaced

 private:
  std::shared_ptr<const nlohmann::json> value_;  // null if there is no document
};

// Whether `text` nests arrays and objects more than `depth` deep; strings are skipped. What is
// deeper is never handed to a recursive reader.
bool nests_deeper_than(std::string_view text, std::size_t depth) noexcept;

}  // namespace mellea
