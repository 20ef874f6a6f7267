// A secret stands in all that is said to a model and by it, in all that fails and in all that names
// a machine or a key. Whatever telemetry shows is searched for it: spans, events, metrics,
// warnings, and the bytes that exporters write and send.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/mcp.h"
#include "mellea/mellea.h"
#include "mellea/net/testing/loopback_server.h"
#include "mellea/telemetry.h"
#include "mellea/telemetry/log_exporters.h"
#include "mellea/telemetry/memory_exporter.h"

namespace mellea {
namespace {

using scripted::call;
using scripted::fail;
using scripted::Line;
using scripted::say;
using telemetry::Attribute;
using telemetry::ContentMode;
using telemetry::ErrorMessages;
using telemetry::LogMemory;
using telemetry::LogPtr;
using telemetry::MemoryExporter;
using telemetry::SpanEvent;
using telemetry::SpanPtr;

// Another one each time, so that nothing else can be taken for it: letters alone.
std::string random_word() {
  std::string word;
  for (const char digit : Id::random().text())
    if (digit != '-') word += static_cast<char>(digit <= '9' ? digit - '0' + 'g' : digit);
  return word;
}

class Blocks : public Plugin {
 public:
  explicit Blocks(std::string secret) : secret_(std::move(secret)) {}
  std::string_view name() const override { return "blocks"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<GenerationPostCall>([this](GenerationPostCall&) {
      return Verdict::stop({.reason = secret_ + " reason", .code = secret_ + " code"});
    });
  }

 private:
  const std::string secret_;
};

class CanaryTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }

  // A program that comes by every path; then telemetry is shut down.
  void run(telemetry::ContentOptions content, ErrorMessages errors = ErrorMessages::none) {
    telemetry_ = Telemetry(
        {.exporters = {telemetry::OtlpHttp{.endpoint = collector_.url("/v1/traces")},
                       telemetry::OtlpFile{file_}, telemetry::TreeText{.write = keep("tree")},
                       memory_},
         .chunk_events = true,
         .metrics = {.exporters = {telemetry::OtlpHttp{.endpoint = collector_.url("/v1/metrics")},
                                   telemetry::MetricsText{.write = keep("metrics")}},
                     .exemplars = telemetry::ExemplarFilter::all,
                     .labels = {"tenant.id"}},
         .logs = {.exporters = {telemetry::OtlpHttp{.endpoint = collector_.url("/v1/logs")},
                                telemetry::LogText{.json = true, .write = keep("logs")}, records_},
                  .level = telemetry::Severity::trace},
         .warn = keep("warnings"),
         .content = std::move(content),
         .error_messages = errors});
    {
      Runtime runtime({.plugins = telemetry_.plugins(), .labels = {{"tenant.id", "t1"}}});
      sampled_and_judged(runtime);
      tools_and_agents(runtime);
      tools_of_a_server(runtime);
      streams_and_batches(runtime);
      failures(runtime);
      over_http(runtime);
      runtime.drain(Instant::clock::now() + std::chrono::seconds(10));
    }
    add("exposition", telemetry_.metrics_text(telemetry::PrometheusFormat::open_metrics));
    EXPECT_TRUE(telemetry_.shutdown());
    read_what_was_exported();
  }

  // Where a word is, by the names of what it is in.
  std::set<std::string> found(const std::string& word) const {
    std::set<std::string> places;
    for (const auto& [name, bytes] : told_)
      if (has(bytes, word)) places.insert(name);
    for (const SpanPtr& span : memory_->spans()) {
      if (has(span->name, word)) places.insert("a span's name");
      if (has(span->description, word)) places.insert("a status");
      if (has(span->trace_state, word)) places.insert("tracestate");
      look(*span, "", span->attributes(), word, places);
      for (const SpanEvent& event : span->events())
        look(*span, std::string(event.name) + ": ", event.attributes, word, places);
    }
    for (const LogPtr& log : records_->logs()) {
      if (has(log->body, word)) places.insert("a record's sentence");
      for (const telemetry::LogAttribute& attribute : log->attributes)
        if (says(attribute.value, word))
          places.insert(std::string(log->event) + " " + std::string(name_of(attribute)));
    }
    return places;
  }
  std::set<std::string> spans_called() const {
    std::set<std::string> names;
    for (const SpanPtr& span : memory_->spans()) names.insert(kind_of(*span));
    return names;
  }
  const std::string& told(const std::string& name) const { return told_.at(name); }

  // Without both words.
  std::string redacted(std::string_view text) const {
    std::string result(text);
    for (const std::string& word : {secret_, refusal_})
      for (std::size_t at = 0; (at = result.find(word)) != std::string::npos;)
        result.replace(at, word.size(), "***");
    return result;
  }

  const std::string secret_ = random_word();
  const std::string refusal_ = random_word();  // what one provider says, and nobody said to it

