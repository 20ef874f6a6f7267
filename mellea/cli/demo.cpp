#include "mellea/cli/demo.h"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "mellea/backends/llama_library.h"
#include "mellea/cli/demo_provider.h"
#include "mellea/cli/exit_code.h"
#include "mellea/cli/json_line.h"
#include "mellea/cli/tiny_model.h"
#include "mellea/cli/tracing.h"
#include "mellea/core/schema.h"
#include "mellea/core/text.h"
#include "mellea/net/url.h"
#include "mellea/runtime/requirements.h"
#include "mellea/runtime/runtime.h"
#include "mellea/telemetry/hex.h"
#include "mellea/telemetry/memory_exporter.h"
#include "mellea/telemetry/tree.h"

namespace mellea::cli {
namespace {

// What one call did. `facts` has the same for programs.
struct Shown {
  bool as_expected = false;
  std::string text{};
  OrderedJson facts = OrderedJson::object();
};

// The plugin that blocks the third call: all it takes to keep keys at home.
class NoSecrets : public Plugin {
 public:
  std::string_view name() const override { return "no_secrets"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<ComponentPreExecute>([](ComponentPreExecute& call) {
      return call.action->text.find("sk-") == std::string::npos
                 ? Verdict::go_on()
                 : Verdict::stop({.reason = "the prompt holds an API key", .code = "secret"});
    });
  }
};

// Reads up to the next piece of text. Returns false at the end.
bool next_piece(Output& output) {
  while (const auto chunk = output.next())
    if (std::holds_alternative<std::string>(chunk->what)) return true;
  return false;
}

Shown streamed(Session& session, std::string_view expected) {
  Shown shown;
  Output output = session.start_chat("One sentence about the sea.", {.stream = true});
  int pieces = 0;
  while (next_piece(output)) ++pieces;
  shown.text = output.wait().text();
  shown.text.erase(0, std::min(shown.text.find_first_not_of(' '), shown.text.size()));
  shown.facts = {{"text", shown.text}, {"pieces", pieces}};
  shown.as_expected = shown.text == expected && pieces > 1;
  return shown;
}

Shown blocked(Session& session) {
  Shown shown;
  try {
    shown.text = session.chat("Is sk-demo-4f9a a good key?").text();
  } catch (const Error& error) {
    if (error.code() != Errc::blocked) throw;
    shown.text = error.what();
    shown.facts = {{"plugin", error.details().plugin}, {"reason", error.details().block_reason}};
    shown.as_expected = error.details().plugin == "no_secrets";
  }
  return shown;
}

// The calls to the scripted provider, each checked against what it says and saw.
class ScriptedCalls {
 public:
  ScriptedCalls(Session& session, const LoopbackServer& server)
      : session_(session), server_(server) {}

  Shown streamed() { return cli::streamed(session_, kStreamedAnswer); }

  Shown retried() {
    Shown shown;
    const std::size_t before = server_.requests().size();
    shown.text = session_.chat("The capital of France, in one word?").text();
    const std::size_t attempts = server_.requests().size() - before;
    shown.facts = {{"text", shown.text}, {"attempts", attempts}};
    shown.as_expected = shown.text == kAnswerAfterRetry && attempts == 2;
    return shown;
  }

  Shown repaired() {
    Shown shown;
    const Result haiku = session_.instruct(
        "A haiku about low tide.",
        {.requirements = {regex("has three lines", R"(^[^\n]+\n[^\n]+\n[^\n]+$)")},
         .strategy = repair(3)});
    for (const char c : haiku.text()) shown.text += c == '\n' ? " / " : std::string(1, c);
    shown.facts = {{"text", haiku.text()}, {"attempts", haiku.attempts().size()}};
    shown.as_expected = haiku.ok() && haiku.text() == kHaiku && haiku.attempts().size() == 2;
    return shown;
  }

  Shown blocked() {
    const std::size_t before = server_.requests().size();
    Shown shown = cli::blocked(session_);
    shown.as_expected = shown.as_expected && server_.requests().size() == before;
    return shown;
  }

