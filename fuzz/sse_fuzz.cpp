// A stream of events is the same however it is cut.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/net/sse.h"
#include "require.h"

namespace mellea {
namespace {

struct Seen {
  std::vector<std::pair<std::string, std::string>> events{};
  bool refused = false;

  bool operator==(const Seen&) const = default;
};

// `cuts` says how long the pieces are; the last one has the rest. Each piece is a copy of its own
// size, which is gone when the next one comes.
Seen read(std::string_view stream, const std::vector<std::size_t>& cuts, std::size_t max_event) {
  Seen seen;
  SseParser parser(max_event);
  const auto feed = [&](std::string_view bytes) {
    const std::vector<char> piece(bytes.begin(), bytes.end());
    parser.feed({piece.data(), piece.size()});
    for (SseEvent event; parser.next(event);) {
      require(event.name.size() + event.data.size() <= 2 * max_event, "an event has its limit");
      require(event.name.find_first_of("\r\n") == event.name.npos, "a name is one line");
      require(event.data.find('\r') == event.data.npos, "a line of data ends at a CR");
      seen.events.emplace_back(event.name, event.data);
    }
  };
  try {
    for (const std::size_t cut : cuts) {
      const std::size_t size = std::min(cut, stream.size());
      feed(stream.substr(0, size));
      stream.remove_prefix(size);
    }
    feed(stream);
  } catch (const Error& error) {
    require(error.code() == Errc::parse_error, "what is refused is a parse error");
    seen.refused = true;
  }
  return seen;
}

}  // namespace
}  // namespace mellea

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider input(bytes, size);
  const auto max_event = input.ConsumeIntegralInRange<std::size_t>(1, 256);
  std::vector<std::size_t> cuts(input.ConsumeIntegralInRange<std::size_t>(0, 16));
  for (std::size_t& cut : cuts) cut = input.ConsumeIntegralInRange<std::size_t>(0, 24);
  const std::string stream = input.ConsumeRemainingBytesAsString();

  const mellea::Seen whole = mellea::read(stream, {}, max_event);
  mellea::require(mellea::read(stream, cuts, max_event) == whole, "cut, it is the same");
  const std::vector<std::size_t> bytewise(stream.size(), 1);
  mellea::require(mellea::read(stream, bytewise, max_event) == whole, "byte by byte, too");
  return 0;
}
