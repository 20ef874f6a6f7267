#include "mellea/otel/values.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "mellea/core/text.h"

namespace mellea::otel {
namespace {

using opentelemetry::common::AttributeValue;
namespace nostd = opentelemetry::nostd;

// Text as it is, or a copy that is valid UTF-8.
class Utf8 {
 public:
  explicit Utf8(std::string_view text) : text_(text) {
    if (is_utf8(text)) return;
    copy_ = to_utf8(text);
    text_ = copy_;
  }
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;

  operator nostd::string_view() const noexcept { return to_nostd(text_); }

 private:
  std::string copy_;  // empty if the text is right as it is
  std::string_view text_;
};

// Calls `use` with the value as an AttributeValue, which views what lives only that long.
struct WithValue {
  const nostd::function_ref<bool(AttributeValue)> use;

  bool operator()(std::string_view text) const {
    return use(AttributeValue(nostd::string_view(Utf8(text))));
  }
  bool operator()(std::span<const std::string_view> texts) const {
    std::vector<std::string> copies;
    copies.reserve(texts.size());
    for (const std::string_view text : texts) copies.push_back(to_utf8(text));
    const std::vector<nostd::string_view> views(copies.begin(), copies.end());
    return use(AttributeValue(nostd::span<const nostd::string_view>(views.data(), views.size())));
  }
  template <class Plain>
  bool operator()(Plain value) const {
    return use(AttributeValue(value));
  }
};

template <class T>
inline constexpr bool is_text_list = std::is_same_v<T, nostd::span<const nostd::string_view>>;

}  // namespace

opentelemetry::trace::SpanId to_span_id(const std::array<std::uint8_t, 8>& id) noexcept {
  return opentelemetry::trace::SpanId(nostd::span<const std::uint8_t, 8>(id));
}

opentelemetry::trace::SpanContext to_context(const TraceRef& ids, std::string_view trace_state) {
  using opentelemetry::trace::TraceState;
  return {opentelemetry::trace::TraceId(nostd::span<const std::uint8_t, 16>(ids.trace)),
          to_span_id(ids.span), opentelemetry::trace::TraceFlags(ids.flags), false,
          trace_state.empty() ? TraceState::GetDefault()
                              : TraceState::FromHeader(to_nostd(trace_state))};
}

TraceRef to_ids(const opentelemetry::trace::SpanContext& context) noexcept {
  TraceRef ids;
  context.trace_id().CopyBytesTo(nostd::span<std::uint8_t, 16>(ids.trace));
  context.span_id().CopyBytesTo(nostd::span<std::uint8_t, 8>(ids.span));
  ids.flags = context.trace_flags().flags();
  return ids;
}

template <class Use>
void Attributes::each(Use&& use) const {
  if (span_) view_->each_attribute(*span_, use);
  if (event_) view_->each_attribute(*event_, use);
}

bool Attributes::ForEachKeyValue(Callback callback) const noexcept {
  bool more = true;
  each([&](std::string_view name, const telemetry::Value& value) {
    if (!more) return;
    const Utf8 key(name);
    auto give = [&](AttributeValue held) { return callback(key, held); };
    more = std::visit(WithValue{give}, value);
  });
  return more;
}

std::size_t Attributes::size() const noexcept {
  std::size_t count = 0;
  each([&](std::string_view, const telemetry::Value&) { ++count; });
  return count;
}

bool MetricAttributes::ForEachKeyValue(Callback callback) const noexcept {
  for (const telemetry::Attribute& label : labels_) {
    const Utf8 key(telemetry::name_of(label.key));
    auto give = [&](AttributeValue value) { return callback(key, value); };
    if (!std::visit(WithValue{give}, label.value)) return false;
  }
  return true;
}

bool Links::ForEachKeyValue(Callback callback) const noexcept {
  for (const TraceRef& link : links_)
    if (!callback(to_context(link), Attributes())) return false;
  return true;
}

void add_attribute(telemetry::SpanRecord& span, std::string_view key, const AttributeValue& value) {
  nostd::visit(
      [&](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, bool>) {
          span.set_label(key, held);
        } else if constexpr (std::is_integral_v<Held>) {
          span.set_label(key, static_cast<std::int64_t>(held));
        } else if constexpr (std::is_floating_point_v<Held>) {
          span.set_label(key, double{held});
        } else if constexpr (std::is_same_v<Held, const char*>) {
          span.set_label(key, std::string_view(held));
        } else if constexpr (std::is_same_v<Held, nostd::string_view>) {
          span.set_label(key, to_std(held));
        } else if constexpr (is_text_list<Held>) {
          std::vector<std::string_view> texts;
          for (const nostd::string_view text : held) texts.push_back(to_std(text));
          span.set_label(key, std::span<const std::string_view>(texts));
        }
      },
      value);
}

}  // namespace mellea::otel
