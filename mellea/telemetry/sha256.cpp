#include "mellea/telemetry/sha256.h"

#include <bit>
#include <cstddef>

#include "mellea/telemetry/hex.h"

namespace mellea::telemetry {
namespace {

using Word = std::uint32_t;
constexpr std::size_t kBlock = 64;  // bytes

constexpr std::array<Word, 64> kRounds = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

class Digest {
 public:
  void add(const char* block) {
    std::array<Word, 64> schedule{};
    for (std::size_t at = 0; at < kBlock; ++at)
      schedule[at / 4] = (schedule[at / 4] << 8U) | static_cast<unsigned char>(block[at]);
    for (std::size_t at = 16; at < schedule.size(); ++at) {
      const Word early = schedule[at - 15];
      const Word late = schedule[at - 2];
      schedule[at] = schedule[at - 16] + schedule[at - 7] +
                     (std::rotr(early, 7) ^ std::rotr(early, 18) ^ (early >> 3U)) +
                     (std::rotr(late, 17) ^ std::rotr(late, 19) ^ (late >> 10U));
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (std::size_t round = 0; round < kRounds.size(); ++round) {
      const Word first = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                         ((e & f) ^ (~e & g)) + kRounds[round] + schedule[round];
      const Word second =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + first;
      d = c;
      c = b;
      b = a;
      a = first + second;
    }
    const std::array<Word, 8> after = {a, b, c, d, e, f, g, h};
    for (std::size_t at = 0; at < state_.size(); ++at) state_[at] += after[at];
  }

  std::array<std::uint8_t, 32> bytes() const {
    std::array<std::uint8_t, 32> bytes{};
    for (std::size_t at = 0; at < bytes.size(); ++at)
      bytes[at] = static_cast<std::uint8_t>(state_[at / 4] >> (24 - 8 * (at % 4)));
    return bytes;
  }

 private:
  std::array<Word, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
};

}  // namespace

std::array<std::uint8_t, 32> sha256(std::string_view text) {
  Digest digest;
  std::size_t at = 0;
  for (; text.size() - at >= kBlock; at += kBlock) digest.add(text.data() + at);

  // What is left, a single bit, zeros, and the length in bits: one block or two.
  std::string rest(text.substr(at));
  rest += '\x80';
  rest.append((2 * kBlock - 8 - rest.size()) % kBlock, '\0');
  const std::uint64_t bits = std::uint64_t{text.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) rest += static_cast<char>(bits >> shift);
  for (at = 0; at < rest.size(); at += kBlock) digest.add(rest.data() + at);
  return digest.bytes();
}

std::string fingerprint(std::string_view text) { return hex(sha256(text)).substr(0, 16); }

}  // namespace mellea::telemetry
