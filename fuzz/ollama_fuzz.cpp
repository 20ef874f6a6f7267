// Whatever a server sends, cut anywhere: the same reply and the same end as in one piece. Of chats
// and completions, and of a model that is fetched.
#include <functional>

#include "decoding.h"
#include "mellea/backends/ollama_pull.h"
#include "mellea/backends/ollama_reply.h"
#include "pieces.h"

namespace {

void check(const mellea::Pieces& pieces,
           const std::function<std::unique_ptr<mellea::ReplyDecoder>()>& make) {
  const std::string whole = mellea::decoded(*make(), {pieces.whole});
  mellea::require_utf8(whole);
  mellea::require_same(whole, mellea::decoded(*make(), pieces.cut));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto names = std::make_shared<const mellea::RequestNames>(
      mellea::RequestNames{.provider = "ollama", .request = "POST http://h/api/chat"});
  const mellea::Pieces pieces = mellea::pieces_of(data, size);
  check(pieces, [] { return mellea::make_ollama_decoder(names, "call_"); });
  check(pieces, [] { return mellea::make_ollama_pull_decoder(names); });
  return 0;
}
