// The host's tracing, from inside.
#pragma once

#include <opentelemetry/nostd/shared_ptr.h>
#include <opentelemetry/sdk/trace/tracer.h>
#include <opentelemetry/trace/tracer_provider.h>

#include <string_view>

namespace mellea::otel {

// The host's pipeline: sampler, span processors and resource. Keeps the tracers that it takes from
// the provider, and so what they work with; the provider itself is not kept, and shuts the pipeline
// down when the host lets it go. Any thread may call anything.
class Host {
 public:
  // Throws Error (Errc::invalid_request) if `provider` is not the SDK's.
  explicit Host(opentelemetry::trace::TracerProvider& provider);

  // Of the library that a span is from: SpanRecord::library.
  opentelemetry::sdk::trace::Tracer& tracer(std::string_view library) const noexcept;
  opentelemetry::sdk::trace::Tracer& tracer() const noexcept { return application_.tracer; }

 private:
  struct Taken {
    Taken(opentelemetry::trace::TracerProvider& provider, std::string_view library);
    const opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> kept;
    opentelemetry::sdk::trace::Tracer& tracer;  // the same
  };

  const Taken application_;
  const Taken backend_;
};

}  // namespace mellea::otel
