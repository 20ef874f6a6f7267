// A service that has opentelemetry-cpp: its request is the parent of what the model does, what a
// tool does itself stands below the tool's call, and all of it goes through one provider.
//
//   08_in_your_service [BASE_URL [MODEL]]
#include <mellea/mellea.h>
#include <mellea/otel.h>
#include <mellea/telemetry.h>
#include <mellea/typed.h>
#include <opentelemetry/exporters/memory/in_memory_span_exporter.h>
#include <opentelemetry/sdk/trace/simple_processor.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/trace/scope.h>

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sdk = opentelemetry::sdk::trace;
using opentelemetry::exporter::memory::InMemorySpanExporter;
using Spans = std::vector<std::unique_ptr<sdk::SpanData>>;

struct Place {
  std::string city;
};
MELLEA_DESCRIBE(Place, city)

// Each span below its parent.
void print(const Spans& spans, opentelemetry::trace::SpanId parent, int depth) {
  for (const auto& span : spans) {
    if (span->GetParentSpanId() != parent) continue;
    const auto name = span->GetName();
    std::cout << std::string(2 * depth, ' ') << std::string(name.data(), name.size()) << "  ["
              << span->GetInstrumentationScope().GetName() << "]\n";
    print(spans, span->GetSpanId(), depth + 1);
  }
}

int main(int argc, char** argv) {
  // What the service has already. In yours the exporter is OTLP's, by gRPC or HTTP.
  auto exporter = std::make_unique<InMemorySpanExporter>();
  const auto kept = exporter->GetData();
  sdk::TracerProvider provider(std::make_unique<sdk::SimpleSpanProcessor>(std::move(exporter)));
  const auto tracer = provider.GetTracer("shop");

  // What is new: one line, and the plugins.
  mellea::Telemetry telemetry(mellea::otel::through(provider));
  mellea::Runtime runtime({.plugins = telemetry.plugins()});

  const auto weather =
      mellea::tool<Place>("get_weather", "The weather in a city", [&](const Place& place) {
        const auto query = tracer->StartSpan("SELECT weather");
        const std::string found = place.city + ": 22 C, windy";
        query->End();
        return found;
      });
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"},
                              {.context = mellea::Context::chat()});
    const auto request = tracer->StartSpan("GET /weather");
    const opentelemetry::trace::Scope active(request);
    const auto asked = session.chat("What is the weather in Boston?", {.tools = {weather}});
    session.call_tools(asked, {.add_results = true});
    std::cout << session.chat("Go on.").text() << '\n';
    request->End();
  } catch (const mellea::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  print(kept->GetSpans(), {}, 0);
}
