// Clocks, counters and series of measurements.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <tuple>
#include <utility>
#include <vector>

#include "mellea/core/instant.h"

namespace mellea::bench {

using Clock = std::chrono::steady_clock;

inline double microseconds(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count()) / 1e3;
}

// CPU time: user and system, in nanoseconds.
std::chrono::nanoseconds cpu_of_process();  // of all its threads
std::chrono::nanoseconds cpu_of_thread();   // of the calling one

// Calls of operator new, which is replaced for the whole program, by the calling thread.
std::size_t allocations() noexcept;

std::int64_t resident_bytes();  // of this process
int threads();                  // of this process, the calling one among them

// The core of the calling thread, and of the threads that it starts from now on.
void pin_to_core(int core);
void unpin();
// 5,000 streams are as many descriptors.
void allow_many_descriptors();

// Makes the compiler believe that somebody looks at `value`.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

// Wall clock and the CPU time of the whole process, since it was made.
class Stopwatch {
 public:
  std::chrono::nanoseconds wall() const { return Clock::now() - wall_; }
  std::chrono::nanoseconds cpu() const { return cpu_of_process() - cpu_; }

 private:
  std::chrono::nanoseconds cpu_ = cpu_of_process();
  Clock::time_point wall_ = Clock::now();
};

// The same thing measured several times.
class Series {
 public:
  Series() = default;
  explicit Series(double value) : values_{value} {}
  void add(double value) { values_.push_back(value); }
  double operator[](std::size_t round) const { return values_[round]; }
  std::size_t size() const { return values_.size(); }

  double median() const { return quantile(0.5); }
  double quantile(double part) const;  // 0 the least, 1 the most

 private:
  std::vector<double> values_;
};

// The quotients and the differences, round by round: what disturbs a whole round cancels out.
Series operator/(const Series& left, const Series& right);
Series operator-(const Series& left, const Series& right);

// Measures in turn, A B C A B C ..., so that a machine that slows down does so for all. The first
// time of each warms up and is thrown away. Each `measure` returns its figures in an array.
template <class... Measure>
auto in_turn(int rounds, Measure&&... measure) {
  const auto added = [](auto& series, const auto& figures) {
    for (std::size_t i = 0; i < figures.size(); ++i) series[i].add(figures[i]);
  };
  static_cast<void>(std::initializer_list<int>{(measure(), 0)...});
  auto all = std::make_tuple(std::array<Series, std::tuple_size_v<decltype(measure())>>{}...);
  for (int round = 0; round < rounds; ++round)
    std::apply([&](auto&... series) { (added(series, measure()), ...); }, all);
  return all;
}

// Nanoseconds of CPU a call of `work`, which happens on this thread alone; in a loop that lasts
// about 20 ms.
template <class Work>
double nanoseconds_each(Work&& work) {
  std::int64_t count = 1;
  for (;;) {
    const auto began = cpu_of_thread();
    for (std::int64_t i = 0; i < count; ++i) work();
    const std::chrono::nanoseconds took = cpu_of_thread() - began;
    if (took > std::chrono::milliseconds(20))
      return static_cast<double>(took.count()) / static_cast<double>(count);
    count *= took < std::chrono::milliseconds(2) ? 10 : 2;
  }
}

}  // namespace mellea::bench
