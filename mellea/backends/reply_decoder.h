// Turns the bytes of a provider's answer into chunks. One implementation a protocol.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/backends/provider_error.h"
#include "mellea/core/reply.h"
#include "mellea/core/request.h"

namespace mellea {

// Pure: no network, no clock. For one answer of status 2xx, used by one thread at a time. What it
// throws is an Error (Errc::parse_error unless the provider says otherwise); what it had put into
// `out` before counts, and it is not called again.
class ReplyDecoder {
 public:
  virtual ~ReplyDecoder() = default;

  // What the head of the answer says, names in lower case; few protocols say anything there. Comes
  // before begin().
  virtual void head(const Headers& /*headers*/) {}
  // The answer has begun.
  virtual void begin(std::string_view content_type) = 0;
  // The next bytes, however they were cut. Appends to `out`; `at` is when they arrived.
  virtual void feed(std::string_view bytes, Instant at, std::vector<Chunk>& out) = 0;
  // The end mark was seen: what may still come is of no interest.
  virtual bool ended() const noexcept = 0;
  // The connection ended well, and ended() was false. Throws Error (Errc::transport_error) if the
  // answer is not whole.
  virtual void end(Instant at, std::vector<Chunk>& out) = 0;
};

// Appends a chunk; `index` is of the choice.
template <class What>
void put(std::vector<Chunk>& out, Instant at, int index, What what) {
  Chunk& chunk = out.emplace_back();
  chunk.at = at;
  chunk.index = index;
  chunk.what.emplace<What>(std::move(what));
}

}  // namespace mellea
