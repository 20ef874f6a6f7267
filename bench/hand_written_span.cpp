#include "hand_written_span.h"

#include <opentelemetry/exporters/memory/in_memory_span_exporter.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/batch_span_processor.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/samplers/always_off.h>
#include <opentelemetry/sdk/trace/samplers/always_on.h>
#include <opentelemetry/sdk/trace/simple_processor.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>

#include <array>
#include <utility>

namespace mellea::bench {
namespace {

namespace trace = opentelemetry::sdk::trace;
namespace memory = opentelemetry::exporter::memory;
namespace otlp = opentelemetry::exporter::otlp;

void write_one(opentelemetry::trace::Tracer& tracer) {
  opentelemetry::trace::StartSpanOptions options;
  options.kind = opentelemetry::trace::SpanKind::kClient;
  const auto span = tracer.StartSpan("chat granite4:micro-with-a-long-name", options);
  span->SetAttribute("gen_ai.operation.name", "chat");
  span->SetAttribute("gen_ai.provider.name", "openai");
  span->SetAttribute("gen_ai.request.model", "granite4:micro-with-a-long-name");
  span->SetAttribute("server.address", "api.openai.com");
  span->SetAttribute("server.port", 443);
  span->SetAttribute("gen_ai.conversation.id", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
  span->SetAttribute("gen_ai.request.temperature", 0.5);
  span->SetAttribute("gen_ai.request.top_p", 0.9);
  span->SetAttribute("gen_ai.request.max_tokens", 64);
  span->SetAttribute("gen_ai.request.seed", 7);
  span->SetAttribute("mellea.action_type", "Instruction");
  span->SetAttribute("mellea.context_size", 0);
  span->SetAttribute("mellea.has_format", false);
  span->SetAttribute("mellea.num_tools", 0);
  span->SetAttribute("gen_ai.response.id", "chatcmpl-0123456789012345678901234567");
  span->SetAttribute("gen_ai.response.model", "granite4:micro");
  const std::array<opentelemetry::nostd::string_view, 1> reasons = {"stop"};
  span->SetAttribute("gen_ai.response.finish_reasons",
                     opentelemetry::nostd::span<const opentelemetry::nostd::string_view>(
                         reasons.data(), reasons.size()));
  span->SetAttribute("gen_ai.usage.input_tokens", 42);
  span->SetAttribute("gen_ai.usage.output_tokens", 18);
  span->SetAttribute("gen_ai.usage.total_tokens", 60);
  span->End();
}

class InMemory final : public HandWrittenSpans {
 public:
  explicit InMemory(std::unique_ptr<trace::Sampler> sampler)
      : InMemory(std::move(sampler),
                 std::make_unique<memory::InMemorySpanExporter>(std::size_t{16'384})) {}
  void one() override { write_one(*tracer_); }
  void clear() override { data_->GetSpans(); }

 private:
  InMemory(std::unique_ptr<trace::Sampler> sampler,
           std::unique_ptr<memory::InMemorySpanExporter> exporter)
      : data_(exporter->GetData()),
        provider_(std::make_unique<trace::SimpleSpanProcessor>(std::move(exporter)),
                  opentelemetry::sdk::resource::Resource::Create({}), std::move(sampler)),
        tracer_(provider_.GetTracer("bench")) {}

  const std::shared_ptr<memory::InMemorySpanData> data_;
  trace::TracerProvider provider_;
  const opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> tracer_;
};

class ToCollector final : public HandWrittenSpans {
 public:
  explicit ToCollector(const std::string& url)
      : provider_(std::make_unique<trace::BatchSpanProcessor>(
            std::make_unique<otlp::OtlpHttpExporter>(exporter_options(url)),
            trace::BatchSpanProcessorOptions())),
        tracer_(provider_.GetTracer("bench")) {}
  void one() override { write_one(*tracer_); }
  void clear() override { provider_.ForceFlush(); }

 private:
  static otlp::OtlpHttpExporterOptions exporter_options(const std::string& url) {
    otlp::OtlpHttpExporterOptions options;
    options.url = url;
    options.content_type = otlp::HttpRequestContentType::kBinary;
    return options;
  }

  trace::TracerProvider provider_;
  const opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> tracer_;
};

}  // namespace

std::unique_ptr<HandWrittenSpans> hand_written_spans_in_memory() {
  return std::make_unique<InMemory>(std::make_unique<trace::AlwaysOnSampler>());
}
std::unique_ptr<HandWrittenSpans> hand_written_spans_sampled_out() {
  return std::make_unique<InMemory>(std::make_unique<trace::AlwaysOffSampler>());
}
std::unique_ptr<HandWrittenSpans> hand_written_spans_to(const std::string& traces_url) {
  return std::make_unique<ToCollector>(traces_url);
}

}  // namespace mellea::bench
