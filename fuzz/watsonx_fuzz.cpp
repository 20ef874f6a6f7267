// Whatever watsonx or IAM sends, cut anywhere: the same reply and the same end as in one piece. The
// first byte says which answer it is.
#include "decoding.h"
#include "mellea/backends/iam_reply.h"
#include "mellea/backends/watsonx_reply.h"
#include "pieces.h"

namespace {

std::string decoded(char which, const std::vector<std::string_view>& pieces) {
  static const auto names = std::make_shared<const mellea::RequestNames>(
      mellea::RequestNames{.provider = "watsonx", .request = "POST http://h/ml/v1/text/chat"});
  std::string token;
  const auto take = [&token](const mellea::IamToken& taken) {
    token = taken.value + (taken.life ? std::to_string(taken.life->count()) : "-");
  };
  switch (which) {
    case 'c': return mellea::decoded(*mellea::make_watsonx_chat_decoder(names), pieces);
    case 'e': return mellea::decoded(*mellea::make_watsonx_embeddings_decoder(names, 2), pieces);
    case 'i': return mellea::decoded(*mellea::make_iam_decoder(names, take), pieces) + token;
    default: return mellea::decoded(*mellea::make_watsonx_generation_decoder(names), pieces);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const char which = static_cast<char>(*data);
  const mellea::Pieces pieces = mellea::pieces_of(data + 1, size - 1);
  const std::string whole = decoded(which, {pieces.whole});
  mellea::require_utf8(whole);
  mellea::require_same(whole, decoded(which, pieces.cut));
  return 0;
}
