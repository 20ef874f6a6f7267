// An agent: a model that reasons and acts by turns until it has an answer.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "mellea/core/chat.h"
#include "mellea/core/tool.h"
#include "mellea/runtime/result.h"

namespace mellea {

struct ReactOptions {
  Tools tools{};                   // beside final_answer, which every agent has
  int max_steps = 10;              // turns of the model; 0: no limit
  std::optional<Format> format{};  // of the answer; not set: text
  ModelOptions options{};          // win over those of the session
  bool parallel = false;           // tools of one turn beside each other
  std::optional<Instant> until{};  // then it fails with Errc::timeout
  Limits limits{};                 // of each turn
  std::stop_token stop{};
  Labels labels{};
  std::shared_ptr<const Origin> origin{};
};

// What an agent did. A value.
struct AgentResult {
  struct Step {
    Result said;                      // by the model
    std::vector<ToolResult> tools{};  // that it asked for, in its order
  };
  std::optional<std::string> answer{};  // JSON if a format was asked for; nothing: out of steps
  std::vector<Step> steps{};
  Scope scope{};

  bool ok() const noexcept { return answer.has_value(); }
  std::optional<Usage> total_usage() const;  // a count that one turn lacks is absent
};

}  // namespace mellea
