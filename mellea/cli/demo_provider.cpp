#include "mellea/cli/demo_provider.h"

#include <nlohmann/json.hpp>
#include <string>

namespace mellea::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

std::string event(const json& data) { return "data: " + data.dump() + "\n\n"; }

std::string delta(std::string_view text) {
  return event({{"choices", json::array({{{"index", 0}, {"delta", {{"content", text}}}}})}});
}

json usage(int input, int output) {
  return {
      {"prompt_tokens", input}, {"completion_tokens", output}, {"total_tokens", input + output}};
}

std::string last_events(int input, int output) {
  json finish = {{"index", 0}, {"delta", json::object()}, {"finish_reason", "stop"}};
  return event({{"choices", json::array({std::move(finish)})}}) +
         event({{"choices", json::array()}, {"usage", usage(input, output)}}) + "data: [DONE]\n\n";
}

// A word at a time, as models do.
Script streamed() {
  Script script = Script::stream();
  script.wait(milliseconds(30));
  std::string_view rest = kStreamedAnswer;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' ', 1));
    script.chunk(delta(word)).wait(milliseconds(21));
    rest.remove_prefix(word.size());
  }
  return script.chunk(last_events(42, 18)).end();
}

Script too_many_requests() {
  const json body = {{"error", {{"message", "Slow down."}, {"code", "rate_limit_exceeded"}}}};
  return Script::answer(429, body.dump(),
                        {{"content-type", "application/json"}, {"retry-after-ms", "50"}});
}

// The head at once, and the body after some thought.
Script whole_answer(std::string_view text, json usage, milliseconds thought) {
  json choice = {{"index", 0},
                 {"message", {{"role", "assistant"}, {"content", text}}},
                 {"finish_reason", "stop"}};
  const json answer = {{"id", "demo"},
                       {"object", "chat.completion"},
                       {"model", "demo-small"},
                       {"choices", json::array({std::move(choice)})},
                       {"usage", std::move(usage)}};
  const std::string body = answer.dump();
  return Script::raw()
      .bytes("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
             std::to_string(body.size()) + "\r\n\r\n")
      .wait(thought)
      .bytes(body);
}

Script long_answer() {
  Script script = Script::stream();
  for (int i = 1; i <= kChunksOfLongAnswer; ++i)
    script.wait(milliseconds(20)).chunk(delta("wave " + std::to_string(i) + ", "));
  return script.chunk(last_events(12, 120)).end();
}

}  // namespace

std::vector<Script> demo_scripts() {
  return {streamed(),
          too_many_requests(),
          whole_answer(kAnswerAfterRetry, usage(38, 12), milliseconds(110)),
          whole_answer(kHaikuOfOneLine, usage(51, 16), milliseconds(60)),
          whole_answer(kHaiku, usage(57, 25), milliseconds(155)),
          long_answer()};
}

}  // namespace mellea::cli
