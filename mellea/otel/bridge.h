// Telemetry for a program that has opentelemetry-cpp already: one pipeline for its spans and ours.
//
//   std::shared_ptr<opentelemetry::sdk::trace::TracerProvider> provider = ...;   // the program's
//   own mellea::Telemetry telemetry(mellea::otel::through(*provider)); mellea::Runtime
//   runtime({.plugins = telemetry.plugins()});
#pragma once

#include <opentelemetry/logs/logger_provider.h>
#include <opentelemetry/metrics/meter_provider.h>
#include <opentelemetry/trace/tracer_provider.h>
#include <opentelemetry/version.h>

#include <string_view>

#include "mellea/telemetry/config.h"

namespace mellea::otel {

// `config`, made to work with the host's tracing:
//
// * The host's sampler decides what is recorded, in place of config.sampler. What it lets through
//   goes to the host's span processors when it ends, beside the exporters of `config`, with the ids
//   that we gave it and the host's resource. A processor is told of the start of such a span right
//   before its end, on the thread that ended it.
// * The span that is current in the thread that calls us, by opentelemetry-cpp's RuntimeContext, is
//   the parent of what the call does, and its baggage goes along. CallOptions::origin wins over it.
// * In tools, checks and callbacks of the program the span they belong to is current, so that spans
//   which they start stand below it; in the completion of an asynchronous call, the one that was
//   current where it was begun.
//
// `host` has to be the SDK's and is not kept alive. Telemetry should be shut down before it is:
// what ends later is lost. Telemetry::flush() flushes the host's processors too, and each may take
// the whole of its limit; Telemetry::shutdown() leaves what they hold to the host. With the API's
// no-op provider, which is how a program switches its tracing off, only what `config` says is
// recorded.
//
// Throws Error (Errc::invalid_request) if `host` is of another kind, or if the library that runs is
// of another version than the headers of this one or `headers`, those of the caller: its sonames
// have no version, so nothing else would tell.
// `style`: how the host is shown our spans.
telemetry::Config through(opentelemetry::trace::TracerProvider& host, telemetry::Config config = {},
                          const telemetry::SpanStyle& style = {},
                          std::string_view headers = OPENTELEMETRY_VERSION);

// `config`, made to record all metrics, ours and the program's, in instruments of the host's too,
// beside the exporters of `config`. The host's readers decide when they are looked at and what sums
// are since. An SDK's provider gets a view for each of our histograms, with its buckets: the API
// can't name them. So this is for the thread that sets the provider up, and before others use it.
// Telemetry should be shut down before `host` is destroyed.
// Throws Error as through() does where versions differ.
telemetry::Config metrics_through(opentelemetry::metrics::MeterProvider& host,
                                  telemetry::Config config = {},
                                  std::string_view headers = OPENTELEMETRY_VERSION);

// `config`, made to give all log records to loggers of the host's too, beside the exporters of
// `config`, with the ids of the span in which each was logged. Telemetry has to be shut down before
// `host` is destroyed.
// Throws Error as through() does where versions differ.
telemetry::Config logs_through(opentelemetry::logs::LoggerProvider& host,
                               telemetry::Config config = {},
                               std::string_view headers = OPENTELEMETRY_VERSION);

}  // namespace mellea::otel
