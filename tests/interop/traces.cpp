// One trace of each kind, recorded and counted as the environment says, for receivers to be tried
// with. The label `case` of a span says which of them it is part of.
//
//   mellea_traces           ends when all is delivered
//   mellea_traces --serve   prints the port where Prometheus may look, and ends with standard input
#include <mellea/mellea.h>
#include <mellea/telemetry.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSlow{3'200};  // as try_collector.sh has it: more than 3 s

nlohmann::json reply(nlohmann::json message, std::string_view reason, nlohmann::json usage) {
  return {{"id", "r1"},
          {"model", "demo-1"},
          {"choices", {{{"index", 0}, {"message", message}, {"finish_reason", reason}}}},
          {"usage", usage}};
}

std::string answer(std::string_view text) {
  return reply({{"role", "assistant"}, {"content", text}}, "stop",
               {{"prompt_tokens", 11}, {"completion_tokens", 9}})
      .dump();
}

Script says(std::string_view text) { return Script::answer(200, answer(text)); }

Script says_after(milliseconds time, std::string_view text) {
  const std::string body = answer(text);
  return Script::raw().wait(time).bytes(
      "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

Script calls(std::string_view tool, std::string_view arguments) {
  const nlohmann::json call = {
      {"id", "c1"}, {"type", "function"}, {"function", {{"name", tool}, {"arguments", arguments}}}};
  return Script::answer(200, reply({{"role", "assistant"}, {"tool_calls", {call}}}, "tool_calls",
                                   {{"prompt_tokens", 30}, {"completion_tokens", 4}})
                                 .dump());
}

std::string piece(std::string_view text) {
  const nlohmann::json choice = {{"index", 0}, {"delta", {{"content", text}}}};
  return "data: " + nlohmann::json{{"choices", {choice}}}.dump() + "\n\n";
}

Script streams() {
  constexpr std::string_view kEnd =
      R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: {"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":6}}

data: [DONE]

)";
  return Script::stream().chunk(piece("The sea. ")).chunk(piece("The tide.")).chunk(kEnd).end();
}

// Stops the call whose text says so.
class Guard : public Plugin {
 public:
  std::string_view name() const override { return "guard"; }
  void subscribe(Subscriber& hooks) override {
    hooks.intercept<ComponentPreExecute>([](ComponentPreExecute& call) {
      return call.action->text == "blocked"
                 ? Verdict::stop({.reason = "it is asked to", .code = "asked"})
                 : Verdict::go_on();
    });
  }
};

Tool add() {
  return Tool({.name = "add", .description = "The sum of two numbers"},
              [](const Json&, const Call&) { return std::string("42"); });
}
Tool broken() {
  return Tool({.name = "broken"},
              [](const Json&, const Call&) -> std::string { throw std::runtime_error("no"); });
}

Requirement has(std::string word) {
  return Requirement({.name = "has_" + word, .check = [word](const Answer& answer, const Call&) {
                        const bool passed = answer.reply.text.find(word) != std::string::npos;
                        return ValidationResult{.passed = passed, .code = "no_" + word};
                      }});
}

struct Case {
  std::string name;
  std::vector<Script> scripts;  // what the provider does
  std::function<void(Session&)> run;
  bool fails = false;
};

