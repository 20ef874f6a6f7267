#include "mellea/otel/host.h"

#include "mellea/core/error.h"
#include "mellea/otel/values.h"

namespace mellea::otel {
namespace {

constexpr std::string_view kApplication = "mellea.application";
constexpr std::string_view kBackend = "mellea.backend";

opentelemetry::sdk::trace::Tracer& inside_of(opentelemetry::trace::Tracer* tracer) {
  if (auto* const inside = dynamic_cast<opentelemetry::sdk::trace::Tracer*>(tracer)) return *inside;
  throw Error(Errc::invalid_request,
              "mellea::otel: spans go through a provider of opentelemetry-cpp's SDK, and this is "
              "none");
}

}  // namespace

Host::Taken::Taken(opentelemetry::trace::TracerProvider& provider, std::string_view library)
    : kept(provider.GetTracer(to_nostd(library), MELLEA_VERSION)), tracer(inside_of(kept.get())) {}

Host::Host(opentelemetry::trace::TracerProvider& provider)
    : application_(provider, kApplication), backend_(provider, kBackend) {}

opentelemetry::sdk::trace::Tracer& Host::tracer(std::string_view library) const noexcept {
  return library == kBackend ? backend_.tracer : application_.tracer;
}

}  // namespace mellea::otel
