#include "mellea/cli/program.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <system_error>

#include "mellea/cli/chat.h"
#include "mellea/cli/console.h"
#include "mellea/cli/demo.h"
#include "mellea/cli/doctor.h"
#include "mellea/cli/exit_code.h"
#include "mellea/cli/hooks_command.h"
#include "mellea/cli/run.h"
#include "mellea/core/text.h"
#include "mellea/version.h"

namespace mellea::cli {
namespace {

constexpr std::array<std::string_view, 5> kCommands = {"chat", "demo", "doctor", "hooks", "run"};

constexpr const char* kExamples = R"(Examples:
  mellea demo
  mellea chat --model granite4:micro "Why is the sky blue?"      with Ollama on this machine
  mellea chat --backend openai --model gpt-4o-mini "Why is the sky blue?"
  mellea chat --backend openai --base-url http://127.0.0.1:8080/v1 --model m --trace "Hi"
  mellea chat --model FILE.gguf "Why is the sky blue?"           with llama-server on the PATH
  git diff | mellea chat "Write the commit message"
  mellea run poem.yaml --var topic="the sea"
  mellea doctor

Keys come from the environment only. mellea COMMAND --help says more.)";

constexpr const char* kChatNotes =
    R"(PROMPT, or standard input, or both: prompt, blank line, input. Neither, on a terminal: a
conversation (Ctrl-C stops the answer, Ctrl-D leaves, /reset starts anew, /help says so).

Examples:
  mellea chat "Why is the sky blue?"              with MELLEA_BACKEND and MELLEA_MODEL set
  git diff | mellea chat "Write the commit message"
  mellea chat --option temperature=0.2 --option max_tokens=64 --trace "Hi"
  mellea chat --image cat.png --schema animal.json --json "What is this?"

Exit codes: 0 done, 1 the call failed, 2 nothing was sent, 3 the answer is not as demanded,
130 Ctrl-C.)";

constexpr const char* kRunNotes =
    R"(A program is YAML or JSON: steps that ask a model, and what their answers have to be. It is
checked whole before anything is sent; docs/program.schema.json has the format. On a terminal the
output is readable, in a pipe one JSON line a step. A requirement that is not met does not end it.

Examples:
  mellea run poem.yaml --var topic="the sea"
  mellea run poem.yaml --dry-run                  what it would do, and which commands run
  mellea run poem.yaml --backend ollama --model granite4:micro | jq .text

Exit codes: 0 done, 1 a step failed, 2 nothing was sent, 3 a requirement was not met, 130 Ctrl-C.)";

struct Typed {
  bool version = false;
  bool quiet = false;
  bool verbose = false;
  std::string colour = "auto";
  ChatArguments chat{};
  DemoArguments demo{};
  DoctorArguments doctor{};
  RunArguments run{};
  bool hooks_json = false;
  bool stream = false;
  bool no_stream = false;
};

void add_model_flags(CLI::App& command, ModelArguments& model) {
  const std::string group = "Which model (flags win over the environment)";
  command
      .add_option("--backend", model.backend,
                  "huggingface, litellm, local, ollama, openai, scripted or watsonx; "
                  "MELLEA_BACKEND; else the Ollama of this machine")
      ->type_name("NAME")
      ->group(group);
  command
      .add_option("--model", model.model,
                  "or a GGUF file, or ORG/REPO:Q4_K_M with local; MELLEA_MODEL")
      ->type_name("NAME")
      ->group(group);
  command
      .add_option("--base-url", model.base_url,
                  "MELLEA_BASE_URL, OLLAMA_HOST, OPENAI_BASE_URL, WATSONX_URL")
      ->type_name("URL")
      ->group(group);
  command
      .add_option("--api-key-env", model.api_key_env,
                  "variable of the key: HF_TOKEN, OPENAI_API_KEY, OLLAMA_API_KEY, WATSONX_API_KEY")
      ->type_name("NAME")
      ->group(group);
}

void add_call_flags(CLI::App& command, Typed& typed) {
  ChatArguments& chat = typed.chat;
  const std::string group = "How to answer";
  const auto add = [&](const char* name, auto& value, const char* type, const char* help) {
    command.add_option(name, value, help)->type_name(type)->group(group);
  };
  add("--option", chat.options, "K=V", "such as temperature=0.2; repeatable; x.K=V passes K on");
  command.get_option("--option")->allow_extra_args(false);
  add("--system", chat.system, "TEXT", "said before all else");
  add("--schema", chat.schema, "FILE", "JSON schema of the answer");
  add("--image", chat.images, "FILE|URL", "PNG, JPEG, WebP or GIF; repeatable");
  command.get_option("--image")->allow_extra_args(false);
  add("--timeout", chat.timeout, "TIME", "for the whole call: 120s, 500ms, 2m");
  add("--idle-timeout", chat.idle_timeout, "TIME", "between two pieces of the answer");
  command.add_flag("--stream", typed.stream, "print the answer as it comes")->group(group);
  command.add_flag("--no-stream", typed.no_stream, "print it when it is whole")->group(group);
  command.add_flag("--json", chat.json, "one JSON object; with --stream {\"chunk\"} lines first")
      ->group(group);
}

