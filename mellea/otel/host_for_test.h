// A host with opentelemetry-cpp's SDK, whose spans stay in memory.
#pragma once

#include <gtest/gtest.h>
#include <opentelemetry/exporters/memory/in_memory_span_exporter.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/sampler.h>
#include <opentelemetry/sdk/trace/samplers/always_on.h>
#include <opentelemetry/sdk/trace/samplers/parent.h>
#include <opentelemetry/sdk/trace/simple_processor.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/trace/context.h>
#include <opentelemetry/trace/scope.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/core/scope.h"
#include "mellea/otel/values.h"

namespace mellea::otel {

namespace sdk = opentelemetry::sdk::trace;

class HostForTest {
 public:
  using Data = std::unique_ptr<sdk::SpanData>;

  HostForTest() : HostForTest(std::make_unique<sdk::AlwaysOnSampler>()) {}
  explicit HostForTest(std::unique_ptr<sdk::Sampler> sampler)
      : HostForTest(std::make_unique<opentelemetry::exporter::memory::InMemorySpanExporter>(4096),
                    std::move(sampler)) {}

  sdk::TracerProvider& provider() { return *provider_; }
  void destroy_provider() { provider_.reset(); }

  opentelemetry::nostd::shared_ptr<opentelemetry::trace::Span> start(const std::string& name) {
    return provider_->GetTracer("host")->StartSpan(name);
  }

  // What has ended since this was asked last.
  std::vector<Data> take() { return data_->GetSpans(); }

 private:
  HostForTest(std::unique_ptr<opentelemetry::exporter::memory::InMemorySpanExporter> exporter,
              std::unique_ptr<sdk::Sampler> sampler)
      : data_(exporter->GetData()),
        provider_(std::make_unique<sdk::TracerProvider>(
            std::make_unique<sdk::SimpleSpanProcessor>(std::move(exporter)),
            opentelemetry::sdk::resource::Resource::Create({{"service.name", "shop"}}),
            std::move(sampler))) {}

  const std::shared_ptr<opentelemetry::exporter::memory::InMemorySpanData> data_;
  std::unique_ptr<sdk::TracerProvider> provider_;
};

// The one of that name; null and a failure if there is not exactly one.
inline const sdk::SpanData* find(const std::vector<HostForTest::Data>& spans,
                                 std::string_view name) {
  const sdk::SpanData* found = nullptr;
  for (const auto& span : spans) {
    if (to_std(span->GetName()) != name) continue;
    EXPECT_EQ(found, nullptr) << "two spans are called " << name;
    found = span.get();
  }
  EXPECT_NE(found, nullptr) << "no span is called " << name;
  return found;
}

inline TraceRef ids(const sdk::SpanData& span) { return to_ids(span.GetSpanContext()); }

inline TraceRef ids(const opentelemetry::nostd::shared_ptr<opentelemetry::trace::Span>& span) {
  return to_ids(span->GetContext());
}

inline bool is_child(const sdk::SpanData& span, const TraceRef& parent) {
  return ids(span).trace == parent.trace && span.GetParentSpanId() == to_span_id(parent.span);
}

inline TraceRef current_ids() {
  return to_ids(opentelemetry::trace::GetSpan(opentelemetry::context::RuntimeContext::GetCurrent())
                    ->GetContext());
}

}  // namespace mellea::otel
