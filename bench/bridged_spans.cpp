#include "bridged_spans.h"

#include <opentelemetry/exporters/memory/in_memory_span_exporter.h>
#include <opentelemetry/sdk/trace/simple_processor.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>

#include <utility>

#include "mellea/otel.h"
#include "mellea/telemetry/telemetry.h"

namespace mellea::bench {
namespace {

namespace trace = opentelemetry::sdk::trace;
namespace memory = opentelemetry::exporter::memory;

class ToHostInMemory final : public BridgedSpans {
 public:
  ToHostInMemory()
      : ToHostInMemory(std::make_unique<memory::InMemorySpanExporter>(std::size_t{16'384})) {}
  Plugins plugins() const override { return telemetry_.plugins(); }
  void clear() override { data_->GetSpans(); }

 private:
  explicit ToHostInMemory(std::unique_ptr<memory::InMemorySpanExporter> exporter)
      : data_(exporter->GetData()),
        provider_(std::make_unique<trace::SimpleSpanProcessor>(std::move(exporter))) {}

  const std::shared_ptr<memory::InMemorySpanData> data_;
  trace::TracerProvider provider_;
  Telemetry telemetry_{otel::through(provider_)};  // shut down before its host is
};

}  // namespace

std::unique_ptr<BridgedSpans> bridged_spans() { return std::make_unique<ToHostInMemory>(); }

}  // namespace mellea::bench