// A program file, and how it is run.
void add_run_flags(CLI::App& command, RunArguments& run) {
  const std::string group = "How to run";
  command.add_option("FILE", run.file, "a program, or - for standard input");
  const auto add = [&](const char* name, auto& value, const char* type, const char* help) {
    command.add_option(name, value, help)->type_name(type)->group(group);
  };
  add("--var", run.variables, "K=V", "a {{variable}} of the program; repeatable");
  command.get_option("--var")->allow_extra_args(false);
  command.add_flag("--dry-run", run.dry_run, "check it, and say what it would do")->group(group);
  command.add_flag("--keep-going", run.keep_going, "after a step that failed, too")->group(group);
  command.add_flag("--allow-commands", run.allow_commands, "its tools may start programs")
      ->group(group);
  add("--option", run.options, "K=V", "as of chat; wins over the program");
  command.get_option("--option")->allow_extra_args(false);
  add("--timeout", run.timeout, "TIME", "for each step: 120s, 500ms, 2m");
  add("--idle-timeout", run.idle_timeout, "TIME", "between two pieces of an answer");
  command.add_flag("--json", run.json, "one JSON line a step, on a terminal too")->group(group);
}

void add_trace_flags(CLI::App& command, TraceArguments& trace) {
  const std::string group = "Trace";
  command.add_flag("--trace", trace.form, "on standard error, after the answer: =tree or =json")
      ->group(group);
  command.add_option("--trace-file", trace.file, "append OTLP JSON")
      ->type_name("FILE")
      ->group(group);
  command.add_flag("--content", trace.content, "prompts and answers into the trace of this call")
      ->group(group);
}

CLI::App& add_command(CLI::App& app, const char* name, const char* description) {
  CLI::App& command = *app.add_subcommand(name, description);
  command.fallthrough();
  return command;
}

void describe(CLI::App& app, Typed& typed) {
  app.footer(kExamples);
  app.allow_extras();  // so that we can name what was probably meant
  app.require_subcommand(0, 1);
  app.add_flag("--version", typed.version, "print the version");
  app.add_flag("-q,--quiet", typed.quiet, "no warnings");
  app.add_flag("-v,--verbose", typed.verbose, "say where it connects");
  app.add_option("--color", typed.colour, "auto, always or never; NO_COLOR is honoured")
      ->type_name("WHEN");

  CLI::App& chat = add_command(app, "chat", "Ask a model");
  chat.footer(kChatNotes);
  chat.add_option("PROMPT", typed.chat.prompt, "what to say");
  add_model_flags(chat, typed.chat.model);
  chat.add_flag("--pull", typed.chat.pull, "have Ollama fetch the model first, if it lacks it")
      ->group("Which model (flags win over the environment)");
  add_call_flags(chat, typed);
  add_trace_flags(chat, typed.chat.trace);

  CLI::App& run = add_command(app, "run", "Run a program from a file");
  run.footer(kRunNotes);
  add_run_flags(run, typed.run);
  add_model_flags(run, typed.run.model);
  add_trace_flags(run, typed.run.trace);

  CLI::App& demo = add_command(app, "demo", "Calls to a scripted provider on this machine, traced");
  demo.add_option("--trace-file", typed.demo.trace_file, "where the trace goes")
      ->type_name("FILE")
      ->capture_default_str();
  demo.add_flag(
      "--local", typed.demo.local,
      "calls to a real model instead: a tiny one, run by llama-server or in this process");
  demo.add_flag("--content", typed.demo.content, "prompts and answers into the trace");
  demo.add_flag("--json", typed.demo.json, "one JSON object");

  CLI::App& doctor = add_command(app, "doctor", "What is configured, and whether it works");
  doctor.add_option("--backend", typed.doctor.backend, "asks this one, wherever it is")
      ->type_name("NAME");
  doctor.add_flag("--json", typed.doctor.json, "one JSON object");

  CLI::App& hooks = add_command(app, "hooks", "All events, and what plugins may do with them");
  hooks.add_flag("--json", typed.hooks_json, "one JSON array");
}

