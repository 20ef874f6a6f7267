// What it costs to count a generation: from the events that the runtime fires to the sums.
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "generations.h"
#include "measure.h"
#include "mellea/telemetry/metric_store.h"
#include "mellea/telemetry/telemetry.h"
#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

using telemetry::MetricStore;

Telemetry counting() {
  return Telemetry({.metrics = {.exporters = {telemetry::MetricsText{[](std::string_view) {}}}}});
}

}  // namespace

void metrics_rows(const Settings& settings) {
  constexpr std::size_t kAtOnce = 256;  // few enough to stay in the cache
  Telemetry telemetry = counting();
  const Hooks hooks(telemetry.plugins(), nullptr);
  const auto store = std::make_shared<MetricStore>();
  auto& counter = *store->instrument({.name = "calls"});
  const telemetry::LabelRef labels[] = {store->labels().kept({"model", "granite4:micro"}),
                                        store->labels().kept({"operation", "chat"})};
  Generations generations;
  const int batches = settings.some(1000);
  const auto [ours, one] = in_turn(
      settings.rounds(),
      [&] {
        std::chrono::nanoseconds took{0};
        Series allocated;
        for (int batch = 0; batch < batches; ++batch) {
          const auto& openings = generations.fresh(static_cast<int>(kAtOnce));
          const auto began = cpu_of_thread();
          const std::size_t before = allocations();
          for (const auto& opening : openings) generations.tell(hooks, opening);
          took += cpu_of_thread() - began;
          allocated.add(static_cast<double>(allocations() - before) / kAtOnce);
        }
        return std::array{microseconds(took) / (static_cast<double>(kAtOnce) * batches),
                          allocated.median()};
      },
      [&] {
        const auto began = cpu_of_thread();
        for (int at = 0; at < 256 * batches; ++at) counter.record(1, labels);
        return std::array{microseconds(cpu_of_thread() - began) / (256.0 * batches) * 1000};
      });
  print({"a generation counted", "us", ours[0], {}, Bar::below(1), {}});
  print({"  allocations", "", ours[1], {}, Bar::at_most(5), {}});
  print({"one update of a sum with two labels", "ns", one[0], {}, {}, {}});

  unpin();
  // The same sum, by as many threads as there are processors.
  const unsigned threads = std::max(2U, std::thread::hardware_concurrency());
  const auto [together] = in_turn(settings.rounds(), [&] {
    std::atomic<std::int64_t> cpu{0};
    {
      std::vector<std::jthread> all;
      for (unsigned thread = 0; thread < threads; ++thread)
        all.emplace_back([&] {
          const auto began = cpu_of_thread();
          for (int at = 0; at < 256 * batches; ++at) counter.record(1, labels);
          cpu += (cpu_of_thread() - began).count();
        });
    }
    return std::array{static_cast<double>(cpu) / (256.0 * batches * threads)};
  });
  print({"  by a thread for each processor", "ns", together[0], {}, {}, {}});
}

}  // namespace mellea::bench
