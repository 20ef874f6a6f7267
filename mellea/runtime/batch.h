// Several prompts in one call to a provider.
#pragma once

#include <optional>
#include <vector>

#include "mellea/core/chat.h"
#include "mellea/core/scope.h"
#include "mellea/runtime/model.h"
#include "mellea/runtime/result.h"

namespace mellea {

struct BatchJob {
  Scope parent{};
  Entry entry{};
  Request::Kind kind = Request::Kind::completion;
  std::vector<std::string> prompts{};
  ModelOptions options{};
  std::optional<Format> format{};
};

// Sends the prompts, tells the events of the batch, and waits. Throws Error; what had come by then
// is in the event.
BatchResult run_batch(const Model& model, BatchJob job);

}  // namespace mellea
