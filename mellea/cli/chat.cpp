#include "mellea/cli/chat.h"

#include <array>
#include <cctype>
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/cli/answer.h"
#include "mellea/cli/duration.h"
#include "mellea/cli/exit_code.h"
#include "mellea/cli/image_file.h"
#include "mellea/cli/input.h"
#include "mellea/cli/interrupts.h"
#include "mellea/cli/progress_plugin.h"
#include "mellea/cli/pull.h"
#include "mellea/core/text.h"
#include "mellea/runtime/runtime.h"

namespace mellea::cli {
namespace {

Json json_from(const std::string& text, const std::string& what) {
  try {
    return Json::parse(text, what);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

Format format_from(const std::string& path) {
  constexpr std::size_t kLargest = 1U << 20U;
  const std::string text = read_file("--schema", path, kLargest);
  Format format{.schema = json_from(text, "--schema " + one_line(path))};
  if (!format.schema->is_object())
    throw UsageError("--schema " + one_line(path) + ": a JSON schema is an object");
  // Providers take letters, digits, - and _ in a name, and 64 of them.
  for (const char c : std::filesystem::path(path).stem().string().substr(0, 64))
    format.name += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' ? c : '_';
  return format;
}

CallOptions call_options(const ChatArguments& arguments, bool to_terminal) {
  require_utf8("--system", arguments.system);
  CallOptions call{.options = model_options(arguments.options),
                   .system = arguments.system,
                   .stream = arguments.stream.value_or(to_terminal && !arguments.json)};
  if (!arguments.schema.empty()) call.format = format_from(arguments.schema);
  if (!arguments.timeout.empty())
    call.limits.whole = parse_duration("--timeout", arguments.timeout);
  if (!arguments.idle_timeout.empty())
    call.limits.silence = parse_duration("--idle-timeout", arguments.idle_timeout);
  return call;
}

// What is to be said; nothing if it is to be typed.
std::optional<Message> question(const ChatArguments& arguments) {
  if (!arguments.prompt && input_is_terminal()) {
    if (!arguments.images.empty())
      throw UsageError("--image goes with a prompt: pass one, or write it to standard input");
    return {};
  }
  Message message{
      .text = compose_prompt(arguments.prompt, input_is_terminal() ? std::string() : read_input())};
  for (const std::string& image : arguments.images) message.images.push_back(image_from(image));
  return message;
}

// What can be typed in a conversation and is not for the model.
constexpr std::array<std::string_view, 2> kCommands = {"/help", "/reset"};
constexpr std::string_view kHelp = R"(/reset   starts anew: what was said is forgotten
/help    says this
Ctrl-C stops the answer, which is forgotten then; Ctrl-D leaves.
)";

// A word behind a slash, in small letters: "/etc/passwd" is for the model.
bool is_command(std::string_view line) {
  return line.size() > 1 && line.front() == '/' &&
         line.find_first_not_of("abcdefghijklmnopqrstuvwxyz", 1) == std::string_view::npos;
}

class Chat {
 public:
  Chat(Session session, std::string backend, CallOptions call, AnswerView& view, Console& console,
       Interrupts& interrupts)
      : session_(std::move(session)),
        backend_(std::move(backend)),
        call_(std::move(call)),
        view_(view),
        console_(console),
        interrupts_(interrupts) {}

  // Asks once. Returns the exit code. Throws UsageError if nothing was sent.
  int ask(Message message) {
    call_.stop = interrupts_.token();
    std::optional<Output> output;
    try {
      output = session_.start_chat(std::move(message), call_);
    } catch (const Error& error) {
      if (error.code() == Errc::invalid_request) throw refusal_of(error, backend_);
      return failed(error);
    }
    try {
      if (call_.stream) show_pieces(*output);
      const Result result = output->wait();
      if (!result.reply().refusal.empty()) return refused(result);
      view_.complete(result);
      warn_of_cut(result.reply());
      return kDone;
    } catch (const Error& error) {
      return failed(error);
    }
  }

  // Asks what is typed, until there is no more; `answered` is called after each answer, also one
  // that failed. Returns the exit code.
  int converse(const std::function<void()>& answered) {
    console_.warn("mellea: " + one_line(session_.model()) + " of " + backend_ +
                  "; /help says what else can be typed");
    TypedLines lines;
    std::string line;
    for (;;) {
      console_.show("> ");
      switch (lines.next(line, interrupts_.descriptor())) {
        case TypedLines::Ended::input: console_.show("\n"); return kDone;
        case TypedLines::Ended::interrupted: console_.show("\n"); break;
        case TypedLines::Ended::line:
          if (answer(line)) answered();
          break;
      }
      if (interrupts_.caught() == SIGTERM) return ended_by(SIGTERM);
      interrupts_.forget();
    }
  }

 private:
  // Whether the model was asked.
  bool answer(const std::string& line) {
    const std::string_view words = trimmed(line);
    if (words.empty()) return false;
    if (is_command(words)) {
      obey(words);
      return false;
    }
    if (!is_utf8(words)) {
      console_.fail("mellea: that is not UTF-8");
      return false;
    }
    try {
      ask({.text = std::string(words)});
    } catch (const UsageError& error) {  // of this question; the next may be another
      console_.fail(error.what());
    }
    return true;
  }

  void obey(std::string_view command) {
    if (command == "/help") {
      console_.show(kHelp);
    } else if (command == "/reset") {
      session_.reset();
    } else {
      const std::string meant = did_you_mean(command, kCommands);
      console_.fail("mellea: unknown command \"" + one_line(command, 40) + '"' +
                    (meant.empty() ? ": /help lists those there are" : meant));
    }
  }

  void show_pieces(Output& output) {
    while (const auto chunk = output.next())
      if (const auto* text = std::get_if<std::string>(&chunk->what); text && chunk->index == 0)
        view_.piece(*text);
  }

  int failed(const Error& error) {
    view_.failed(error);
    if (const int signal = interrupts_.caught(); signal != 0) return ended_by(signal);
    if (error.details().unfit) {
      console_.fail("mellea: " + std::string(error.what()));
      return kCheckFailed;
    }
    console_.fail(error.what());
    return kFailed;
  }

  int refused(const Result& result) {
    const std::string what = "the model refused: \"" + one_line(result.reply().refusal) + '"';
    view_.failed(Error(Errc::content_policy, what, {.partial_text = result.text()}));
    console_.fail("mellea: " + what);
    return kFailed;
  }

  void warn_of_cut(const Reply& reply) {
    const std::string reason =
        reply.finish_reasons.empty() ? std::string() : reply.finish_reasons.front();
    if (reason == "length") console_.warn("mellea: the answer was cut off at its limit of tokens");
    if (reason == "content_filter") console_.warn("mellea: the provider's filter cut the answer");
  }

  Session session_;
  const std::string backend_;  // its name
  CallOptions call_;
  AnswerView& view_;
  Console& console_;
  Interrupts& interrupts_;
};

std::unique_ptr<AnswerView> make_view(const ChatArguments& arguments, const std::string& model,
                                      Console& console) {
  return arguments.json ? make_json_view(console, model) : make_text_view(console);
}

}  // namespace

int chat(const ChatArguments& arguments, Console& console, const Environment& environment) {
  check(arguments.trace);
  const BackendOptions backend = choose_model(arguments.model, environment, console);
  const CallOptions call = call_options(arguments, console.output_is_terminal());
  const std::optional<Message> message = question(arguments);

  Interrupts interrupts;
  if (arguments.pull) {
    try {
      pull(backend, console, interrupts.token());
    } catch (const Error& error) {
      if (const int signal = interrupts.caught(); signal != 0) return ended_by(signal);
      console.fail(error.what());
      return kFailed;
    }
  }
  telemetry::Config config = config_from(environment, console);
  add_exporters(config, arguments.trace, console);
  Telemetry telemetry = make_telemetry(std::move(config));
  int code = kDone;
  {
    Runtime runtime({.plugins = with_progress(telemetry.plugins(), console)});
    // Each answer of a conversation is a trace of its own, which is whole when it is.
    Session session = open_session(
        runtime, backend,
        message ? SessionOptions{} : SessionOptions{.context = Context::chat(), .span = false});
    const std::unique_ptr<AnswerView> view = make_view(arguments, session.model(), console);
    Chat chat(session, backend.backend, call, *view, console, interrupts);
    // A tree is shown when it is whole; a line of JSON, when it is asked for.
    const auto answered = [&] {
      if (arguments.trace.form == "json") telemetry.flush(kFlushLimit);
    };
    code = message ? chat.ask(*message) : chat.converse(answered);
    session.end();
  }
  telemetry.shutdown(kFlushLimit);
  return code;
}

ModelOptions model_options(const std::vector<std::string>& settings) {
  ModelOptions options;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos)
      throw UsageError("--option " + one_line(setting, 60) + ": write NAME=VALUE");
    const std::string_view text = setting;
    try {
      set_option(options, text.substr(0, equals), text.substr(equals + 1));
    } catch (const Error& error) {
      throw UsageError(error.what());
    }
  }
  return options;
}

}  // namespace mellea::cli
