// Running a program, step by step.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/programs/program.h"
#include "mellea/runtime/session.h"

namespace mellea {

// What came of one step. What it does not have is empty. A value.
struct StepResult {
  std::size_t number = 0;  // from 1
  std::string id{};
  std::string_view kind{};             // static lifetime
  std::optional<std::string> text{};   // as far as it came, if the step failed
  Json value{};                        // of an answer in a format
  std::vector<std::string> texts{};    // of raw
  std::vector<Embedding> vectors{};    // of embed
  std::vector<ToolCall> tool_calls{};  // that the model asked for
  std::vector<ToolResult> tool_results{};
  std::vector<Failure> failures{};       // requirements that were not met
  std::shared_ptr<const Error> error{};  // why it failed; null: it did not
  int attempts = 0;                      // of a strategy or a stream; 0: there was none
  std::optional<Usage> usage{};          // of all models that it asked
  std::chrono::nanoseconds took{0};
  TraceRef trace{};

  bool ok() const noexcept { return !error && failures.empty(); }
};

struct RunOptions {
  CallPlan call{};          // wins over all that the program says
  Limits limits{};          // of each request
  bool keep_going = false;  // after a step that failed
  std::stop_token stop{};   // cancels, and ends the program
  // What they throw ends the program, and is thrown on.
  std::function<void(const ProgramStep&)> on_begin{};
  std::function<void(std::string_view piece, int attempt)> on_piece{};  // of a step that streams
  std::function<void(const ProgramStep&, const StepResult&)> on_step{};
};

struct ProgramResult {
  std::size_t failed = 0;  // steps
  std::size_t unmet = 0;   // steps that did not fail, with a requirement that was not met

  bool ok() const noexcept { return failed == 0 && unmet == 0; }
};

// The session that a program is meant for.
SessionOptions session_options(const Program& program);

// Runs the steps in their order, in `session`. A requirement that is not met does not end the
// program; a step that fails does, unless it is to keep going. A step that names the text of one
// that failed fails too.
ProgramResult run_program(const Program& program, const Session& session,
                          const RunOptions& options = {});

}  // namespace mellea