  Shown left_early() {
    constexpr int kRead = 3;
    constexpr std::chrono::milliseconds kPatience{500};
    Shown shown;
    const std::size_t request = server_.requests().size();
    std::optional<Output> output = session_.start_chat("Count the waves.", {.stream = true});
    int read = 0;
    while (read < kRead && next_piece(*output)) ++read;
    const Instant left = Instant::clock::now();
    output.reset();
    const std::optional<Instant> closed = server_.wait_for_close(request, kPatience);
    shown.text = std::to_string(read) + " of " + std::to_string(kChunksOfLongAnswer) +
                 " chunks read; the server ";
    shown.facts = {{"chunks_read", read}, {"chunks", kChunksOfLongAnswer}};
    if (closed) {
      const auto after = std::chrono::ceil<std::chrono::milliseconds>(*closed - left).count();
      shown.text += "saw the connection close after " + std::to_string(after) + " ms";
      shown.facts["closed_after_ms"] = after;
    } else {
      shown.text += "still has the connection";
    }
    shown.as_expected = read == kRead && closed;
    return shown;
  }

 private:
  Session& session_;
  const LoopbackServer& server_;
};

// The calls to a real model, which says one sentence only.
class LocalCalls {
 public:
  explicit LocalCalls(Session& session) : session_(session) {}

  Shown streamed() { return cli::streamed(session_, kTinySentence); }

  Shown forced() {
    const Json schema = Json::parse(
        R"({"type":"object","properties":{"tiny":{"type":"boolean"}},"required":["tiny"],
            "additionalProperties":false})");
    Shown shown;
    shown.text =
        session_.chat("Are you tiny?", {.format = Format{.name = "size", .schema = schema}}).text();
    shown.facts = {{"text", shown.text}};
    shown.as_expected = Schema(schema).allows(nlohmann::json::parse(shown.text, nullptr, false));
    return shown;
  }

  Shown blocked() { return cli::blocked(session_); }

  Shown left_early() {
    constexpr int kRead = 3;
    Shown shown;
    std::optional<Output> output = session_.start_chat("Count the waves.", {.stream = true});
    int read = 0;
    while (read < kRead && next_piece(*output)) ++read;
    output.reset();
    const bool answers = !session_.chat("Still there?").text().empty();
    shown.text = std::to_string(read) + " chunks read; the model " +
                 (answers ? "answers the next call" : "says nothing more");
    shown.facts = {{"chunks_read", read}};
    shown.as_expected = read == kRead && answers;
    return shown;
  }

 private:
  Session& session_;
};

struct Call {
  std::string_view name;
  std::function<Shown(Session&)> run;
};

Shown run(const Call& call, Session& session) {
  try {
    return call.run(session);
  } catch (const Error& error) {
    return {.text = error.what(), .facts = {{"error", error.what()}}};
  }
}

// Who is called, and what is asked.
struct Stage {
  std::string where{};   // "over HTTP to a scripted provider on 127.0.0.1:41234"
  std::string server{};  // its URL; empty: there is none
  BackendOptions backend{};
  std::vector<Call> calls{};
  std::shared_ptr<void> kept{};  // what must be there meanwhile
};

Stage scripted_stage() {
  const auto server = std::make_shared<LoopbackServer>(demo_scripts());
  const auto call = [server](Shown (ScriptedCalls::*run)()) {
    return [server, run](Session& session) { return (ScriptedCalls(session, *server).*run)(); };
  };
  return {.where = "over HTTP to a scripted provider on " + server->authority(),
          .server = server->url(),
          .backend = {.backend = "openai",
                      .model = "demo-small",
                      .base_url = server->url("/v1"),
                      .proxy = ""},  // nothing leaves this machine
          .calls = {{"streamed", call(&ScriptedCalls::streamed)},
                    {"429, then retried", call(&ScriptedCalls::retried)},
                    {"repaired", call(&ScriptedCalls::repaired)},
                    {"blocked", call(&ScriptedCalls::blocked)},
                    {"left early", call(&ScriptedCalls::left_early)}},
          .kept = server};
}

// The folder of a file that is made for the demo.
class DemoFolder {
 public:
  DemoFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "mellea-demo-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw UsageError("--local: can't make a folder like " + name);
    path_ = name;
  }
  ~DemoFolder() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
  }
  DemoFolder(const DemoFolder&) = delete;
  DemoFolder& operator=(const DemoFolder&) = delete;
  std::filesystem::path model() const { return path_ / "demo-tiny.gguf"; }

 private:
  std::filesystem::path path_;
};

