// What it costs to trace a generation: from the events that the runtime fires to the exporter.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "generations.h"
#include "hand_written_span.h"
#include "mellea/hooks/hook.h"
#include "mellea/telemetry/memory_exporter.h"
#include "mellea/telemetry/telemetry.h"
#include "provider_process.h"
#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

using telemetry::MemoryExporter;

constexpr std::size_t kFewestAttributes = 20;

// 20,000 spans a second, as 20 each millisecond. CPU of this thread in microseconds a span; that of
// getting ready and of waiting is not counted.
template <class Prepare, class Span>
double at_a_steady_rate(int spans, Prepare&& prepare, Span&& span) {
  constexpr int kAtOnce = 20;
  std::chrono::nanoseconds cpu{0};
  auto next = Clock::now();
  for (int done = 0; done < spans; done += kAtOnce) {
    prepare(kAtOnce);
    const auto before = cpu_of_thread();
    for (int i = 0; i < kAtOnce; ++i) span(i);
    cpu += cpu_of_thread() - before;
    next += std::chrono::milliseconds(1);
    std::this_thread::sleep_until(next);
  }
  return microseconds(cpu) / spans;
}

}  // namespace

void tracing_rows(const Settings& settings) {
  constexpr std::size_t kSpans =
      256;  // between two looks at the clock: few enough to stay in the cache
  const auto exporter = std::make_shared<MemoryExporter>();
  Telemetry telemetry({.exporters = {exporter}});
  const Hooks hooks(telemetry.plugins(), nullptr);
  Generations generations;
  const auto by_hand = hand_written_spans_in_memory();
  std::size_t attributes = 0;
  std::array<std::size_t, kSpans> counts{};

  // CPU in microseconds a span, and what most of them allocate: now and then the exporter's own
  // list grows.
  const auto each = [&](auto&& prepare, auto&& work) {
    std::chrono::nanoseconds took{0};
    Series allocated;
    const int batches = settings.some(1000);
    for (int batch = 0; batch < batches; ++batch) {
      prepare();
      const auto began = cpu_of_thread();
      for (std::size_t i = 0; i < kSpans; ++i) {
        const std::size_t before = allocations();
        work(i);
        counts[i] = allocations() - before;
      }
      took += cpu_of_thread() - began;
      for (const std::size_t count : counts) allocated.add(static_cast<double>(count));
    }
    return std::array{microseconds(took) / (static_cast<double>(kSpans) * batches),
                      allocated.median()};
  };
  std::vector<std::shared_ptr<GenerationPreCall>>* openings = nullptr;
  const auto [ours, floor] = in_turn(
      settings.rounds(),
      [&] {
        return each(
            [&] {
              for (const telemetry::SpanPtr& span : exporter->take())
                attributes = span->attributes().size();
              openings = &generations.fresh(static_cast<int>(kSpans));
            },
            [&](std::size_t i) { generations.tell(hooks, (*openings)[i]); });
      },
      [&] {
        if (!by_hand) return std::array{0.0, 0.0};
        return each([&] { by_hand->clear(); }, [&](std::size_t) { by_hand->one(); });
      });
  if (attributes < kFewestAttributes) throw std::runtime_error("a span has too few attributes");
  const auto here = [&](const Series& series) {
    return by_hand ? std::optional(series) : std::nullopt;
  };
  print({"a generation traced, 20 attributes, in memory", "us", ours[0], here(floor[0]),
         Bar::below(1), kNoHandWrittenSpans});
  print({"  against opentelemetry-cpp by hand", "us", ours[0], here(floor[0]), Bar::ratio_below(1),
         kNoHandWrittenSpans});
  print({"  allocations", "", ours[1], here(floor[1]), Bar::at_most(5), kNoHandWrittenSpans});
}

void otlp_rows(const Settings& settings) {
  unpin();  // the exporters' threads are to run beside the caller's, and not instead of it
  ProviderProcess collector;
  const std::string url = collector.url("/v1/traces");
  Generations generations;
  const auto by_hand = hand_written_spans_to(url);
  const int spans = settings.some(20'000);
  std::int64_t told = 0;
  std::int64_t arrived = 0;
  std::vector<std::shared_ptr<GenerationPreCall>>* openings = nullptr;
  const auto [ours, floor] = in_turn(
      settings.quick ? 1 : 3,
      [&] {
        const std::int64_t before = collector.counters().spans;
        Telemetry telemetry({.exporters = {telemetry::OtlpHttp{.endpoint = url}}});
        const Hooks hooks(telemetry.plugins(), nullptr);
        const double cpu = at_a_steady_rate(
            spans, [&](int count) { openings = &generations.fresh(count); },
            [&](int i) { generations.tell(hooks, (*openings)[static_cast<std::size_t>(i)]); });
        keep(telemetry.shutdown());
        told += spans;
        arrived += collector.counters().spans - before;
        return std::array{cpu};
      },
      [&] {
        if (!by_hand) return std::array{0.0};
        const double cpu = at_a_steady_rate(
            spans, [](int) {}, [&](int) { by_hand->one(); });
        by_hand->clear();
        return std::array{cpu};
      });
  print({"a generation traced, OTLP/HTTP, 20,000 a second, caller's CPU", "us", ours[0],
         by_hand ? std::optional(floor[0]) : std::nullopt, Bar::below(2), kNoHandWrittenSpans});
  print({"  spans that did not arrive",
         "",
         Series(static_cast<double>(told - arrived)),
         {},
         Bar::at_most(0)});
}

}  // namespace mellea::bench
