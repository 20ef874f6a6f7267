// What a provider says when it can't answer, as an Error. Pure: no network.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "mellea/core/error.h"

namespace mellea {

// Which request an Error is about, in words fit to be shown.
struct RequestNames {
  std::string provider{};      // "openai"
  std::string request{};       // "POST https://api.openai.com/v1/chat/completions"
  std::string auth_hint{};     // what to do about a refused key: "check OPENAI_API_KEY"
  std::string missing_hint{};  // about a model that is not there: "ollama pull granite4:micro"
  std::string start_hint{};    // about a server that does not run: "ollama serve"

  std::string prefix() const { return provider + ": " + request + ": "; }
};

struct FailedAnswer {
  int status = 0;
  std::string_view body{};  // may be cut short
  std::string request_id{};
  std::optional<std::chrono::milliseconds> retry_after{};
};

// openai: POST https://…/chat/completions: 401 auth: "Incorrect API key" (request req_8f2): check
// OPENAI_API_KEY
Error answer_error(const RequestNames& names, const FailedAnswer& answer);

// For an error object that comes in the middle of a stream, after `chunks` others.
Error stream_error(const RequestNames& names, std::string_view json, std::size_t chunks);

// For a stream that ends without its end mark, after `chunks` others.
Error stream_cut(const RequestNames& names, std::size_t chunks);

// An Error of a lower layer, with what it was about put before it.
Error about(const RequestNames& names, const Error& error);

}  // namespace mellea