Stage local_stage(const Environment& environment) {
  const auto folder = std::make_shared<DemoFolder>();
  write_tiny_model(folder->model());
  BackendOptions backend{
      .backend = "local", .model = folder->model(), .local = LocalOptions::from(environment)};
  backend.local->threads = 1;
  try {
    make_backend(backend, make_network());
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  const bool here = backend.local->run != LocalOptions::Run::server && !libllama().empty();
  const auto call = [](Shown (LocalCalls::*run)()) {
    return [run](Session& session) { return (LocalCalls(session).*run)(); };
  };
  return {.where = "to a model made just now, run " +
                   (here ? "in this process" : "by " + one_line(backend.local->server, 60)),
          .backend = std::move(backend),
          .calls = {{"streamed", call(&LocalCalls::streamed)},
                    {"JSON by grammar", call(&LocalCalls::forced)},
                    {"blocked", call(&LocalCalls::blocked)},
                    {"left early", call(&LocalCalls::left_early)}},
          .kept = folder};
}

std::string line_of_call(std::size_t number, const Call& call, const Shown& shown) {
  std::string line = "  " + std::to_string(number) + ' ' + std::string(call.name);
  line.resize(23, ' ');
  return line + (shown.as_expected ? "" : "NOT AS EXPECTED: ") + one_line(shown.text) + '\n';
}

// Without what may be a password or a key.
std::string shown_endpoint(const std::string& endpoint) {
  try {
    return parse_url(endpoint).authority();
  } catch (const Error&) {
    return "an OTLP endpoint";
  }
}

std::uintmax_t size_of(const std::string& file) {
  std::error_code none;
  const std::uintmax_t size = std::filesystem::file_size(file, none);
  return none ? 0 : size;
}

// Where the environment sends traces, beside what the demo does with them; empty if nowhere.
std::string collector_of(const telemetry::Config& config) {
  for (const telemetry::Exporter& exporter : config.exporters)
    if (const auto* http = std::get_if<telemetry::OtlpHttp>(&exporter))
      return shown_endpoint(http->endpoint);
  return {};
}

std::string headline(const Stage& stage, const std::string& collector) {
  return std::to_string(stage.calls.size()) + " calls " + stage.where + ". " +
         (collector.empty() ? "Nothing leaves this machine; no key."
                            : "No key; the trace goes to " + collector + '.') +
         "\n\n";
}

// libcurl would ask a proxy for 127.0.0.1 too. Called before there are threads.
void keep_loopback_off_proxies(const Environment& environment) {
  std::string hosts = value_of(environment, "no_proxy");
  if (hosts.empty()) hosts = value_of(environment, "NO_PROXY");
  if (!hosts.empty()) hosts += ',';
  hosts += "127.0.0.1";
  ::setenv("no_proxy", hosts.c_str(), /*overwrite=*/1);
}

class Demo {
 public:
  Demo(const DemoArguments& arguments, Console& console, const Environment& environment)
      : arguments_(arguments),
        console_(console),
        config_(config_from(environment, console)),
        stage_(arguments.local ? local_stage(environment) : scripted_stage()) {}

  int run() {
    const Instant began = Instant::clock::now();
    say(headline(stage_, collector_of(config_)));
    const bool saved = call_all();
    const auto took = Instant::clock::now() - began;
    if (arguments_.json)
      console_.write(line_of(summary(took, saved)));
    else
      show_trace(saved);
    return all_as_expected_ ? kDone : kFailed;
  }

 private:
  void say(const std::string& text) {
    if (!arguments_.json) console_.write(text);
  }

  // Returns whether the trace is in the file.
  bool call_all() {
    if (arguments_.trace_file == DemoArguments{}.trace_file) {  // ours: the last demo's goes
      std::error_code none;
      std::filesystem::remove(arguments_.trace_file, none);
    }
    const std::uintmax_t before = size_of(arguments_.trace_file);
    config_.sampler = {};  // this trace is wanted
    if (arguments_.content)
      config_.content.mode = config_.content.mode | telemetry::ContentMode::span;
    config_.exporters.emplace_back(telemetry::OtlpFile{arguments_.trace_file});
    config_.exporters.emplace_back(spans_);
    Telemetry telemetry(config_);
    {
      Runtime runtime({.plugins = telemetry.plugins()});
      Session session = runtime.start_session(
          stage_.backend, {.plugins = {std::make_shared<NoSecrets>()}, .options = stage_options()});
      call_each(session);
      runtime.drain(Instant::clock::now() + kFlushLimit);  // what was left early ends on a worker
      session.end();
    }
    telemetry.shutdown(kFlushLimit);
    return size_of(arguments_.trace_file) > before;
  }

  // A model that is asked for the likeliest token says the same each time.
  ModelOptions stage_options() const {
    return arguments_.local ? ModelOptions{.temperature = 0.0, .max_tokens = 100} : ModelOptions{};
  }

  void call_each(Session& session) {
    for (const Call& call : stage_.calls) {
      Shown shown = cli::run(call, session);
      all_as_expected_ = all_as_expected_ && shown.as_expected;
      OrderedJson row{{"name", call.name}, {"ok", shown.as_expected}};
      row.update(shown.facts);
      rows_.push_back(std::move(row));
      say(line_of_call(rows_.size(), call, shown));
    }
  }

  void show_trace(bool saved) {
    const auto spans = spans_->spans();
    console_.write('\n' + telemetry::render_tree(spans, tree_style(console_.output_canvas())));
    const bool content = includes(config_.content.mode, telemetry::ContentMode::span);
    console_.write(content ? "\nPrompts and answers are in this trace. "
                           : "\nNo prompt or answer is in this trace (--content puts them in). ");
    console_.write((saved ? "Saved: " : "Not saved: ") + one_line(arguments_.trace_file) +
                   (saved ? " (OTLP JSON).\n" : " can't be written.\n"));
    console_.write(
        "Yours: mellea chat --trace --backend openai --base-url http://127.0.0.1:8080/v1 "
        "--model MODEL \"Why is the sky blue?\"\n");
  }

  OrderedJson summary(std::chrono::nanoseconds took, bool saved) const {
    OrderedJson object{{"ok", all_as_expected_}};
    if (!stage_.server.empty()) object["server"] = stage_.server;
    object["calls"] = rows_;
    const auto spans = spans_->spans();
    if (!spans.empty()) object["trace_id"] = telemetry::hex(spans.front()->ids.trace);
    object["spans"] = spans.size();
    if (saved) object["trace_file"] = arguments_.trace_file;
    object["ms"] = milliseconds(took);
    return object;
  }

  const DemoArguments& arguments_;
  Console& console_;
  telemetry::Config config_;
  const Stage stage_;
  const std::shared_ptr<telemetry::MemoryExporter> spans_ =
      std::make_shared<telemetry::MemoryExporter>();
  std::vector<OrderedJson> rows_;
  bool all_as_expected_ = true;
};

}  // namespace

int demo(const DemoArguments& arguments, Console& console, const Environment& environment) {
  if (arguments.trace_file != DemoArguments{}.trace_file)
    check(TraceArguments{.form = {}, .file = arguments.trace_file});
  keep_loopback_off_proxies(environment);
  return Demo(arguments, console, environment).run();
}

}  // namespace mellea::cli