 private:
  static bool says(const telemetry::LogValue& value, const std::string& word) {
    if (const auto* text = std::get_if<std::string>(&value)) return has(*text, word);
    if (const auto* json = std::get_if<telemetry::JsonText>(&value)) return has(json->text, word);
    const auto* texts = std::get_if<std::vector<std::string>>(&value);
    return texts && std::any_of(texts->begin(), texts->end(),
                                [&](const std::string& text) { return has(text, word); });
  }
  static std::string kind_of(const telemetry::SpanRecord& span) {
    return std::string(span.name.substr(0, span.name.find(' ')));
  }
  static bool has(std::string_view text, const std::string& word) {
    return text.find(word) != std::string_view::npos;
  }
  static void look(const telemetry::SpanRecord& span, const std::string& where,
                   std::span<const Attribute> attributes, const std::string& word,
                   std::set<std::string>& places) {
    for (const Attribute& attribute : attributes) {
      const std::string place = kind_of(span) + " " + where + std::string(name_of(attribute.key));
      if (has(place, word)) places.insert("a name");
      if (const auto* text = std::get_if<std::string_view>(&attribute.value))
        if (has(*text, word)) places.insert(place);
      if (const auto* texts = std::get_if<std::span<const std::string_view>>(&attribute.value))
        for (const std::string_view text : *texts)
          if (has(text, word)) places.insert(place);
    }
  }

  std::function<void(std::string_view)> keep(const std::string& name) {
    return [this, name](std::string_view text) { add(name, text); };
  }
  void add(const std::string& name, std::string_view text) {
    const std::lock_guard lock(mutex_);
    told_[name].append(text).append("\n");
  }
  void read_what_was_exported() {
    std::ifstream in(file_);
    add("file", std::string((std::istreambuf_iterator<char>(in)), {}));
    for (const ReceivedRequest& request : collector_.requests()) add("collector", request.body);
  }

  // What it is that is said; the secret is in all of it.
  std::string s(const std::string& what) const { return what + " " + secret_ + " " + what; }
  std::string json(const std::string& name) const {
    return "{\"" + name + "\":\"" + s("value") + "\"}";
  }
  Line answer(const std::string& text) const {
    return Line().thinking(s("thinking")).text(text).usage({.input_tokens = 1}).finish();
  }
  // Passes the second time it is asked.
  Requirement second_time() const {
    const auto times = std::make_shared<int>(0);
    return Requirement({.name = "second",
                        .kind = "function",
                        .description = s("requirement"),
                        .check = [this, times](const Answer&, const Call&) {
                          return ValidationResult{
                              .passed = ++*times > 1, .reason = s("reason"), .code = s("code")};
                        }});
  }
  Tool tool(const std::string& name, Tool::Run run) const {
    return Tool({.name = name, .description = "a tool"}, std::move(run));
  }
  template <class Call>
  static void fails(Call&& call) {
    EXPECT_THROW(call(), Error);
  }

  void sampled_and_judged(Runtime& runtime) {
    const auto backend = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
    for (const char* text : {"first", "second", "yes", "last"}) backend->add(answer(s(text)));
    Session session = runtime.start_session(backend, "demo");
    const Template from{.name = "letter", .version = "1", .text = s("template") + " {{to}}"};
    const Result letter =
        session.instruct({from, {.variables = {{"to", s("variable")}}}},
                         {.requirements = {second_time()}, .system = s("system")});
    session.validate(letter, {Requirement(s("judged"))});
    Message message{.text = s("prompt"),
                    .images = {{.url = "data:image/png;base64," + secret_},
                               {.url = "https://example.com/" + secret_ + ".png"}},
                    .audio = {{.data = secret_, .format = "wav"}}};
    session.chat(message, {.options = {.user = s("user")}});
  }

  void tools_and_agents(Runtime& runtime) {
    const auto backend = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
    Line calls;
    calls.tool_call({.id = "a", .name = "works", .arguments = json("argument")}, 0);
    calls.tool_call({.id = "b", .name = "breaks", .arguments = "{}"}, 1);
    calls.tool_call({.id = "c", .name = "made_up_" + secret_, .arguments = "{}"}, 2);
    backend->add(calls.finish("tool_calls"));
    Session session = runtime.start_session(backend, "demo", {.context = Context::chat()});
    const Tools tools = {tool("works", [this](const Json&, const Call&) { return s("result"); }),
                         tool("breaks", [this](const Json&, const Call&) -> std::string {
                           throw std::runtime_error(s("broken"));
                         })};
    const Result asked = session.chat(s("prompt"), {.tools = tools});
    session.call_tools(asked, {.add_results = true});
    backend->add(answer(s("seen")));
    session.chat("And now?");

    backend->add(call({.id = "d", .name = "works", .arguments = json("argument")}));
    backend->add(call({.id = "e", .name = "final_answer", .arguments = json("answer")}));
    session.react(s("goal"), {.tools = tools});
  }

