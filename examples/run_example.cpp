// Runs a program against a provider on loopback. What the program prints goes to standard output;
// its exit code is ours.
//
//   run_example PROGRAM [ANSWER...]
//
// Request after request gets ANSWER after ANSWER, and then the last again: a text, or a call of a
// tool as `call NAME ARGUMENTS`. Without any, all get the same few words.
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mellea/net/testing/loopback_server.h"

namespace {

constexpr const char* kPieces[] = {"The sea ", "keeps no ", "diary,", "\\n", "only tides."};
constexpr const char* kWhole = "The sea keeps no diary,\nonly tides.";

std::string reply(const nlohmann::json& message, const char* reason) {
  return nlohmann::json{
      {"id", "r1"},
      {"model", "demo"},
      {"choices", {{{"index", 0}, {"message", message}, {"finish_reason", reason}}}},
      {"usage", {{"prompt_tokens", 11}, {"completion_tokens", 9}}}}
      .dump();
}

std::string said(const std::string& text) {
  return reply({{"role", "assistant"}, {"content", text}}, "stop");
}

std::string answered(const std::string& answer) {
  constexpr std::string_view kCall = "call ";
  if (!answer.starts_with(kCall)) return said(answer);
  const std::size_t space = answer.find(' ', kCall.size());
  const nlohmann::json call = {{"id", "c1"},
                               {"type", "function"},
                               {"function",
                                {{"name", answer.substr(kCall.size(), space - kCall.size())},
                                 {"arguments", answer.substr(space + 1)}}}};
  return reply({{"role", "assistant"}, {"content", nullptr}, {"tool_calls", {call}}}, "tool_calls");
}

mellea::Script streamed() {
  mellea::Script script = mellea::Script::stream();
  for (const char* piece : kPieces)
    script
        .chunk(std::string(R"(data: {"choices":[{"index":0,"delta":{"content":")") + piece +
               "\"}}]}\n\n")
        .wait(std::chrono::milliseconds(1));
  return script
      .chunk(
          "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
          "data: [DONE]\n\n")
      .end();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::vector<std::string> answers(argv + 2, argv + argc);
  if (answers.empty()) answers.emplace_back(kWhole);
  std::atomic<std::size_t> next = 0;
  const mellea::LoopbackServer provider([&](const mellea::ReceivedRequest& request) {
    if (request.body.find(R"("stream":true)") != std::string::npos) return streamed();
    const std::size_t at = std::min(next++, answers.size() - 1);
    return mellea::Script::answer(200, answered(answers[at]));
  });
  std::string url = provider.url("/v1");
  char* const arguments[] = {argv[1], url.data(), nullptr};
  pid_t program = 0;
  if (::posix_spawn(&program, argv[1], nullptr, nullptr, arguments, environ) != 0) return 2;
  int status = 0;
  ::waitpid(program, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
