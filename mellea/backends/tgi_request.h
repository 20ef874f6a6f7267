// What is sent to a Text Generation Inference server, in its own protocol. Pure: no network.
#pragma once

#include <string>
#include <vector>

#include "mellea/backends/tgi_reply.h"
#include "mellea/backends/written_batch.h"

namespace mellea {

struct TgiRequest {
  WrittenBatch written{};  // one request a prompt
  TgiAsked asked{};        // of each
};

// For /generate, or /generate_stream, of a completion.
//
// Options of ours stand under TGI's names in "parameters", `choices` as best_of with all of its
// sequences. A temperature of 0 is do_sample off; any other one, a seed, or several choices mean
// sampling. A format is a grammar. What would be an error there though it asks for nothing (top_p
// 1, top_k 0) is left out. `extra` goes into "parameters" as it is (repetition_penalty, typical_p,
// truncate, watermark, adapter_id, best_of...) and wins.
//
// Throws Error (Errc::invalid_request) that names what can't be sent.
TgiRequest write_tgi_request(const Request& request);

}  // namespace mellea
