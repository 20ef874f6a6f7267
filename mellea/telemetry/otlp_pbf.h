// What the protobuf of all signals of OTLP has in common. Only for .cpp files of this layer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/telemetry/resource.h"
#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

// What is no UTF-8 is replaced: a receiver would throw away all of the request.
void add_text(protozero::pbf_writer& message, protozero::pbf_tag_type field, std::string_view text);

template <std::size_t n>
void add_id(protozero::pbf_writer& message, protozero::pbf_tag_type field,
            const std::array<std::uint8_t, n>& id) {
  message.add_bytes(field, reinterpret_cast<const char*>(id.data()), id.size());
}

// Into an AnyValue.
void add_value(protozero::pbf_writer& any, const Value& value);

// A KeyValue.
void add_attribute(protozero::pbf_writer& message, protozero::pbf_tag_type field,
                   std::string_view key, const Value& value);

// Packs spans, metrics or log records into as few Export...ServiceRequests as can be, each of at
// most `most_bytes` unless one item alone is larger. The messages around them have the same numbers
// in all signals.
class OtlpRequests {
 public:
  // `schema_url`: where the names are written down; empty: nowhere.
  OtlpRequests(const Resource& resource, std::size_t most_bytes, std::string_view schema_url = {})
      : resource_(resource), most_bytes_(most_bytes), schema_url_(schema_url) {}

  void add(std::string_view scope, const std::string& item);
  std::vector<std::string> take();

 private:
  void finish();

  const Resource& resource_;
  const std::size_t most_bytes_;
  const std::string_view schema_url_;
  std::vector<std::string> done_;
  std::vector<std::pair<std::string, std::string>> scopes_;  // of the one that grows: their items
  std::size_t size_ = 0;
};

}  // namespace mellea::telemetry
