// What comes back from a Text Generation Inference server, in its own protocol. Pure: no network.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mellea/backends/reply_decoder.h"

namespace mellea {

// What of a request its answer is read by.
struct TgiAsked {
  std::size_t answers = 1;          // each at its own index; more are not given out
  std::vector<std::string> stop{};  // texts, of which the server leaves one at the end
  bool logprobs = false;            // else they are not given out: the server tells them always
};

// Reads an answer of /generate and /generate_stream, and of the same behind a gateway that puts it
// into an array. The text comes without the stop text that ended it, so that what may be the
// beginning of one is held back until it is known to be none. Finish reasons are OpenAI's: "stop"
// and "length". The seed that the server took is in ResponseInfo::metadata. Tokens of the prompt
// are counted by the header x-prompt-tokens or the end of a stream.
//
// A stream is whole with its "generated_text"; there is no other end mark. Throws parse_error where
// one of the answers is missing.
std::unique_ptr<ReplyDecoder> make_tgi_decoder(std::shared_ptr<const RequestNames> names,
                                               TgiAsked asked);

}  // namespace mellea
