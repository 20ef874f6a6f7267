#include "mellea/core/json.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/error.h"

namespace mellea {
namespace {

constexpr std::size_t kMaxDepth = 256;

}  // namespace

Json::Json(nlohmann::json value)
    : value_(std::make_shared<const nlohmann::json>(std::move(value))) {}

Json Json::parse(std::string_view text, std::string_view what) {
  if (nests_deeper_than(text, kMaxDepth))
    throw Error(Errc::invalid_request,
                std::string(what) + ": nested more than " + std::to_string(kMaxDepth) + " deep");
  try {
    return Json(nlohmann::json::parse(text));
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(Errc::invalid_request,
                std::string(what) + ": not JSON at byte " + std::to_string(error.byte));
  } catch (const nlohmann::json::exception&) {  // 1e999
    throw Error(Errc::invalid_request, std::string(what) + ": a number is too large");
  }
}

std::string Json::text() const {
  return value_ ? value_->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) : "";
}

bool nests_deeper_than(std::string_view text, std::size_t depth) noexcept {
  std::size_t open = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++open > depth) return true;
    } else if ((c == '}' || c == ']') && open > 0) {
      --open;
    }
  }
  return false;
}

}  // namespace mellea
