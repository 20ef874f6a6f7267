// OpenAI's protocol, and what the servers that speak it with an accent change of it.
#pragma once

#include <nlohmann/json.hpp>

#include "dialect.h"

namespace mellea::providers {

class OpenAiProtocol : public Dialect {
 public:
  std::string name() const override { return "openai"; }
  BackendOptions client(const LoopbackServer& server) const override;

  // Choices, and embeddings, stand in the reverse of their order: they go by their index.
  std::string whole(Request::Kind kind, const Answer& answer) const override;
  std::vector<std::string> stream(Request::Kind kind, const Answer& answer) const override;
  Fault fault(int status, std::string_view message) const override;
  Fault context_fault() const override;
  std::string stream_fault(std::string_view message) const override;
  std::string models(const std::vector<std::string>& names) const override;
  Request read(const ReceivedRequest& request) const override;

 protected:
  // Which the whole answer, or one event of a stream, is of.
  virtual nlohmann::json head(const ResponseInfo& info) const;
  virtual std::string event(const nlohmann::json& json) const;
  virtual std::string end_of_stream() const { return "data: [DONE]\n\n"; }

  // What the members of a request mean; for protocols that have more of them.
  static Request read_members(const nlohmann::json& body);
  static std::vector<ToolSpec> read_tools(const nlohmann::json& tools);
};

}  // namespace mellea::providers
