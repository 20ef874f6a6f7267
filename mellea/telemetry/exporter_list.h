// What is asked of several exporters of one signal at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "mellea/core/instant.h"

namespace mellea::telemetry {

template <class Exporter>
std::int64_t lost_by(const std::vector<std::shared_ptr<Exporter>>& exporters) noexcept {
  std::int64_t sum = 0;
  for (const auto& exporter : exporters) sum += exporter->lost();
  return sum;
}

// False if `until` was too early, or something was lost meanwhile.
template <class Exporter>
bool flush_all(const std::vector<std::shared_ptr<Exporter>>& exporters, Instant until) {
  const std::int64_t before = lost_by(exporters);
  bool all = true;
  // All are told before one is waited for.
  for (const auto& exporter : exporters) exporter->flush(Instant::clock::now());
  for (const auto& exporter : exporters) all = exporter->flush(until) && all;
  return all && lost_by(exporters) == before;
}

// All are told to hurry before one is waited for, and one that hangs leaves time for the rest.
template <class Exporter>
bool shutdown_all(const std::vector<std::shared_ptr<Exporter>>& exporters, Instant until) {
  constexpr Instant::duration kMost = std::chrono::milliseconds(100);  // for each other
  for (const auto& exporter : exporters) exporter->flush(Instant::clock::now());
  bool all = true;
  auto waiting = static_cast<int>(exporters.size());
  const Instant::duration left = std::max(until - Instant::clock::now(), Instant::duration{});
  const Instant::duration for_each_other = std::min(kMost, left / (4 * std::max(waiting, 1)));
  for (const auto& exporter : exporters)
    all = exporter->shutdown(until - --waiting * for_each_other) && all;
  return all;
}

}  // namespace mellea::telemetry
