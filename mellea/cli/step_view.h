// How the steps of a program are shown: as text, or as lines of JSON.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "mellea/cli/console.h"
#include "mellea/programs/program_run.h"

namespace mellea::cli {

// Shows one step after the other on a Console. For each: its beginning, any number of pieces if it
// streams, and what came of it.
class StepView {
 public:
  virtual ~StepView() = default;
  virtual void begin(const ProgramStep& step) = 0;
  virtual void piece(std::string_view text, int attempt) = 0;
  virtual void complete(const StepResult& result) = 0;
};

std::unique_ptr<StepView> make_text_step_view(Console& console);
std::unique_ptr<StepView> make_json_step_view(Console& console);

// {"step":1,"id":"poem","kind":"instruct","ok":true,"text":"...",...}: one line.
std::string json_of(const StepResult& result);

// What a program would do, step by step and command by command, and nothing of it done.
std::string plan_text(const Program& program);
std::string plan_json(const Program& program);  // a line a step, and a line a command

}  // namespace mellea::cli
