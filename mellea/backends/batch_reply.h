// Several requests that make up one call, read as one stream: for providers that take one prompt a
// request.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "mellea/backends/backend.h"

namespace mellea {

struct Batch {
  std::size_t requests = 0;  // one or more
  int stride = 1;            // how many indexes each has; the first one's begin with 0
  // Sends one of them, counted from 0. Called by start_batch() and by whoever reads the stream.
  std::function<std::unique_ptr<ReplyStream>(std::size_t request)> start{};
};

// Keeps a few requests under way at once, and reads one after the other, so that what comes out is
// in the order of the prompts however they were answered. A notice has the index of the first
// prompt of its request. Token counts are those of a request where it has one index, and in the end
// those of all requests together; there a count that one of them did not tell is not told. The
// first that fails ends it all; its Error says which one it was. Throws what `start` throws for the
// first few.
std::unique_ptr<ReplyStream> start_batch(Batch batch);

}  // namespace mellea
