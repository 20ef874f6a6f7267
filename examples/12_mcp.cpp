// Tools of a server that speaks the Model Context Protocol, for the model to call. The server is a
// program that ends with this one.
//
//   MCP_SERVER=PROGRAM 12_mcp [BASE_URL [MODEL]]
#include <mellea/mcp.h>
#include <mellea/mellea.h>

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  const char* program = std::getenv("MCP_SERVER");
  mellea::Runtime runtime;
  try {
    const auto server =
        mellea::McpClient::connect(mellea::McpProgram{.command = program ? program : "mcp-server"});
    const mellea::Tools tools = server.tools();
    std::cout << server.server().name << ' ' << server.server().version << ':';
    for (const auto& tool : tools) std::cout << ' ' << tool.name();
    std::cout << '\n';

    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"},
                              {.context = mellea::Context::chat()});
    auto answer = session.chat("When does the tide turn?", {.tools = tools});
    for (int turn = 0; turn < 4 && !answer.tool_calls().empty(); ++turn) {
      for (const auto& result : session.call_tools(answer, {.add_results = true}))
        std::cout << result.call.name << ": " << result.text << '\n';
      answer = session.chat("Go on.", {.tools = tools});
    }
    std::cout << answer.text() << '\n';
  } catch (const mellea::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
