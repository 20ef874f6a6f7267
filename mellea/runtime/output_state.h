// What the handles of one Output share; for session.cpp.
#pragma once

#include <memory>
#include <utility>

#include "mellea/core/fork.h"
#include "mellea/runtime/action.h"
#include "mellea/runtime/generation.h"
#include "mellea/runtime/output.h"

namespace mellea {

struct OutputState {
  OutputState(std::shared_ptr<Generation> started, std::shared_ptr<const Action> of)
      : action(std::move(of)), generation(std::move(started)) {}
  OutputState(const OutputState&) = delete;
  OutputState& operator=(const OutputState&) = delete;

  ~OutputState() {
    generation->abandon();
    // What it waits on lives in the parent process: it can't be taken apart here.
    if (fork_mark.inherited()) {
      new std::shared_ptr<Generation>(std::move(generation));
      new std::shared_ptr<const Action>(std::move(action));
    }
  }

  std::shared_ptr<const Action> action;
  std::shared_ptr<Generation> generation;
  ForkMark fork_mark{};
};

}  // namespace mellea
