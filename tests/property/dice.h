// Chance, that can be had again.
#pragma once

#include <atomic>
#include <cstdint>
#include <random>

namespace mellea {

// Random numbers for one thread.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : numbers_(seed) {}
  int below(int sides) { return static_cast<int>(numbers_() % static_cast<unsigned>(sides)); }
  bool one_in(int sides) { return below(sides) == 0; }
  std::uint64_t seed() { return numbers_(); }

 private:
  std::mt19937_64 numbers_;
};

// Random numbers for handlers, which run on any thread.
class SharedDice {
 public:
  explicit SharedDice(std::uint64_t seed) : state_(seed) {}
  bool one_in(unsigned sides) {
    std::uint64_t x = state_.fetch_add(0x9E3779B97F4A7C15) + 0x9E3779B97F4A7C15;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return (x ^ (x >> 31)) % sides == 0;
  }

 private:
  std::atomic<std::uint64_t> state_;
};

}  // namespace mellea