  // Of a server's tools one works, and one says that it can't.
  Script mcp_answer(const ReceivedRequest& request) const {
    using Json = nlohmann::json;
    const Json asked = Json::parse(request.body, nullptr, /*allow_exceptions=*/false);
    if (asked.is_discarded() || !asked.contains("id")) return Script::answer(202, "");
    const std::string method = asked["method"];
    Json result;
    if (method == "initialize")
      result = {{"protocolVersion", asked["params"]["protocolVersion"]},
                {"capabilities", {{"tools", Json::object()}}},
                {"serverInfo", {{"name", s("server")}, {"version", secret_}}}};
    else if (method == "tools/list")
      result["tools"] = {{{"name", "finds"}, {"inputSchema", {{"type", "object"}}}},
                         {{"name", "refuses"}, {"inputSchema", {{"type", "object"}}}}};
    else
      result = {{"content", Json::array({{{"type", "text"}, {"text", s("of a server")}}})},
                {"isError", asked["params"]["name"] == "refuses"}};
    const Json answer = {{"jsonrpc", "2.0"}, {"id", asked["id"]}, {"result", result}};
    return Script::answer(200, answer.dump(), {{"content-type", "application/json"}});
  }

  void tools_of_a_server(Runtime& runtime) {
    LoopbackServer server([this](const ReceivedRequest& request) { return mcp_answer(request); });
    const McpClient client = McpClient::connect(
        McpUrl{.url = server.url("/" + secret_), .headers = {{"authorization", secret_}}});
    const auto backend = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
    Line calls;
    calls.tool_call({.id = "a", .name = "finds", .arguments = json("argument")}, 0);
    calls.tool_call({.id = "b", .name = "refuses", .arguments = json("argument")}, 1);
    backend->add(calls.finish("tool_calls"));
    Session session = runtime.start_session(backend, "demo");
    const auto results = session.call_tools(session.chat(s("prompt"), {.tools = client.tools()}));
    ASSERT_EQ(results.size(), 2U);
    EXPECT_NE(results[0].text.find(secret_), std::string::npos);
    EXPECT_NE(results[1].text.find(secret_), std::string::npos);
  }

  void streams_and_batches(Runtime& runtime) {
    const auto backend = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
    Session session = runtime.start_session(backend, "demo");
    backend->add(say({s("one. "), s("two. ")}));
    session.stream(s("prompt"), {.chunking = Chunking::sentence(), .requirements = {second_time()}})
        .wait();
    backend->add(say({s("one. "), s("two. ")}));
    Stream checked = session.stream(
        s("prompt"), {.chunking = Chunking::sentence(), .checks = {{second_time()}}});
    while (checked.next()) continue;
    EXPECT_FALSE(checked.ok());
    backend->add(say(s("raw")));
    session.generate_raw({s("prompt")});
    backend->add(say({s("left"), s("early")}));
    Output output = session.start_chat(s("prompt"), {.stream = true});
    output.next();
    output.cancel();
    session.embed({s("text")});
  }

  void failures(Runtime& runtime) {
    const auto backend = std::make_shared<ScriptedBackend>(ScriptedOptions{.echo = true});
    Session session = runtime.start_session(backend, "demo");
    const ErrorDetails details{.status = 500,
                               .provider_code = s("code"),
                               .provider_message = s("message"),
                               .request_id = s("id"),
                               .partial_text = s("partial")};
    backend->add(Line().text(s("begun")).fail(Error(Errc::server_error, s("what"), details)));
    fails([&] { session.chat(s("prompt")); });
    backend->add(Line()
                     .chunk({.what = Notice{.text = s("retry"), .name = s("name")}})
                     .text(s("no JSON"))
                     .finish());
    const Format format{
        .name = "shape",
        .schema = Json::parse(R"({"type":"object","description":")" + s("schema") + "\"}")};
    fails([&] { session.chat(s("prompt"), {.format = format}); });
    backend->add(answer(s("answer")));
    fails([&] { session.with(Plugins{std::make_shared<Blocks>(secret_)}).chat(s("prompt")); });
    std::stop_source stop;
    backend->add(Line().text(s("begun")).hang());
    Output hangs = session.start_chat(s("prompt"), {.stream = true, .stop = stop.get_token()});
    hangs.next();
    stop.request_stop();
    fails([&] { hangs.wait(); });
    backend->add(answer(s("answer")));
    const Requirement breaks({.name = "breaks", .check = [this](const Answer&, const Call&) {
                                throw std::runtime_error(s("broken"));
                                return ValidationResult{};
                              }});
    fails([&] { session.instruct(s("prompt"), {.requirements = {breaks}}); });
  }

  // Keys, headers, paths, and what a server says of a failure.
  void over_http(Runtime& runtime) {
    LoopbackServer provider({Script::answer(
        401, R"({"error":{"message":"refused )" + refusal_ + R"(","code":")" + s("code") + "\"}}",
        {{"content-type", "application/json"}, {"x-request-id", s("id")}})});
    Session session = runtime.start_session({.backend = "openai",
                                             .model = "gpt-4o-mini",
                                             .base_url = provider.url("/" + secret_ + "/v1"),
                                             .api_key = "sk-" + secret_,
                                             .headers = {{"x-own", secret_}}});
    fails([&] { session.chat(s("prompt")); });
    ASSERT_EQ(provider.requests().size(), 1U);
    EXPECT_NE(provider.requests()[0].path.find(secret_), std::string::npos);
  }

  LoopbackServer collector_{{Script::answer(200, "")}};
  const std::string file_ =
      testing::TempDir() + "mellea_canary_" + std::to_string(::getpid()) + ".jsonl";
  const std::shared_ptr<MemoryExporter> memory_ = std::make_shared<MemoryExporter>();
  const std::shared_ptr<LogMemory> records_ = std::make_shared<LogMemory>();
  std::mutex mutex_;
  std::map<std::string, std::string> told_;  // guarded by mutex_ until all is over
  Telemetry telemetry_;
};