const CLI::App* command_of(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? nullptr : commands.front();
}

void append_flags(const CLI::App& app, std::vector<std::string>& flags) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
}

[[noreturn]] void refuse_flag(const CLI::App& app, const std::string& typed) {
  const std::string flag = typed.substr(0, typed.find('='));
  std::vector<std::string> names;
  append_flags(app, names);
  if (const CLI::App* command = command_of(app)) append_flags(*command, names);
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string meant = did_you_mean(flag, known);
  const std::string where = command_of(app) ? ' ' + command_of(app)->get_name() : std::string();
  throw UsageError("unknown flag \"" + one_line(flag, 60) + '"' +
                   (meant.empty() ? ": see mellea" + where + " --help" : meant));
}

[[noreturn]] void refuse_word(const CLI::App& app, const std::string& word) {
  const std::string shown = '"' + one_line(word, 60) + '"';
  if (const CLI::App* command = command_of(app)) {
    const bool prompt = command->get_name() == "chat";
    throw UsageError(
        "unexpected " + shown + ": " +
        (prompt ? "put the prompt in quotes" : command->get_name() + " takes no such argument"));
  }
  const std::string meant = did_you_mean(word, kCommands);
  throw UsageError("unknown command " + shown +
                   (meant.empty() ? ": known are chat, demo, doctor, hooks and run" : meant));
}

// Throws UsageError for what no command knows.
void require_known(const CLI::App& app) {
  const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
  for (const std::string& word : unknown)
    if (word.size() > 1 && word.front() == '-' && word != "--") refuse_flag(app, word);
  for (const std::string& word : unknown)
    if (word != "--") refuse_word(app, word);
}

Colour colour_of(const std::string& word) {
  if (word == "auto") return Colour::automatic;
  if (word == "always") return Colour::always;
  if (word == "never") return Colour::never;
  throw UsageError("--color " + one_line(word, 40) + ": write auto, always or never");
}

// What flags mean together.
ChatArguments chat_arguments(const Typed& typed) {
  ChatArguments chat = typed.chat;
  if (typed.stream && typed.no_stream) throw UsageError("--stream and --no-stream: which of them?");
  if (typed.stream || typed.no_stream) chat.stream = typed.stream;
  if (chat.trace.form == "true") chat.trace.form = "tree";  // a bare --trace
  return chat;
}

RunArguments run_arguments(const Typed& typed) {
  RunArguments run = typed.run;
  if (run.trace.form == "true") run.trace.form = "tree";  // a bare --trace
  return run;
}

int run_command(const CLI::App& app, const Typed& typed) {
  Console console(
      {.quiet = typed.quiet, .verbose = typed.verbose, .colour = colour_of(typed.colour)});
  const Environment environment = telemetry::process_environment;
  if (typed.version) {
    console.write("mellea " + std::string(kVersion) + '\n');
    return kDone;
  }
  const CLI::App* command = command_of(app);
  if (!command) throw UsageError("no command given: mellea --help lists them");
  const std::string& name = command->get_name();
  if (name == "chat") return chat(chat_arguments(typed), console, environment);
  if (name == "run") return run_file(run_arguments(typed), console, environment);
  if (name == "demo") return demo(typed.demo, console, environment);
  if (name == "doctor") return doctor(typed.doctor, console, environment);
  return show_hooks(typed.hooks_json, console);
}

int parse_and_run(int argc, char** argv) {
  Typed typed;
  CLI::App app("Call language models, check what they say, and see what happened.", "mellea");
  describe(app, typed);
  try {
    app.parse(argc, argv);
    require_known(app);
  } catch (const CLI::CallForHelp&) {
    Console().write(app.help());
    return kDone;
  } catch (const CLI::ParseError& error) {
    throw UsageError(one_line(error.what()));
  }
  return run_command(app, typed);
}

// The reader of a pipe has what it wants; anything else is a failure.
int lost_output(const OutputLost& lost) {
  if (lost.reason() == EPIPE) return ended_by(SIGPIPE);
  Console().fail("mellea: standard output: " + std::generic_category().message(lost.reason()));
  return kFailed;
}

}  // namespace

int run(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a failed write says so, and leaves time to end the trace
  std::signal(SIGCHLD, SIG_DFL);  // ignored, as some parents leave it, no child's end is known
  try {
    return parse_and_run(argc, argv);
  } catch (const UsageError& error) {
    Console().fail(error.what());
    return kUsage;
  } catch (const OutputLost& lost) {
    return lost_output(lost);
  } catch (const std::exception& error) {
    Console().fail("mellea: " + one_line(error.what(), 500));
    return kFailed;
  }
}

}  // namespace mellea::cli
