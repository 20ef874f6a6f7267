// What is sent to a server that speaks OpenAI's protocol. Pure: no network.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mellea/backends/request_checks.h"

namespace mellea {

// Servers that speak the protocol differ in what they take. What a service does not know is left
// out, with a notice: some refuse it, others pass over it in silence. The defaults are for servers
// that take what they know and pass over the rest: vLLM, llama-server, LM Studio...
struct OpenAiDialect {
  // How thinking is switched on and off; how much of it is an effort everywhere.
  enum class Thinking {
    effort,         // "reasoning_effort": "medium" or "none"
    chat_template,  // "chat_template_kwargs": {"enable_thinking": ...}
    deepseek,       // "thinking": {"type": "enabled"}
    openrouter,     // "reasoning": {"enabled": true} or {"effort": ...}
    none,           // not at all
  };

  // OpenAI's, or Azure's copy of it: wants max_completion_tokens, and schemas in which every object
  // lists all its members as required and allows no others.
  bool own_service = false;
  // A Text Generation Inference server: wants a schema in another form, and knows little.
  bool tgi = false;
  bool knows_more_sampling = true;  // top_k, min_p
  bool knows_schemas = true;        // else: any JSON object
  Thinking thinking = Thinking::chat_template;
  // Where a message that is sent back has its thinking; empty: nowhere.
  std::string_view thinking_member = "reasoning_content";

  static OpenAiDialect of_host(std::string_view host) noexcept;
  static OpenAiDialect of_tgi() noexcept;
};

bool is_azure(std::string_view host) noexcept;

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
