// What Ollama says while it fetches a model. Pure: no network.
#pragma once

#include <memory>

#include "mellea/backends/reply_decoder.h"

namespace mellea {

// Each line of the answer of /api/pull is a chunk: the object itself, as ResponseInfo::metadata. It
// is complete with `"status":"success"`.
std::unique_ptr<ReplyDecoder> make_ollama_pull_decoder(std::shared_ptr<const RequestNames> names);

}  // namespace mellea
