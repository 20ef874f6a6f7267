// What shows only after a while.
#include <cstdint>
#include <memory>
#include <string>

#include "mellea/runtime/runtime.h"
#include "mellea/telemetry/memory_exporter.h"
#include "mellea/telemetry/telemetry.h"
#include "provider_process.h"
#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

constexpr const char* kPrompt = "Write a line about the sea.";

}  // namespace

void silence_rows(const Settings&) {
  ProviderProcess provider;
  Runtime runtime;
  Session session = runtime.start_session(
      {.backend = "openai", .model = "silent-33", .base_url = provider.url()});
  int failures = 0;
  try {
    keep(session.chat(kPrompt, {.stream = true}));
  } catch (const Error&) {
    ++failures;
  }
  print(
      {"failures of a stream that is silent for 33 s", "", Series(failures), {}, Bar::at_most(0)});
}

// Plain calls, streams, and streams that are left early, all traced.
void soak_rows(const Settings& settings) {
  ProviderProcess provider;
  const auto exporter = std::make_shared<telemetry::MemoryExporter>(1000);
  Telemetry telemetry({.exporters = {exporter}});
  Runtime runtime({.plugins = telemetry.plugins()});
  const auto session = [&](std::string model) {
    return runtime.start_session(
        {.backend = "openai", .model = std::move(model), .base_url = provider.url()});
  };
  Session plain = session("plain");
  Session streamed = session("stream-20-1-0");
  Session held = session("hold");
  const auto calls = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      if (i % 20 == 0) {
        Output output = held.start_chat(kPrompt, {.stream = true});
        keep(output.next());
      } else if (i % 4 == 0) {
        keep(streamed.chat(kPrompt, {.stream = true}));
      } else {
        keep(plain.chat(kPrompt));
      }
    }
    runtime.drain(Clock::now() + std::chrono::seconds(5));
  };
  calls(0, settings.some(20'000));
  const std::int64_t before = resident_bytes();
  calls(settings.some(20'000), settings.some(200'000));
  print({"MiB resident after 200,000 calls, beyond those after 20,000",
         "",
         Series(static_cast<double>(resident_bytes() - before) / (1 << 20)),
         {},
         Bar::at_most(2)});
}

}  // namespace mellea::bench
