// Whatever an MCP server sends: messages that can be read to their end, or one kind of Error.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mellea/core/error.h"
#include "mellea/core/text.h"
#include "mellea/mcp/mcp_answers.h"
#include "mellea/mcp/rpc.h"
#include "require.h"

namespace {

template <class Act>
void try_to(const Act& act) {
  try {
    act();
  } catch (const mellea::Error& error) {
    mellea::require(error.code() == mellea::Errc::parse_error, "what is refused is a parse error");
    mellea::require(mellea::is_utf8(error.what()), "and says so in UTF-8");
  }
}

void read_answer(const mellea::Json& body) {
  try_to([&] { (void)mellea::read_mcp_greeting(body); });
  try_to([&] {
    for (const mellea::ToolSpec& tool : mellea::read_mcp_tools(body).tools)
      mellea::require(!tool.name.empty() && tool.parameters, "a tool has a name and parameters");
  });
  try_to([&] {
    mellea::require(mellea::is_utf8(mellea::read_mcp_tool_answer(body).text), "content is UTF-8");
  });
  try_to([&] { (void)mellea::read_mcp_fault(body); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using Kind = mellea::RpcMessage::Kind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  try_to([&] {
    for (const mellea::RpcMessage& message : mellea::read_rpc(text)) {
      const bool answer = message.kind == Kind::result || message.kind == Kind::error;
      mellea::require(!answer || message.body, "an answer has something to read");
      if (answer) read_answer(message.body);
      if (message.kind == Kind::request)
        mellea::require(mellea::read_rpc(mellea::rpc_refusal(message.id, -32601, "no")).size() == 1,
                        "what we answer is a message");
    }
  });
  return 0;
}
