// Whatever a server sends, cut anywhere: the same reply and the same end as in one piece.
#include "decoding.h"
#include "mellea/backends/openai_reply.h"
#include "pieces.h"

namespace {

std::string decoded(const std::vector<std::string_view>& pieces) {
  static const auto names = std::make_shared<const mellea::RequestNames>(
      mellea::RequestNames{.provider = "openai", .request = "POST http://h/v1/chat/completions"});
  return mellea::decoded(*mellea::make_openai_decoder(names), pieces);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const mellea::Pieces pieces = mellea::pieces_of(data, size);
  const std::string whole = decoded({pieces.whole});
  mellea::require_utf8(whole);
  mellea::require_same(whole, decoded(pieces.cut));
  return 0;
}
