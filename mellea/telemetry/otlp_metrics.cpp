#include "mellea/telemetry/otlp_metrics.h"

#include <algorithm>
#include <span>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/telemetry/hex.h"
#include "mellea/telemetry/otlp.h"
#include "mellea/telemetry/otlp_json_parts.h"
#include "mellea/telemetry/otlp_pbf.h"

namespace mellea::telemetry {
namespace {

using protozero::pbf_writer;
using Json = OtlpJson;
using Points = std::span<const MetricPoint>;

constexpr std::size_t kMostPoints = 1'000;  // in one metric of a request

std::uint64_t unsigned_time(std::int64_t at) { return static_cast<std::uint64_t>(at); }

int temporality(const MetricData& data) { return data.delta ? otlp::kDelta : otlp::kCumulative; }

void add_exemplar(pbf_writer& point, protozero::pbf_tag_type field, const Exemplar& exemplar) {
  pbf_writer message(point, field);
  message.add_fixed64(2, unsigned_time(exemplar.at));
  message.add_double(3, exemplar.value);
  if (!exemplar.trace) return;
  add_id(message, 4, exemplar.trace.span);
  add_id(message, 5, exemplar.trace.trace);
}

void add_number(pbf_writer& metric, const MetricPoint& point, std::int64_t at) {
  pbf_writer message(metric, 1);
  message.add_fixed64(2, unsigned_time(point.since));
  message.add_fixed64(3, unsigned_time(at));
  if (const auto* value = std::get_if<double>(&point.value))
    message.add_double(4, *value);
  else
    message.add_sfixed64(6, std::get<std::int64_t>(point.value));
  for (const Exemplar& exemplar : point.exemplars) add_exemplar(message, 5, exemplar);
  for (const Attribute& label : point.labels)
    add_attribute(message, 7, name_of(label.key), label.value);
}

void add_histogram(pbf_writer& metric, const MetricPoint& point, std::int64_t at,
                   const std::vector<double>& bounds) {
  const auto& value = std::get<HistogramValue>(point.value);
  pbf_writer message(metric, 1);
  message.add_fixed64(2, unsigned_time(point.since));
  message.add_fixed64(3, unsigned_time(at));
  message.add_fixed64(4, value.count());
  message.add_double(5, value.sum);
  message.add_packed_fixed<std::uint64_t>(6, value.counts.begin(), value.counts.end());
  message.add_packed_double(7, bounds.begin(), bounds.end());
  for (const Exemplar& exemplar : point.exemplars) add_exemplar(message, 8, exemplar);
  for (const Attribute& label : point.labels)
    add_attribute(message, 9, name_of(label.key), label.value);
  if (value.least) message.add_double(11, *value.least);
  if (value.most) message.add_double(12, *value.most);
}

std::string metric_bytes(const MetricData& data, Points points, std::int64_t at) {
  const InstrumentDescription& instrument = *data.instrument;
  std::string bytes;
  pbf_writer metric(bytes);
  add_text(metric, 1, instrument.name);
  add_text(metric, 2, instrument.description);
  add_text(metric, 3, instrument.unit);
  switch (instrument.kind) {
    case InstrumentKind::gauge: {
      pbf_writer gauge(metric, 5);
      for (const MetricPoint& point : points) add_number(gauge, point, at);
      break;
    }
    case InstrumentKind::histogram: {
      pbf_writer histogram(metric, 9);
      for (const MetricPoint& point : points)
        add_histogram(histogram, point, at, instrument.bounds);
      histogram.add_enum(2, temporality(data));
      break;
    }
    case InstrumentKind::counter:
    case InstrumentKind::up_down_counter: {
      pbf_writer sum(metric, 7);
      for (const MetricPoint& point : points) add_number(sum, point, at);
      sum.add_enum(2, temporality(data));
      sum.add_bool(3, instrument.kind == InstrumentKind::counter);
      break;
    }
  }
  return bytes;
}

Json exemplars_json(const std::vector<Exemplar>& exemplars) {
  Json list = Json::array();
  for (const Exemplar& exemplar : exemplars) {
    Json one = {{"timeUnixNano", std::to_string(exemplar.at)},
                {"asDouble", number_json(exemplar.value)}};
    if (exemplar.trace) {
      one["spanId"] = hex(exemplar.trace.span);
      one["traceId"] = hex(exemplar.trace.trace);
    }
    list.push_back(std::move(one));
  }
  return list;
}

Json point_json(const MetricPoint& point, std::int64_t at, const std::vector<double>& bounds) {
  Json json = {{"attributes", attributes_json(point.labels)},
               {"startTimeUnixNano", std::to_string(point.since)},
               {"timeUnixNano", std::to_string(at)}};
  if (const auto* value = std::get_if<HistogramValue>(&point.value)) {
    json["count"] = std::to_string(value->count());
    json["sum"] = number_json(value->sum);
    for (const std::uint64_t count : value->counts)
      json["bucketCounts"].push_back(std::to_string(count));
    json["explicitBounds"] = bounds;
    if (value->least) json["min"] = *value->least;
    if (value->most) json["max"] = *value->most;
  } else if (const auto* number = std::get_if<double>(&point.value)) {
    json["asDouble"] = number_json(*number);
  } else {
    json["asInt"] = std::to_string(std::get<std::int64_t>(point.value));
  }
  if (!point.exemplars.empty()) json["exemplars"] = exemplars_json(point.exemplars);
  return json;
}

Json metric_json(const MetricData& data, std::int64_t at) {
  const InstrumentDescription& instrument = *data.instrument;
  Json points = Json::array();
  for (const MetricPoint& point : data.points)
    points.push_back(point_json(point, at, instrument.bounds));
  Json sums = {{"dataPoints", std::move(points)}};
  std::string_view kind = "gauge";
  if (instrument.kind != InstrumentKind::gauge) {
    const bool histogram = instrument.kind == InstrumentKind::histogram;
    kind = histogram ? "histogram" : "sum";
    sums["aggregationTemporality"] = temporality(data);
    if (!histogram) sums["isMonotonic"] = instrument.kind == InstrumentKind::counter;
  }
  return {{"name", to_utf8(instrument.name)},
          {"description", to_utf8(instrument.description)},
          {"unit", to_utf8(instrument.unit)},
          {kind, std::move(sums)}};
}

}  // namespace

std::vector<std::string> otlp_metrics_protobuf(const MetricBatch& batch, const Resource& resource,
                                               std::size_t most_bytes) {
  OtlpRequests requests(resource, most_bytes);
  for (const MetricData& data : batch.metrics)
    for (Points points = data.points; !points.empty();
         points = points.subspan(std::min(kMostPoints, points.size())))
      requests.add(
          data.instrument->scope,
          metric_bytes(data, points.first(std::min(kMostPoints, points.size())), batch.at));
  return requests.take();
}

std::string otlp_metrics_json(const MetricBatch& batch, const Resource& resource) {
  Json scopes = Json::array();
  std::vector<std::string_view> names;
  for (const MetricData& data : batch.metrics) {
    const std::string_view scope = data.instrument->scope;
    auto found = std::find(names.begin(), names.end(), scope);
    if (found == names.end()) {
      found = names.insert(found, scope);
      scopes.push_back({{"scope", scope_json(scope, resource)}, {"metrics", Json::array()}});
    }
    scopes[static_cast<std::size_t>(found - names.begin())]["metrics"].push_back(
        metric_json(data, batch.at));
  }
  Json of_resource = {{"resource", resource_json(resource)}, {"scopeMetrics", std::move(scopes)}};
  const Json request = {{"resourceMetrics", Json::array({std::move(of_resource)})}};
  return request.dump();
}

}  // namespace mellea::telemetry
