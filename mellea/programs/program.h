// A generative program, written as YAML or JSON.
//
//   const mellea::ReadProgram read = mellea::read_program({.text = text, .folder = "programs"});
//   for (const mellea::Fault& fault : read.faults)
//     std::cerr << to_string(fault, "poem.yaml") << '\n';
//   if (read.program) mellea::run_program(*read.program, session, {.on_step = print});
//
// docs/program.schema.json has the format. A program is data: nothing in it is executed but the
// `command` of a tool, and that only where it is allowed.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/core/chat.h"
#include "mellea/core/context.h"
#include "mellea/core/requirement.h"
#include "mellea/core/strategy.h"
#include "mellea/core/tool.h"
#include "mellea/programs/fault.h"
#include "mellea/runtime/chunking.h"
#include "mellea/runtime/compaction.h"
#include "mellea/runtime/template.h"

namespace mellea {

// What a program says of its model; what is empty it leaves to others.
struct ProgramBackend {
  std::string provider{};  // as BackendOptions::backend
  std::string model{};
  std::string base_url{};
  std::string api_key_env{};  // the name of a variable
  Headers headers{};
  std::vector<scripted::Line> script{};  // of the provider scripted; empty: it echoes
};

// A requirement whose texts may name variables. `make` throws Error for a variable that is missing.
struct ProgramRequirement {
  std::string title{};  // as written
  std::function<Requirement(const Variables&)> make{};
};
using ProgramRequirements = std::vector<ProgramRequirement>;

struct ProgramStream {
  Chunking chunking = Chunking::delta();
  ProgramRequirements checks{};  // of each chunk
  int retries = 0;
};

// How any call is made. It wins over what holds for the whole program.
struct CallPlan {
  ModelOptions options{};
  std::optional<std::chrono::milliseconds> timeout{};  // of the whole step
};

// How an answer is asked for.
struct AnswerPlan {
  CallPlan call{};
  std::optional<std::string> system{};  // not set: that of the program
  Tools tools{};
  std::optional<Format> format{};
  ProgramRequirements requirements{};
  Option<Strategy> strategy{};
  std::optional<ProgramStream> stream{};
  std::vector<Image> images{};
};

// The kinds of steps. Texts that are said may name variables.
struct InstructStep {
  std::string text{};
  std::vector<std::string> examples{};
  std::vector<std::pair<std::string, std::string>> grounding{};  // a key and a text
  std::string prefix{};
  std::string output_prefix{};
  AnswerPlan how{};
};
struct ChatStep {
  std::string text{};
  AnswerPlan how{};
};
struct CallToolsStep {
  std::size_t of = 0;  // the place of the step whose calls are run
  bool parallel = false;
};
struct ValidateStep {
  std::size_t of = 0;  // the place of the step whose answer is checked
  ProgramRequirements requirements{};
  CallPlan call{};  // of models that judge
};
struct RawStep {
  std::vector<std::string> prompts{};
  CallPlan call{};
};
struct EmbedStep {
  std::vector<std::string> texts{};
  CallPlan call{};
};
struct ReactStep {
  std::string goal{};
  Tools tools{};
  int max_steps = 10;  // at least 1
  std::optional<Format> format{};
  bool parallel = false;
  CallPlan call{};
};

struct ProgramStep {
  using What = std::variant<InstructStep, ChatStep, CallToolsStep, ValidateStep, RawStep, EmbedStep,
                            ReactStep>;
  std::string id{};  // empty: it has none
  Place at{};
  What what{};
};
// "instruct", "chat", ...
std::string_view kind_of(const ProgramStep& step) noexcept;

// A program of another's that a tool starts: its path and arguments, no shell.
struct ProgramCommand {
  std::string tool{};
  std::vector<std::string> words{};  // never empty
  Place at{};
};

struct Program {
  ProgramBackend backend{};
  Context context = Context::simple();
  Compaction compaction{};
  std::string system{};
  CallPlan call{};
  Variables variables{};
  std::vector<ProgramCommand> commands{};
  std::vector<ProgramStep> steps{};  // never empty
};

struct ProgramText {
  std::string_view text{};         // YAML or JSON, at most 1 MiB
  std::filesystem::path folder{};  // that paths in it are relative to, and commands run in
  Variables variables{};           // win over those of the text
  bool allow_commands = false;     // false: a tool with a command is a fault
};

struct ReadProgram {
  std::optional<Program> program{};  // nothing if there are faults
  std::vector<Fault> faults{};       // in the order of the text
};

// Reads files that the program names (schemas, images), and sends nothing. Throws nothing for what
// is wrong with the program.
ReadProgram read_program(const ProgramText& text);

}  // namespace mellea
