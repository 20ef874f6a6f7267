#include "mellea/telemetry/prometheus_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "mellea/core/text.h"
#include "mellea/telemetry/hex.h"

namespace mellea::telemetry {
namespace {

using Words = std::pair<std::string_view, std::string_view>;

// UCUM's words and Prometheus's.
constexpr auto kUnits = std::to_array<Words>({
    {"d", "days"},
    {"h", "hours"},
    {"min", "minutes"},
    {"s", "seconds"},
    {"ms", "milliseconds"},
    {"us", "microseconds"},
    {"ns", "nanoseconds"},
    {"By", "bytes"},
    {"KiBy", "kibibytes"},
    {"MiBy", "mebibytes"},
    {"GiBy", "gibibytes"},
    {"TiBy", "tibibytes"},
    {"KBy", "kilobytes"},
    {"MBy", "megabytes"},
    {"GBy", "gigabytes"},
    {"TBy", "terabytes"},
    {"m", "meters"},
    {"V", "volts"},
    {"A", "amperes"},
    {"J", "joules"},
    {"W", "watts"},
    {"g", "grams"},
    {"Cel", "celsius"},
    {"Hz", "hertz"},
    {"1", ""},
    {"%", "percent"},
});
constexpr auto kPerUnits = std::to_array<Words>({
    {"s", "second"},
    {"m", "minute"},
    {"h", "hour"},
    {"d", "day"},
    {"w", "week"},
    {"mo", "month"},
    {"y", "year"},
});

template <std::size_t n>
std::string_view translated(const std::array<Words, n>& words, std::string_view word) {
  const auto* found =
      std::find_if(words.begin(), words.end(), [&](const Words& row) { return row.first == word; });
  return found == words.end() ? word : found->second;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The parts that only have letters, digits and colons.
std::vector<std::string> parts_of(std::string_view name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (is_letter(c) || is_digit(c) || c == ':')
      parts.back() += c;
    else if (!parts.back().empty())
      parts.emplace_back();
  }
  if (parts.back().empty()) parts.pop_back();
  return parts;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "" : "_").append(part);
  if (text.empty() || is_digit(text.front())) text.insert(0, "_");
  return text;
}

// "{token}" counts something that the name says already.
std::string without_braces(std::string_view unit) {
  const std::size_t open = unit.find('{');
  const std::size_t close = unit.find('}', std::min(open, unit.size()));
  if (open == std::string_view::npos || close == std::string_view::npos) return std::string(unit);
  return std::string(unit.substr(0, open)) + std::string(unit.substr(close + 1));
}

// Empty: it has none.
std::string unit_of(const InstrumentDescription& instrument) {
  const std::string unit = without_braces(instrument.unit);
  const std::size_t slash = std::min(unit.find('/'), unit.size());
  const std::string_view main = trimmed(std::string_view(unit).substr(0, slash));
  std::vector<std::string> parts = parts_of(translated(kUnits, main));
  if (slash < unit.size()) {
    const std::string_view per = trimmed(std::string_view(unit).substr(slash + 1));
    if (!per.empty()) {
      parts.emplace_back("per");
      for (std::string& part : parts_of(translated(kPerUnits, per)))
        parts.push_back(std::move(part));
    }
  }
  if (parts.empty()) return instrument.kind == InstrumentKind::gauge && unit == "1" ? "ratio" : "";
  return joined(parts);
}

std::string label_name(std::string_view key) {
  std::string name;
  for (const char c : key) name += is_letter(c) || is_digit(c) ? c : '_';
  if (name.empty() || is_digit(name.front())) name.insert(0, "key_");
  return name;
}

std::string escaped(std::string_view text, bool quotes) {
  std::string result;
  for (const char c : to_utf8(text)) {
    if (c == '\\' || (quotes && c == '"')) result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string text_of(const Value& value) {
  struct ToText {
    std::string operator()(std::string_view text) const { return std::string(text); }
    std::string operator()(std::int64_t whole) const { return std::to_string(whole); }
    std::string operator()(double real) const { return number(real); }
    std::string operator()(bool yes) const { return yes ? "true" : "false"; }
    std::string operator()(std::span<const std::string_view> texts) const {
      std::string all;
      for (const std::string_view text : texts) all.append(all.empty() ? "" : ",").append(text);
      return all;
    }
  };
  return std::visit(ToText(), value);
}

// name="value",...: keys that become the same name share it, with their values side by side.
class LabelText {
 public:
  void add(std::string_view key, std::string value) {
    std::string name = label_name(key);
    const auto same = std::find_if(labels_.begin(), labels_.end(),
                                   [&](const auto& label) { return label.first == name; });
    if (same != labels_.end())
      same->second.append(";").append(value);
    else
      labels_.emplace_back(std::move(name), std::move(value));
  }
  void add(std::span<const Attribute> labels) {
    for (const Attribute& label : labels) add(name_of(label.key), text_of(label.value));
  }

  std::string text(std::string_view more = {}) const {
    std::string text;
    for (const auto& [name, value] : labels_) {
      if (!text.empty()) text += ',';
      text.append(name).append("=\"").append(escaped(value, true)).append("\"");
    }
    if (!more.empty()) text.append(text.empty() ? "" : ",").append(more);
    return text.empty() ? text : "{" + text + "}";
  }

 private:
  std::vector<std::pair<std::string, std::string>> labels_;
};

class Writer {
 public:
  Writer(const Resource& resource, PrometheusFormat format)
      : resource_(resource), open_metrics_(format == PrometheusFormat::open_metrics) {}

  std::string write(const MetricBatch& batch) && {
    write_target();
    std::map<std::string, std::vector<const MetricData*>> families;
    for (const MetricData& data : batch.metrics)
      families[prometheus_name(*data.instrument)].push_back(&data);
    for (const MetricData& data : batch.metrics)
      if (const auto family = families.extract(prometheus_name(*data.instrument)))
        write_family(family.key(), family.mapped());
    if (open_metrics_) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  void line(std::string_view first, std::string_view second, std::string_view third) {
    text_.append(first).append(second).append(third).append("\n");
  }

  // Instruments of several scopes may have one name, and then stand together. Two that nothing
  // tells apart would make all of it unreadable: the second is left out.
  void write_family(const std::string& name, const std::vector<const MetricData*>& all) {
    const InstrumentDescription& first = *all.front()->instrument;
    write_head(name, first);
    std::set<std::string> scopes;
    for (const MetricData* data : all) {
      const InstrumentDescription& one = *data->instrument;
      if (one.kind != first.kind || !scopes.insert(one.scope).second) continue;
      for (const MetricPoint& point : data->points) write_point(name, one, point);
    }
  }

  void write_target() {
    LabelText labels;
    for (const auto& [key, value] : resource_.attributes) labels.add(key, value);
    line("# TYPE ", open_metrics_ ? "target info" : "target_info gauge", "");
    line(open_metrics_ ? "# HELP target " : "# HELP target_info ", "Who is measured", "");
    line("target_info", labels.text(), " 1");
  }

  void write_head(const std::string& name, const InstrumentDescription& instrument) {
    const bool counter = instrument.kind == InstrumentKind::counter;
    // OpenMetrics speaks of a counter without its _total.
    const std::string family = counter && !open_metrics_ ? name + "_total" : name;
    std::string_view type = " gauge";
    if (counter) type = " counter";
    if (instrument.kind == InstrumentKind::histogram) type = " histogram";
    line("# TYPE ", family, type);
    const std::string unit = unit_of(instrument);
    if (open_metrics_ && !unit.empty() && name.ends_with("_" + unit))
      line("# UNIT ", family + " ", unit);
    if (!instrument.description.empty())
      line("# HELP ", family + " ", escaped(instrument.description, open_metrics_));
  }

  void write_point(const std::string& name, const InstrumentDescription& instrument,
                   const MetricPoint& point) {
    LabelText labels;
    labels.add(point.labels);
    labels.add("otel.scope.name", instrument.scope);
    if (instrument.scope.starts_with("mellea."))
      labels.add("otel.scope.version", resource_.library_version);
    if (const auto* value = std::get_if<HistogramValue>(&point.value))
      return write_histogram(name, instrument.bounds, *value, labels, point.exemplars);
    const bool counter = instrument.kind == InstrumentKind::counter;
    const auto* whole = std::get_if<std::int64_t>(&point.value);
    const std::string value =
        whole ? std::to_string(*whole) : number(std::get<double>(point.value));
    const Exemplar* last = counter && !point.exemplars.empty() ? &point.exemplars.back() : nullptr;
    line(name + (counter ? "_total" : ""), labels.text() + " ", value + exemplar_text(last));
  }

  void write_histogram(const std::string& name, const std::vector<double>& bounds,
                       const HistogramValue& value, const LabelText& labels,
                       const std::vector<Exemplar>& exemplars) {
    std::uint64_t count = 0;
    for (std::size_t at = 0; at < value.counts.size(); ++at) {
      count += value.counts[at];
      const bool last = at == bounds.size();
      std::string bound = last ? "+Inf" : number(bounds[at]);
      if (open_metrics_ && !last && bound.find_first_of(".e") == std::string::npos) bound += ".0";
      const Exemplar* exemplar = nullptr;
      for (const Exemplar& one : exemplars)
        if ((last || one.value <= bounds[at]) && (at == 0 || one.value > bounds[at - 1]))
          exemplar = &one;
      line(name + "_bucket", labels.text("le=\"" + bound + "\"") + " ",
           std::to_string(count) + exemplar_text(exemplar));
    }
    line(name + "_sum", labels.text() + " ", number(value.sum));
    line(name + "_count", labels.text() + " ", std::to_string(count));
  }

  std::string exemplar_text(const Exemplar* exemplar) const {
    if (!open_metrics_ || !exemplar) return {};
    std::string text = " # {";
    if (exemplar->trace)
      text += "trace_id=\"" + hex(exemplar->trace.trace) + "\",span_id=\"" +
              hex(exemplar->trace.span) + "\"";
    const std::string ms = std::to_string(exemplar->at / 1'000'000 % 1000 + 1000).substr(1);
    return text + "} " + number(exemplar->value) + " " +
           std::to_string(exemplar->at / 1'000'000'000) + "." + ms;
  }

  const Resource& resource_;
  const bool open_metrics_;
  std::string text_;
};

// 1 where the header does not say; 0: not wanted.
double quality_of(std::string_view part) noexcept {
  const std::size_t at = part.find("q=");
  double quality = 1;
  if (at != std::string_view::npos)
    std::from_chars(part.data() + at + 2, part.data() + part.size(), quality);
  return quality;
}

}  // namespace

PrometheusFormat preferred_format(std::string_view accept) noexcept {
  double text = 0;
  double open_metrics = 0;
  while (!accept.empty()) {
    const std::size_t comma = std::min(accept.find(','), accept.size());
    const std::string_view part = trimmed(accept.substr(0, comma));
    accept.remove_prefix(std::min(comma + 1, accept.size()));
    if (part.starts_with("application/openmetrics-text"))
      open_metrics = std::max(open_metrics, quality_of(part));
    else if (part.starts_with("text/plain"))
      text = std::max(text, quality_of(part));
  }
  return open_metrics > 0 && open_metrics >= text ? PrometheusFormat::open_metrics
                                                  : PrometheusFormat::text;
}

std::string_view content_type(PrometheusFormat format) noexcept {
  return format == PrometheusFormat::open_metrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

std::string prometheus_name(const InstrumentDescription& instrument) {
  std::vector<std::string> parts = parts_of(instrument.name);
  const std::string unit = unit_of(instrument);
  for (std::string& part : parts_of(unit))
    if (std::find(parts.begin(), parts.end(), part) == parts.end())
      parts.push_back(std::move(part));
  if (instrument.kind == InstrumentKind::counter) std::erase(parts, "total");
  return joined(parts);
}

std::string prometheus_text(const MetricBatch& batch, const Resource& resource,
                            PrometheusFormat format) {
  return Writer(resource, format).write(batch);
}

}  // namespace mellea::telemetry
