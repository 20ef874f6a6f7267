// Lines are the same however their bytes were cut, and no line is over the limit.
#include <cstdlib>
#include <string>

#include "mellea/core/error.h"
#include "mellea/net/ndjson.h"
#include "pieces.h"

namespace {

constexpr std::size_t kMaxLine = 64;  // small, so that it is reached

// The lines, each in brackets, and how it ended.
std::string lines_of(const std::vector<std::string_view>& pieces) {
  mellea::NdjsonParser parser(kMaxLine);
  std::string all;
  const auto add = [&all](std::string_view line) {
    if (line.empty() || line.size() > kMaxLine || line.find('\n') != line.npos) std::abort();
    all.append("[").append(line).append("]");
  };
  try {
    std::string_view line;
    for (const std::string_view piece : pieces) {
      const std::string own(piece);  // gone when the next one comes
      parser.feed(own);
      while (parser.next(line)) add(line);
    }
    if (parser.finish(line)) add(line);
    if (parser.finish(line)) std::abort();
  } catch (const mellea::Error& error) {
    if (error.code() != mellea::Errc::parse_error) std::abort();
    all += "too long";
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const mellea::Pieces pieces = mellea::pieces_of(data, size);
  if (lines_of({pieces.whole}) != lines_of(pieces.cut)) std::abort();
  return 0;
}
