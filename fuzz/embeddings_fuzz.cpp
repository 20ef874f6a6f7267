// Whatever a server answers instead of vectors, cut anywhere: the same as in one piece, and never a
// vector too many, an empty one, or one with a number that is none.
#include <algorithm>
#include <cmath>

#include "decoding.h"
#include "mellea/backends/ollama_reply.h"
#include "mellea/backends/openai_reply.h"
#include "pieces.h"
#include "require.h"

namespace mellea {
namespace {

constexpr std::size_t kPrompts = 2;

void check(const Reply& reply) {
  if (reply.embeddings.empty()) return;
  require(reply.embeddings.size() == kPrompts, "there is one vector a prompt");
  for (const Embedding& embedding : reply.embeddings) {
    require(!embedding.values.empty(), "a vector is not empty");
    require(std::all_of(embedding.values.begin(), embedding.values.end(),
                        [](float value) { return std::isfinite(value); }),
            "its numbers are numbers");
  }
}

template <class Make>
void check(const Pieces& pieces, const Make& make) {
  static const auto names = std::make_shared<const RequestNames>(
      RequestNames{.provider = "p", .request = "POST http://h/embeddings"});
  std::string texts[2];
  for (int i = 0; i < 2; ++i) {
    const auto decoder = make(names, kPrompts);
    Reply reply;
    texts[i] = decoded(*decoder, i == 0 ? std::vector{pieces.whole} : pieces.cut, reply);
    check(reply);
  }
  require_utf8(texts[0]);
  require_same(texts[0], texts[1]);
}

}  // namespace
}  // namespace mellea

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const mellea::Pieces pieces = mellea::pieces_of(data, size);
  mellea::check(pieces, mellea::make_openai_embeddings_decoder);
  mellea::check(pieces, mellea::make_ollama_embeddings_decoder);
  return 0;
}
