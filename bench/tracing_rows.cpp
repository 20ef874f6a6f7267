// What it costs to trace a generation: from the events that the runtime fires to the exporter.
#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bridged_spans.h"
#include "generations.h"
#include "hand_written_span.h"
#include "mellea/hooks/hook.h"
#include "mellea/runtime/runtime.h"
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

constexpr std::size_t kSpans =
    256;  // between two looks at the clock: few enough to stay in the cache

// CPU in microseconds a span, and what most of them allocate: now and then an exporter's own list
// grows. What `prepare` does for so many is not counted.
template <class Prepare, class Span>
std::array<double, 2> in_memory(const Settings& settings, Prepare&& prepare, Span&& span) {
  std::chrono::nanoseconds took{0};
  Series allocated;
  std::array<std::size_t, kSpans> counts{};
  const int batches = settings.some(1000);
  for (int batch = 0; batch < batches; ++batch) {
    prepare();
    const auto began = cpu_of_thread();
    for (std::size_t i = 0; i < kSpans; ++i) {
      const std::size_t before = allocations();
      span(i);
      counts[i] = allocations() - before;
    }
    took += cpu_of_thread() - began;
    for (const std::size_t count : counts) allocated.add(static_cast<double>(count));
  }
  return {microseconds(took) / (static_cast<double>(kSpans) * batches), allocated.median()};
}

// Nobody listens there.
telemetry::OtlpHttp nobody(const std::string& path) {
  return {.endpoint = "http://127.0.0.1:1" + path};
}

}  // namespace

void tracing_rows(const Settings& settings) {
  const auto exporter = std::make_shared<MemoryExporter>();
  const Telemetry telemetry({.exporters = {exporter}});
  const Telemetry unsampled({.sampler = {.ratio = 0}, .exporters = {exporter}});
  const auto by_hand = hand_written_spans_in_memory();
  const auto by_hand_unsampled = hand_written_spans_sampled_out();
  const auto bridge = bridged_spans();
  Generations generations;
  std::vector<std::shared_ptr<GenerationPreCall>>* openings = nullptr;
  std::size_t attributes = 0;
  const auto told_to = [&](const Hooks& hooks, auto&& forget) {
    return in_memory(
        settings,
        [&] {
          forget();
          openings = &generations.fresh(static_cast<int>(kSpans));
        },
        [&](std::size_t i) { generations.tell(hooks, (*openings)[i]); });
  };
  const auto written = [&](HandWrittenSpans* spans) {
    if (!spans) return std::array{0.0, 0.0};
    return in_memory(
        settings, [&] { spans->clear(); }, [&](std::size_t) { spans->one(); });
  };
  const Hooks nobody_listens;
  const Hooks traced(telemetry.plugins(), nullptr);
  const Hooks sampled_out(unsampled.plugins(), nullptr);
  const Hooks bridged(bridge ? bridge->plugins() : Plugins(), nullptr);
  const auto [off, out, out_floor, ours, through, floor] = in_turn(
      settings.rounds(),  //
      [&] { return told_to(nobody_listens, [] {}); }, [&] { return told_to(sampled_out, [] {}); },
      [&] { return written(by_hand_unsampled.get()); },
      [&] {
        return told_to(traced, [&] {
          for (const telemetry::SpanPtr& span : exporter->take())
            attributes = span->attributes().size();
        });
      },
      [&] {
        if (!bridge) return std::array{0.0, 0.0};
        return told_to(bridged, [&] { bridge->clear(); });
      },
      [&] { return written(by_hand.get()); });
  if (attributes < kFewestAttributes) throw std::runtime_error("a span has too few attributes");
  const auto here = [&](const Series& series) {
    return by_hand ? std::optional(series) : std::nullopt;
  };
  const auto row = [&](std::string_view what, std::string_view unit, const Series& series,
                       const Series& beside, Bar bar = {}) {
    print({what, unit, series, here(beside), bar, kNoHandWrittenSpans});
  };
  print({"a generation told, telemetry off", "us", off[0]});
  print({"  allocations", "", off[1]});
  row("a generation told, its trace not sampled", "us", out[0], out_floor[0]);
  row("  allocations", "", out[1], out_floor[1]);
  row("a generation traced, 20 attributes, in memory", "us", ours[0], floor[0], Bar::below(1));
  row("  against opentelemetry-cpp by hand", "us", ours[0], floor[0], Bar::ratio_below(1));
  row("  allocations", "", ours[1], floor[1], Bar::at_most(5));
  if (!bridge) return;
  row("a generation traced through the bridge, in the host's memory", "us", through[0], floor[0]);
  row("  allocations", "", through[1], floor[1]);
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

void down_rows(const Settings& settings) {
  ProviderProcess provider;
  Telemetry telemetry(
      {.exporters = {nobody("/v1/traces")}, .metrics = {.exporters = {nobody("/v1/metrics")}}});
  Runtime with({.plugins = telemetry.plugins()});
  Runtime without;
  const BackendOptions backend = client_of(*settings.wire, provider, "plain");
  const Session traced = with.start_session(backend);
  const Session plain = without.start_session(backend);
  const int count = settings.some(2000);  // calls: more spans than fit into the queue
  const auto calls = [&](const Session& session) {
    const Stopwatch watch;
    for (int i = 0; i < count; ++i) keep(session.chat("Write a line about the sea.").text());
    return std::array{microseconds(watch.wall()) / count, microseconds(watch.cpu()) / count};
  };
  const auto [ours, floor] = in_turn(
      settings.rounds(), [&] { return calls(traced); }, [&] { return calls(plain); });
  print({"a plain call, collector down, beside none, wall clock", "us", ours[0], floor[0],
         Bar::ratio_at_most(1.05)});
  print({"  CPU of all threads", "us", ours[1], floor[1], Bar::ratio_at_most(1.05)});
  telemetry.shutdown(std::chrono::milliseconds(100));
}

}  // namespace mellea::bench
