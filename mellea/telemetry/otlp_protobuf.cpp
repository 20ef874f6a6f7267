#include "mellea/telemetry/otlp_protobuf.h"

#include <array>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/telemetry/otlp.h"

namespace mellea::telemetry {
namespace {

using protozero::pbf_writer;

void add_text(pbf_writer& message, protozero::pbf_tag_type field, std::string_view text) {
  if (is_utf8(text))
    message.add_string(field, text.data(), text.size());
  else
    message.add_string(field, to_utf8(text));
}

template <std::size_t n>
void add_id(pbf_writer& message, protozero::pbf_tag_type field,
            const std::array<std::uint8_t, n>& id) {
  message.add_bytes(field, reinterpret_cast<const char*>(id.data()), id.size());
}

// Into an AnyValue.
struct AddValue {
  pbf_writer& any;

  void operator()(std::string_view text) const { add_text(any, 1, text); }
  void operator()(bool value) const { any.add_bool(2, value); }
  void operator()(std::int64_t value) const { any.add_int64(3, value); }
  void operator()(double value) const { any.add_double(4, value); }
  void operator()(std::span<const std::string_view> texts) const {
    pbf_writer array(any, 5);
    for (const std::string_view text : texts) {
      pbf_writer element(array, 1);
      add_text(element, 1, text);
    }
  }
};

void add_attribute(pbf_writer& message, protozero::pbf_tag_type field, std::string_view key,
                   const Value& value) {
  pbf_writer pair(message, field);
  add_text(pair, 1, key);
  pbf_writer any(pair, 2);
  std::visit(AddValue{any}, value);
}

void add_event(pbf_writer& span, const SpanEvent& event) {
  pbf_writer message(span, 11);
  message.add_fixed64(1, static_cast<std::uint64_t>(event.at));
  add_text(message, 2, event.name);
  for (const Attribute& attribute : event.attributes)
    add_attribute(message, 3, name_of(attribute.key), attribute.value);
}

void add_link(pbf_writer& span, const TraceRef& link) {
  pbf_writer message(span, 13);
  add_id(message, 1, link.trace);
  add_id(message, 2, link.span);
  message.add_fixed32(6, otlp::link_flags(link));
}

void add_status(pbf_writer& span, const SpanRecord& record) {
  pbf_writer message(span, 15);
  if (!record.description.empty()) add_text(message, 2, record.description);
  message.add_enum(3, otlp::kStatusError);
}

std::string span_bytes(const SpanRecord& record) {
  std::string bytes;
  pbf_writer span(bytes);
  add_id(span, 1, record.ids.trace);
  add_id(span, 2, record.ids.span);
  if (!record.trace_state.empty()) add_text(span, 3, record.trace_state);
  if (otlp::has_parent(record)) add_id(span, 4, record.parent);
  add_text(span, 5, record.name);
  span.add_enum(6, otlp::kind(record));
  span.add_fixed64(7, static_cast<std::uint64_t>(record.began));
  span.add_fixed64(8, static_cast<std::uint64_t>(record.ended));
  for (const Attribute& attribute : record.attributes())
    add_attribute(span, 9, name_of(attribute.key), attribute.value);
  for (const SpanEvent& event : record.events()) add_event(span, event);
  if (record.dropped_events() != 0) span.add_uint32(12, record.dropped_events());
  for (const TraceRef& link : record.links()) add_link(span, link);
  if (record.status == SpanStatus::error) add_status(span, record);
  span.add_fixed32(16, otlp::flags(record));
  return bytes;
}

// A request that grows: a ScopeSpans for each library.
class Request {
 public:
  explicit Request(const Resource& resource) : resource_(&resource) {}

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  void add(std::string_view library, const std::string& span) {
    const std::size_t which = library == otlp::kLibraries[0] ? 0 : 1;
    pbf_writer(spans_[which]).add_message(2, span);
    size_ += span.size() + 8;
  }

  std::string bytes() const {
    std::string bytes;
    pbf_writer request(bytes);
    {
      pbf_writer of_resource(request, 1);
      add_resource(of_resource);
      for (std::size_t which = 0; which < spans_.size(); ++which)
        if (!spans_[which].empty())
          add_library(of_resource, otlp::kLibraries[which], spans_[which]);
    }
    return bytes;
  }

 private:
  void add_resource(pbf_writer& of_resource) const {
    pbf_writer message(of_resource, 1);
    for (const auto& [key, value] : resource_->attributes)
      add_attribute(message, 1, key, std::string_view(value));
  }

  void add_library(pbf_writer& of_resource, std::string_view name, const std::string& spans) const {
    std::string library;
    {
      pbf_writer message(library);
      pbf_writer scope(message, 1);
      add_text(scope, 1, name);
      add_text(scope, 2, resource_->library_version);
    }
    of_resource.add_message(2, library + spans);  // messages joined are one message
  }

  const Resource* resource_;
  std::array<std::string, 2> spans_{};
  std::size_t size_ = 0;
};

}  // namespace

std::vector<std::string> otlp_protobuf(std::span<const SpanPtr> spans, const Resource& resource,
                                       std::size_t most_bytes) {
  std::vector<std::string> requests;
  Request request(resource);
  for (const SpanPtr& span : spans) {
    const std::string bytes = span_bytes(*span);
    if (!request.empty() && request.size() + bytes.size() > most_bytes) {
      requests.push_back(request.bytes());
      request = Request(resource);
    }
    request.add(span->library, bytes);
  }
  if (!request.empty()) requests.push_back(request.bytes());
  return requests;
}

std::int64_t rejected_spans(std::string_view answer) noexcept {
  try {
    protozero::pbf_reader response(answer.data(), answer.size());
    using protozero::pbf_wire_type;
    while (response.next(1, pbf_wire_type::length_delimited)) {
      protozero::pbf_reader partial = response.get_message();
      if (partial.next(1, pbf_wire_type::varint)) return partial.get_int64();
    }
  } catch (const std::exception&) {  // an answer that can't be read says nothing
  }
  return 0;
}

}  // namespace mellea::telemetry
