#include "measure.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <new>

namespace {
thread_local std::size_t allocations_here = 0;
}

// Never inlined, or g++ sees malloc() and operator delete meet, and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations_here;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace mellea::bench {
namespace {

std::chrono::nanoseconds read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

template <class Combine>
Series combined(const Series& left, const Series& right, Combine combine) {
  Series result;
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i)
    result.add(combine(left[i], right[i]));
  return result;
}

}  // namespace

std::chrono::nanoseconds cpu_of_process() { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }
std::chrono::nanoseconds cpu_of_thread() { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

std::size_t allocations() noexcept { return allocations_here; }

std::int64_t resident_bytes() {
  std::int64_t all = 0;
  std::int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

int threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

void pin_to_core(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<unsigned>(core), &cores);
  ::sched_setaffinity(0, sizeof cores, &cores);
}

void unpin() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  for (int core = 0; core < ::sysconf(_SC_NPROCESSORS_ONLN); ++core)
    CPU_SET(static_cast<unsigned>(core), &cores);
  ::sched_setaffinity(0, sizeof cores, &cores);
}

void allow_many_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

double Series::quantile(double part) const {
  if (values_.empty()) return std::nan("");
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const double place = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

Series operator/(const Series& left, const Series& right) {
  return combined(left, right, [](double a, double b) { return a / b; });
}
Series operator-(const Series& left, const Series& right) {
  return combined(left, right, [](double a, double b) { return a - b; });
}

}  // namespace mellea::bench
