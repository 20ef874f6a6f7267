// Whatever a server of TGI's or TEI's protocol sends, cut anywhere: the same reply and the same end
// as in one piece.
#include "decoding.h"
#include "mellea/backends/tei_reply.h"
#include "mellea/backends/tgi_reply.h"
#include "pieces.h"

namespace {

std::shared_ptr<const mellea::RequestNames> names() {
  static const auto names = std::make_shared<const mellea::RequestNames>(
      mellea::RequestNames{.provider = "huggingface", .request = "POST http://h/generate"});
  return names;
}

std::string texts(const std::vector<std::string_view>& pieces) {
  const mellea::TgiAsked asked{.answers = 2, .stop = {"END", "\n\n"}, .logprobs = true};
  const auto one = mellea::make_tgi_decoder(names(), {.stop = asked.stop});
  const auto two = mellea::make_tgi_decoder(names(), asked);
  return mellea::decoded(*one, pieces) + '\n' + mellea::decoded(*two, pieces);
}

std::string vectors(const std::vector<std::string_view>& pieces) {
  return mellea::decoded(*mellea::make_tei_decoder(names(), 2), pieces);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const mellea::Pieces pieces = mellea::pieces_of(data, size);
  const std::string whole = texts({pieces.whole});
  mellea::require_utf8(whole);
  mellea::require_same(whole, texts(pieces.cut));
  mellea::require_same(vectors({pieces.whole}), vectors(pieces.cut));
  return 0;
}