std::vector<Case> cases() {
  const auto chat = [](Session& session) { session.chat("hello"); };
  return {
      {"plain", {says("hello")}, chat},
      {"failed", {Script::answer(400, R"({"error":{"message":"no"}})")}, chat, true},
      {"retried", {Script::answer(429, "{}", {{"retry-after-ms", "10"}}), says("hello")}, chat},
      {"blocked", {says("hello")}, [](Session& session) { session.chat("blocked"); }, true},
      {"left",
       {Script::stream().chunk(piece("The ")).hang()},
       [](Session& session) { session.start_chat("hello", {.stream = true}).next(); }},
      {"slow", {says_after(kSlow, "hello")}, chat},
      {"costly",
       {Script::answer(
           200, reply({{"role", "assistant"}, {"content", "hello"}}, "stop",
                      {{"prompt_tokens", 900'000}, {"completion_tokens", 90}, {"cost", 0.75}})
                    .dump())},
       chat},
      {"tools",
       {calls("add", R"({"a":1})"), calls("broken", "{}"), says("42")},
       [](Session& session) {
         session.react("add", {.tools = {add(), broken()}, .max_steps = 3});
       }},
      {"repaired",
       {says("sky"), says("sea")},
       [](Session& session) {
         session.instruct("Write", {.requirements = {has("sea")}, .strategy = repair(3)});
       }},
      {"stream",
       {streams()},
       [](Session& session) {
         session.stream("Write", {.chunking = Chunking::sentence(), .checks = {{has("The")}}})
             .wait();
       }},
      {"embeddings",
       {Script::answer(200, R"({"model":"demo-1","data":[{"index":0,"embedding":[0.5]}],)"
                            R"("usage":{"prompt_tokens":3,"total_tokens":3}})")},
       [](Session& session) { session.embed({"sea"}); }},
      {"labels",
       {says("hello")},
       [](Session& session) {
         session.chat("hello", {.labels = {{"odd.text", "\"\\\n\t\u2028\U0001F30A"},
                                           {"odd.bytes", "sea\xff\xc3"},
                                           {"odd.empty", ""},
                                           {"odd.long", std::string(20'000, 'x')},
                                           {"odd.int", std::numeric_limits<std::int64_t>::min()},
                                           {"odd.double", 0.1},
                                           {"odd.true", true},
                                           {"odd.false", false}}});
       }},
  };
}

void trace(Runtime& runtime, const Case& one) {
  const LoopbackServer provider(one.scripts);
  Session session = runtime.start_session(
      {.backend = "openai", .model = "demo", .base_url = provider.url("/v1"), .proxy = ""},
      {.plugins = {std::make_shared<Guard>()},
       .labels = {{"case", one.name}, {"tenant.id", "harbour"}},
       .span = false});
  std::string failure;
  try {
    one.run(session);
  } catch (const Error& error) {
    failure = error.what();
  }
  if (failure.empty() == one.fails)
    throw std::runtime_error(one.name + (one.fails ? " did not fail" : ": " + failure));
  session.end();
  if (!runtime.drain(Instant::clock::now() + std::chrono::seconds(5)))
    throw std::runtime_error(one.name + " does not end");
}

// What the program counts itself, of each kind.
void count(const telemetry::Meter& meter) {
  const auto sales = meter.counter({.name = "shop.sales", .unit = "{sale}", .integer = true});
  sales.add(3, {{"shop.region", "north"}});
  sales.add(4, {{"shop.region", "\"south\"\n\\ \U0001F30A"}});
  meter.counter({.name = "shop.turnover", .unit = "EUR"}).add(12.5);
  meter.up_down_counter({.name = "shop.stock", .description = "What is there\nnow"}).add(-2.25);
  meter.histogram({.name = "shop.basket", .unit = "By", .bounds = {0.5, 10, 1e6}}).record(11);
  meter.gauge({.name = "shop.temperature", .unit = "Cel"},
              [] { return std::vector<telemetry::MetricStore::Measured>{{.value = 21.5}}; });
}

void run(bool serves) {
  Telemetry telemetry = Telemetry::from_env();
  {
    Runtime runtime({.plugins = telemetry.plugins()});
    for (const Case& one : cases()) trace(runtime, one);
  }
  count(telemetry.meter("shop"));
  if (serves) {
    telemetry.flush();
    std::cout << telemetry.prometheus_port() << std::endl;
    std::cin.ignore(std::numeric_limits<std::streamsize>::max(), std::char_traits<char>::eof());
  }
  if (!telemetry.shutdown()) throw std::runtime_error("not all was delivered");
}

}  // namespace
}  // namespace mellea

int main(int argc, char** argv) {
  try {
    mellea::run(argc > 1 && std::string_view(argv[1]) == "--serve");
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
