#include "mellea/cli/run.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "mellea/backends/scripted_backend.h"
#include "mellea/cli/chat.h"
#include "mellea/cli/duration.h"
#include "mellea/cli/exit_code.h"
#include "mellea/cli/input.h"
#include "mellea/cli/interrupts.h"
#include "mellea/cli/progress_plugin.h"
#include "mellea/cli/step_view.h"
#include "mellea/core/text.h"
#include "mellea/programs/program.h"
#include "mellea/programs/program_run.h"
#include "mellea/runtime/runtime.h"

namespace mellea::cli {
namespace {

Variables variables_from(const std::vector<std::string>& settings) {
  Variables variables;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError("--var " + one_line(setting, 60) + ": write NAME=VALUE");
    require_utf8("--var " + one_line(setting.substr(0, equals), 60), setting);
    variables.insert_or_assign(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return variables;
}

// A file, by the name that its faults are told by.
struct ProgramFile {
  std::string name{};
  std::string text{};
  std::filesystem::path folder{};
};

ProgramFile file_from(const std::string& path) {
  constexpr std::size_t kLargest = 1U << 20U;
  if (path.empty()) throw UsageError("run: which program? Pass a file, or - for standard input");
  if (path == "-")
    return {.name = "<stdin>", .text = read_input(), .folder = std::filesystem::current_path()};
  return {.name = path,
          .text = read_file("run", path, kLargest),
          .folder = std::filesystem::absolute(path).parent_path()};
}

// Nothing if it has faults, which are told.
std::optional<Program> program_from(const ProgramFile& file, const RunArguments& arguments,
                                    Console& console) {
  ReadProgram read =
      read_program({.text = file.text,
                    .folder = file.folder,
                    .variables = variables_from(arguments.variables),
                    .allow_commands = arguments.allow_commands || arguments.dry_run});
  for (const Fault& fault : read.faults) console.fail(to_string(fault, file.name));
  return std::move(read.program);
}

// What flags leave open, the program says; but what it says of one provider's model is nothing to
// another's.
ModelArguments model_of(const ModelArguments& flags, const ProgramBackend& backend) {
  ModelArguments model = flags;
  if (!flags.backend.empty() && flags.backend != backend.provider) return model;
  const auto take = [](std::string& flag, const std::string& said) {
    if (flag.empty()) flag = said;
  };
  take(model.backend, backend.provider);
  take(model.model, backend.model);
  take(model.base_url, backend.base_url);
  take(model.api_key_env, backend.api_key_env);
  return model;
}

class ProgramSession {
 public:
  ProgramSession(const Program& program, BackendOptions backend)
      : program_(program), backend_(std::move(backend)) {
    if (backend_.backend != program.backend.provider) return;
    Headers headers = program.backend.headers;
    replace(headers, backend_.headers);
    backend_.headers = std::move(headers);
  }

  Session open(Runtime& runtime) const {
    if (backend_.backend != "scripted")
      return open_session(runtime, backend_, session_options(program_));
    const std::string model = backend_.model.empty() ? "scripted" : backend_.model;
    const auto scripted = std::make_shared<ScriptedBackend>(
        ScriptedOptions{.echo = program_.backend.script.empty(), .models = {model}});
    for (const scripted::Line& line : program_.backend.script) scripted->add(line);
    return runtime.start_session(scripted, model, session_options(program_));
  }

 private:
  const Program& program_;
  BackendOptions backend_;
};

// Runs a program and tells what comes of it.
class ProgramShow {
 public:
  ProgramShow(const ProgramFile& file, const RunArguments& arguments, Console& console)
      : file_(file),
        console_(console),
        view_(arguments.json || !console.output_is_terminal() ? make_json_step_view(console)
                                                              : make_text_step_view(console)) {
    options_.call.options = model_options(arguments.options);
    if (!arguments.timeout.empty())
      options_.call.timeout = parse_duration("--timeout", arguments.timeout);
    if (!arguments.idle_timeout.empty())
      options_.limits.silence = parse_duration("--idle-timeout", arguments.idle_timeout);
    options_.keep_going = arguments.keep_going;
    options_.on_begin = [this](const ProgramStep& step) { view_->begin(step); };
    options_.on_piece = [this](std::string_view text, int attempt) { view_->piece(text, attempt); };
    options_.on_step = [this](const ProgramStep& step, const StepResult& result) {
      show(step, result);
    };
  }

  // Returns the exit code, but for a signal.
  int run(const Program& program, const Session& session, std::stop_token stop) {
    options_.stop = std::move(stop);
    const ProgramResult result = run_program(program, session, options_);
    if (result.failed > 0) return kFailed;
    return result.unmet > 0 ? kCheckFailed : kDone;
  }

 private:
  void show(const ProgramStep& step, const StepResult& result) {
    view_->complete(result);
    const std::string what = "step " + std::to_string(result.number) +
                             (step.id.empty() ? "" : " (" + step.id + ")") + ": ";
    const auto tell = [&](const std::string& why) {
      console_.fail(to_string({.at = step.at, .what = what + why}, file_.name));
    };
    if (result.error) tell(result.error->what());
    for (const Failure& failure : result.failures)
      tell("not met: " + one_line(failure.requirement) + ": " + one_line(failure.reason, 500));
  }

  const ProgramFile& file_;
  Console& console_;
  const std::unique_ptr<StepView> view_;
  RunOptions options_;
};

Plugins with_progress(Plugins plugins, Console& console) {
  plugins.push_back(make_progress_plugin(console));
  return plugins;
}

}  // namespace

int run_file(const RunArguments& arguments, Console& console, const Environment& environment) {
  check(arguments.trace);
  const ProgramFile file = file_from(arguments.file);
  ProgramShow show(file, arguments, console);
  const std::optional<Program> program = program_from(file, arguments, console);
  if (!program) return kUsage;
  if (arguments.dry_run) {
    const bool as_text = console.output_is_terminal() && !arguments.json;
    console.write(as_text ? plan_text(*program) : plan_json(*program));
    return kDone;
  }
  const ModelArguments model = model_of(arguments.model, program->backend);
  if (arguments.model.api_key_env.empty() && !model.api_key_env.empty() &&
      value_of(environment, model.api_key_env).empty())
    throw UsageError::as_said(file.name + ": api_key_env: " + one_line(model.api_key_env, 60) +
                              " is not set");
  const ProgramSession opening(*program, choose_model(model, environment, console));

  Interrupts interrupts;
  telemetry::Config config = config_from(environment, console);
  add_exporters(config, arguments.trace, console);
  Telemetry telemetry = make_telemetry(std::move(config));
  int code = kDone;
  {
    Runtime runtime({.plugins = with_progress(telemetry.plugins(), console)});
    Session session = opening.open(runtime);
    code = show.run(*program, session, interrupts.token());
    session.end();
  }
  telemetry.shutdown(kFlushLimit);
  return interrupts.caught() != 0 ? ended_by(interrupts.caught()) : code;
}

}  // namespace mellea::cli
