#include "mellea/telemetry/otlp_pbf.h"

#include <algorithm>

#include "mellea/core/text.h"
#include "mellea/telemetry/otlp.h"

namespace mellea::telemetry {
namespace {

using protozero::pbf_writer;

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

}  // namespace

void add_text(pbf_writer& message, protozero::pbf_tag_type field, std::string_view text) {
  if (is_utf8(text))
    message.add_string(field, text.data(), text.size());
  else
    message.add_string(field, to_utf8(text));
}

void add_value(pbf_writer& any, const Value& value) { std::visit(AddValue{any}, value); }

void add_attribute(pbf_writer& message, protozero::pbf_tag_type field, std::string_view key,
                   const Value& value) {
  pbf_writer pair(message, field);
  add_text(pair, 1, key);
  pbf_writer any(pair, 2);
  add_value(any, value);
}

void OtlpRequests::add(std::string_view scope, const std::string& item) {
  if (size_ != 0 && size_ + item.size() > most_bytes_) finish();
  auto found = std::find_if(scopes_.begin(), scopes_.end(),
                            [&](const auto& known) { return known.first == scope; });
  if (found == scopes_.end()) found = scopes_.emplace(scopes_.end(), scope, std::string());
  pbf_writer(found->second).add_message(2, item);
  size_ += item.size() + 8;
}

std::vector<std::string> OtlpRequests::take() {
  if (size_ != 0) finish();
  return std::move(done_);
}

void OtlpRequests::finish() {
  std::string bytes;
  pbf_writer request(bytes);
  {
    pbf_writer of_resource(request, 1);
    {
      pbf_writer message(of_resource, 1);
      for (const auto& [key, value] : resource_.attributes)
        add_attribute(message, 1, key, std::string_view(value));
    }
    for (const auto& [name, items] : scopes_) {
      std::string scope;
      {
        pbf_writer message(scope);
        if (!schema_url_.empty()) add_text(message, 3, schema_url_);
        pbf_writer library(message, 1);
        add_text(library, 1, name);
        if (otlp::is_ours(name)) add_text(library, 2, resource_.library_version);
      }
      of_resource.add_message(2, scope + items);  // messages joined are one message
    }
  }
  done_.push_back(std::move(bytes));
  scopes_.clear();
  size_ = 0;
}

}  // namespace mellea::telemetry
