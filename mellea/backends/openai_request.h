// What is sent to a server that speaks OpenAI's protocol. Pure: no network.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mellea/backends/request_checks.h"

namespace mellea {

// Servers that speak the protocol differ in what they take. OpenAI's own service, and Azure's copy
// of it, want max_completion_tokens, schemas in which every object lists all its members as
// required and allows no others, and know no top_k, min_p or chat_template_kwargs. Others (vLLM,
// TGI, llama-server) know max_tokens, and take those.
struct OpenAiDialect {
  bool own_service = false;

  static OpenAiDialect of_host(std::string_view host) noexcept;
};

// A streaming request asks for usage too. `extra` goes in last and wins; chat_template_kwargs in it
// are joined with ours. Throws Error (Errc::invalid_request) that names what can't be sent.
// `provider` is whose name messages begin with; static.
WrittenRequest write_openai_request(const Request& request, OpenAiDialect dialect,
                                    std::string_view provider = "openai");

// What other protocols took over of OpenAI's, each as one value of JSON.
struct OpenAiPieces {
  std::string messages{};
  std::string tools{};
  std::string response_format{};  // empty: the request has no format
  std::vector<Notice> notices{};
};
OpenAiPieces write_openai_pieces(const Request& request, std::string_view provider);

// `schema` as strict mode wants it. What satisfies it satisfies `schema` too: members that may be
// missing there are required here, and no others are allowed.
Json strict_schema(const Json& schema);

}  // namespace mellea
