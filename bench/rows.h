// The groups of rows. Each runs in a process of its own, so that none inherits the memory, the
// threads or the connections of another.
#pragma once

#include <array>
#include <string_view>

#include "wire.h"

namespace mellea::bench {

struct Settings {
  bool quick = false;                 // fewer rounds, smaller counts: does it still work?
  const Wire* wire = &openai_wire();  // never null; the protocol of groups that have one
  int rounds() const { return quick ? 2 : 5; }
  int some(int count) const { return quick ? count / 10 : count; }
};

void hook_rows(const Settings& settings);
void tracing_rows(const Settings& settings);
void metrics_rows(const Settings& settings);
void otlp_rows(const Settings& settings);
void down_rows(const Settings& settings);
void call_rows(const Settings& settings);
void stream_rows(const Settings& settings);
void delivery_rows(const Settings& settings);
void thread_rows(const Settings& settings);
void many_rows(const Settings& settings);
void many_tls_rows(const Settings& settings);
void cancel_rows(const Settings& settings);
void instruct_rows(const Settings& settings);
void instruct_soak_rows(const Settings& settings);
void include_rows(const Settings& settings);
void silence_rows(const Settings& settings);
void soak_rows(const Settings& settings);

struct Group {
  std::string_view name{};
  std::string_view what{};
  void (*run)(const Settings&) = nullptr;
  bool on_request = false;  // takes minutes: only by name, or with --long
  bool of_wire = false;     // it depends on the protocol
};

inline constexpr std::array kGroups = {
    Group{"hooks", "what it costs to fire events", hook_rows},
    Group{"tracing", "a generation traced, in memory", tracing_rows},
    Group{"metrics", "a generation counted", metrics_rows},
    Group{"otlp", "a generation traced, sent to a collector", otlp_rows},
    Group{"down", "plain calls while the collector is down", down_rows},
    Group{"calls", "plain calls, one after the other", call_rows, false, true},
    Group{"streams", "one stream, as fast as it goes", stream_rows, false, true},
    Group{"delivery", "from the provider's write to the reader", delivery_rows, false, true},
    Group{"threads", "threads of 256 streams", thread_rows, false, true},
    Group{"many", "5,000 streams at once", many_rows, false, true},
    Group{"many-tls", "5,000 streams at once, with TLS", many_tls_rows, false, true},
    Group{"cancel", "from cancel() to the end of the call", cancel_rows, false, true},
    Group{"instructs", "200 instructs at once, with judges", instruct_rows},
    Group{"include", "what including the library costs", include_rows},
    Group{"silence", "33 seconds of silence in a stream", silence_rows, true},
    Group{"soak", "memory after 200,000 calls", soak_rows, true},
    Group{"instruct-soak", "memory after 100,000 instructs", instruct_soak_rows},
};

// What `mellea_bench telemetry` means.
inline constexpr std::array<std::string_view, 4> kTelemetryGroups = {"tracing", "metrics", "otlp",
                                                                     "down"};

}  // namespace mellea::bench
