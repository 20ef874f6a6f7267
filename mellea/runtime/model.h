// The model of a session, as one call of the user's asks it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mellea/core/context.h"
#include "mellea/runtime/generation.h"

namespace mellea {

// Where a call came from, and what it brought, as plugins have found.
struct Caller {
  std::shared_ptr<const Origin> origin{};  // null: from nowhere
  Labels labels{};
};

// How an operation is entered from outside: see Scope::Options. Nothing if it is inside of another.
struct Entry {
  Labels labels{};
  Caller caller{};

  // Of its scope.
  Scope::Options options(int iteration = 0) const {
    return {.iteration = iteration,
            .labels = labels,
            .caller_labels = caller.labels,
            .origin = caller.origin};
  }
};

// What is asked, and within which operation.
struct Question {
  Scope parent{};
  int iteration = 0;                         // of the sampling it belongs to, from 1
  std::shared_ptr<const Message> message{};  // never null
  Context context = Context::simple();       // what was said before
  std::string_view component{};              // class name; static lifetime
  std::shared_ptr<const Prompt> prompt{};    // null: made from no template
  ModelOptions options{};
  std::vector<ToolSpec> tools{};
  ToolChoice tool_choice{};
  std::optional<Format> format{};
  std::string system{};  // said before all else; empty: nothing
  bool stream = false;
  // Cuts it off. Null: only the whole call does.
  std::shared_ptr<const Cancellation> cancellation{};
};

// What one call may ask of the model, and what then holds for all that it asks. A value; any thread
// may read it.
struct Model {
  std::shared_ptr<Backend> backend{};
  std::string name{};
  Hooks hooks{};
  std::shared_ptr<const std::string> conversation{};
  Limits limits{};
  std::optional<Instant> until{};
  std::shared_ptr<const Cancellation> cancellation{};  // never null
  // Told of each generation that has begun, so that the Runtime can leave it behind.
  std::function<void(const std::shared_ptr<Generation>&)> runs{};

  // Sends the question. Throws as Generation::start() does.
  std::shared_ptr<Generation> ask(Question question, OnEnd on_end = {}) const;
};

}  // namespace mellea
