// Runs a program against a provider on loopback: run_example PROGRAM. What the program prints goes
// to standard output; its exit code is ours.
#include <spawn.h>
#include <sys/wait.h>

#include <iostream>
#include <string>

#include "mellea/net/testing/loopback_server.h"

namespace {

constexpr const char* kPieces[] = {"The sea ", "keeps no ", "diary,", "\\n", "only tides."};

std::string whole() {
  std::string text;
  for (const char* piece : kPieces) text += piece;
  return R"({"id":"r1","model":"demo","choices":[{"index":0,"message":{"role":"assistant","content":")" +
         text +
         R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":9}})";
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
  if (argc != 2) return 2;
  const mellea::LoopbackServer provider([](const mellea::ReceivedRequest& request) {
    const bool stream = request.body.find(R"("stream":true)") != std::string::npos;
    return stream ? streamed() : mellea::Script::answer(200, whole());
  });
  std::string url = provider.url("/v1");
  char* const arguments[] = {argv[1], url.data(), nullptr};
  pid_t program = 0;
  if (::posix_spawn(&program, argv[1], nullptr, nullptr, arguments, environ) != 0) return 2;
  int status = 0;
  ::waitpid(program, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
