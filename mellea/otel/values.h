// Our values as opentelemetry-cpp has them. What its classes view has to outlive them.
#pragma once

#include <opentelemetry/common/attribute_value.h>
#include <opentelemetry/common/key_value_iterable.h>
#include <opentelemetry/nostd/string_view.h>
#include <opentelemetry/trace/span_context.h>
#include <opentelemetry/trace/span_context_kv_iterable.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "mellea/core/scope.h"
#include "mellea/telemetry/span.h"
#include "mellea/telemetry/span_view.h"

namespace mellea::otel {

inline opentelemetry::nostd::string_view to_nostd(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
inline std::string_view to_std(opentelemetry::nostd::string_view text) noexcept {
  return {text.data(), text.size()};
}

opentelemetry::trace::SpanId to_span_id(const std::array<std::uint8_t, 8>& id) noexcept;
// Not valid where `ids` is zero.
opentelemetry::trace::SpanContext to_context(const TraceRef& ids,
                                             std::string_view trace_state = {});
TraceRef to_ids(const opentelemetry::trace::SpanContext& context) noexcept;

// Those of a span or an event, as `view` shows them; of nothing, none. Text is made valid UTF-8: a
// receiver throws away the whole batch that one bad byte is in.
class Attributes final : public opentelemetry::common::KeyValueIterable {
 public:
  using Callback = opentelemetry::nostd::function_ref<bool(opentelemetry::nostd::string_view,
                                                           opentelemetry::common::AttributeValue)>;

  Attributes() = default;
  Attributes(const telemetry::SpanRecord& span, const telemetry::SpanView& view)
      : span_(&span), view_(&view) {}
  Attributes(const telemetry::SpanEvent& event, const telemetry::SpanView& view)
      : event_(&event), view_(&view) {}

  bool ForEachKeyValue(Callback callback) const noexcept override;
  std::size_t size() const noexcept override;

 private:
  template <class Use>
  void each(Use&& use) const;

  const telemetry::SpanRecord* span_ = nullptr;
  const telemetry::SpanEvent* event_ = nullptr;
  const telemetry::SpanView* view_ = nullptr;  // null: of nothing
};

// The labels of a metric.
class MetricAttributes final : public opentelemetry::common::KeyValueIterable {
 public:
  using Callback = Attributes::Callback;

  explicit MetricAttributes(std::span<const telemetry::Attribute> labels) : labels_(labels) {}

  bool ForEachKeyValue(Callback callback) const noexcept override;
  std::size_t size() const noexcept override { return labels_.size(); }

 private:
  const std::span<const telemetry::Attribute> labels_;
};

class Links final : public opentelemetry::trace::SpanContextKeyValueIterable {
 public:
  using Callback = opentelemetry::nostd::function_ref<bool(
      opentelemetry::trace::SpanContext, const opentelemetry::common::KeyValueIterable&)>;

  explicit Links(std::span<const TraceRef> links) : links_(links) {}

  bool ForEachKeyValue(Callback callback) const noexcept override;
  std::size_t size() const noexcept override { return links_.size(); }

 private:
  const std::span<const TraceRef> links_;
};

// What a sampler of the host's wants to have said. Left out where we have no such value: lists of
// anything but text.
void add_attribute(telemetry::SpanRecord& span, std::string_view key,
                   const opentelemetry::common::AttributeValue& value);

}  // namespace mellea::otel