// All that a program can do was done, and was told of.
const std::set<std::string> kSpans = {"action",          "chat",      "embeddings", "execute_tool",
                                      "invoke_agent",    "sampling",  "session",    "stream",
                                      "text_completion", "validation"};

TEST_F(CanaryTest, WithContentOffItIsNowhere) {
  run({});
  EXPECT_EQ(found(secret_), std::set<std::string>());
  EXPECT_EQ(found(refusal_), std::set<std::string>());
  EXPECT_EQ(spans_called(), kSpans);
  for (const char* name : {"tree", "metrics", "exposition", "file", "collector", "logs"}) {
    EXPECT_FALSE(told(name).empty()) << name;
  }
  EXPECT_NE(told("collector").find("execute_tool"), std::string::npos);
}

// docs/telemetry.md has these in its table of attributes; the file and the collector get all spans.
const std::set<std::string> kDocumented = {
    "action mellea.action.response",
    "chat gen_ai.input.messages",
    "chat gen_ai.output.messages",
    "chat gen_ai.system_instructions",
    "chat mellea.prompt.template",
    "chat mellea.prompt.variables",
    "collector",
    "embeddings gen_ai.input.messages",
    "execute_tool gen_ai.tool.call.arguments",
    "execute_tool gen_ai.tool.call.result",
    "file",
    "invoke_agent gen_ai.input.messages",
    "invoke_agent gen_ai.output.messages",
    "stream gen_ai.evaluation.result: gen_ai.evaluation.explanation",
    "text_completion gen_ai.input.messages",
    "text_completion gen_ai.output.messages",
    "tree",
    "validation gen_ai.evaluation.result: gen_ai.evaluation.explanation",
    "validation mellea.validation.failure_reasons",
};

TEST_F(CanaryTest, WithContentOnItIsWhereTheDocumentationSaysAndNowhereElse) {
  run({.mode = ContentMode::span});
  EXPECT_EQ(found(secret_), kDocumented);
  EXPECT_EQ(found(refusal_), std::set<std::string>());
}

TEST_F(CanaryTest, WhereItIsAskedForInEventsItIsInOneKindOfRecordAndInNoSpan) {
  run({.mode = ContentMode::event});
  const std::string details = "gen_ai.client.inference.operation.details ";
  EXPECT_EQ(found(secret_),
            (std::set<std::string>{
                "collector", details + "gen_ai.input.messages", details + "gen_ai.output.messages",
                details + "gen_ai.system_instructions", details + "mellea.prompt.template",
                details + "mellea.prompt.variables", "logs"}));
  EXPECT_EQ(found(refusal_), std::set<std::string>());
}

TEST_F(CanaryTest, SafeMessagesSayWhatAProviderDoesAndNotWhatItQuotes) {
  run({}, ErrorMessages::safe);
  EXPECT_EQ(found(secret_), std::set<std::string>());
  EXPECT_EQ(found(refusal_), (std::set<std::string>{"a status", "chat exception: exception.message",
                                                    "collector", "file"}));
}

TEST_F(CanaryTest, ARedactorKeepsItOutWhateverElseIsOn) {
  run({.mode = ContentMode::both,
       .redact = [this](std::string_view text) { return redacted(text); }},
      ErrorMessages::full);
  EXPECT_EQ(found(secret_), std::set<std::string>());
  EXPECT_EQ(found(refusal_), std::set<std::string>());
}

}  // namespace
}  // namespace mellea
