// mellea chat: one question, or a conversation.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mellea/cli/console.h"
#include "mellea/cli/model_choice.h"
#include "mellea/cli/tracing.h"
#include "mellea/core/options.h"

namespace mellea::cli {

// As typed; what is empty was not.
struct ChatArguments {
  ModelArguments model{};
  std::vector<std::string> options{};  // K=V
  std::string timeout{};
  std::string idle_timeout{};
  std::string system{};
  std::optional<bool> stream{};
  std::string schema{};
  std::vector<std::string> images{};
  bool json = false;
  bool pull = false;
  TraceArguments trace{};
  std::optional<std::string> prompt{};
};

// Returns the exit code. Throws UsageError and OutputLost.
int chat(const ChatArguments& arguments, Console& console, const Environment& environment);

// Throws UsageError for an option that there is not, or a value of the wrong type.
ModelOptions model_options(const std::vector<std::string>& settings);

}  // namespace mellea::cli
