// An input as a server would send it: bytes, and where the network cut them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mellea {

struct Pieces {
  std::string_view whole{};
  std::vector<std::string_view> cut{};  // the same bytes
};

// The input's last bytes are the sizes of the pieces, each 1 to 256, up to a first byte that says
// how many there are; the rest comes as one more.
inline Pieces pieces_of(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Pieces pieces;
  if (rest.empty()) return pieces;
  const std::size_t sizes = static_cast<std::uint8_t>(rest.back()) % 16;
  rest.remove_suffix(1);
  const std::size_t kept = rest.size() < sizes ? 0 : sizes;
  const std::string_view cuts = rest.substr(rest.size() - kept);
  rest.remove_suffix(kept);
  pieces.whole = rest;
  for (const char byte : cuts) {
    const std::string_view piece = rest.substr(0, static_cast<std::uint8_t>(byte) + std::size_t{1});
    if (piece.empty()) break;
    pieces.cut.push_back(piece);
    rest.remove_prefix(piece.size());
  }
  if (!rest.empty()) pieces.cut.push_back(rest);
  return pieces;
}

}  // namespace mellea
