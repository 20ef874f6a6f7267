// What the codecs of all providers do before a request is sent. Pure: no network.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/reply.h"
#include "mellea/core/request.h"

namespace mellea {

// A request in a provider's own words.
struct WrittenRequest {
  std::string path{};  // below the base URL
  std::string body{};
  std::vector<Notice> notices{};  // options that can't be honoured
};

// What is checked, by the name that a message calls it by: "message 2, assistant".
struct Part {
  std::string_view name{};
  std::size_t number = 0;  // from 1; 0: there is only one
  std::string_view detail{};

  std::string text() const;
};

// Each throws Error (Errc::invalid_request) that names the provider and the part at fault.
class RequestChecks {
 public:
  explicit constexpr RequestChecks(std::string_view provider) : provider_(provider) {}

  [[noreturn]] void refuse(const std::string& what) const;

  // Both return what they were given.
  std::string_view text(std::string_view text, const Part& part) const;
  double number(double number, std::string_view option) const;

  void extra(const ModelOptions& options) const;   // an object, if anything
  int choices(const ModelOptions& options) const;  // 1 to 1,024; 1 if it is not said
  void tool_choice(const Request& request) const;  // a tool that must be called is there

  // That an option was not sent, and why, as a clause.
  Notice ignored(std::string_view option, std::string_view why) const;

 private:
  const std::string_view provider_;  // static
};

}  // namespace mellea
