#include "openai_dialect.h"

namespace mellea::providers {
namespace {

class LiteLlmProxy final : public OpenAiProtocol {
 public:
  std::string name() const override { return "litellm"; }

  BackendOptions client(const LoopbackServer& server) const override {
    return {.backend = "litellm", .base_url = server.url()};
  }

  // Its code is the status, as a text.
  Fault fault(int status, std::string_view message) const override {
    const nlohmann::json error = {{"message", message},
                                  {"type", "None"},
                                  {"param", "None"},
                                  {"code", std::to_string(status)}};
    return {status, nlohmann::json{{"error", error}}.dump()};
  }

  Fault context_fault() const override {
    return fault(400,
                 "litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - "
                 "This model's maximum context length is 8 tokens. Received Model Group=small");
  }
};

}  // namespace

std::shared_ptr<const Dialect> litellm_dialect() { return std::make_shared<LiteLlmProxy>(); }

}  // namespace mellea::providers
