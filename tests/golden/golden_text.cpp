#include "golden_text.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

namespace mellea::golden {
namespace {

using nlohmann::json;

// What is another in each run.
bool is_time(std::string_view key) {
  static const std::set<std::string_view> times = {"gen_ai.response.time_to_first_chunk",
                                                   "mellea.response.time_to_first_token",
                                                   "thread.id",
                                                   "mellea.tool.execution_time_ms",
                                                   "mellea.generation.time_since_last_chunk_ms",
                                                   "langfuse.observation.completion_start_time"};
  return times.contains(key);
}

bool is_uuid(std::string_view text) {
  return text.size() == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' &&
         text[23] == '-' && text.find_first_not_of("0123456789abcdef-") == text.npos;
}

std::vector<json> lines_of(std::string_view text) {
  std::vector<json> all;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) all.push_back(json::parse(line));
  return all;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string status_of(const json& span) {
  const json& status = span.at("status");
  if (status.value("code", 0) != 2) return {};
  const std::string message = status.value("message", "");
  return message.empty() ? "  ERROR" : "  ERROR " + message;
}

}  // namespace

struct GoldenText::Span {
  json data{};
  std::string library{};
  std::vector<const Span*> inside{};
};

std::string GoldenText::number_of(const std::string& id) {
  if (together_) return "#";
  return numbers_.try_emplace(id, '#' + std::to_string(numbers_.size() + 1)).first->second;
}

namespace {

template <class Number>
std::string value_text(const json& value, const Number& number) {
  if (value.contains("stringValue")) {
    const auto text = value["stringValue"].get<std::string>();
    return is_uuid(text) ? number(text) : json(text).dump();
  }
  if (value.contains("intValue")) return value["intValue"].get<std::string>();
  if (value.contains("doubleValue")) return value["doubleValue"].dump();
  if (value.contains("boolValue")) return value["boolValue"].dump();
  std::string list;
  for (const json& one : value.at("arrayValue").at("values"))
    list.append(list.empty() ? "" : ", ").append(value_text(one, number));
  return '[' + list + ']';
}

template <class Number>
std::vector<std::string> attribute_lines(const json& attributes, const Number& number) {
  std::vector<std::string> lines;
  for (const json& attribute : attributes) {
    const auto key = attribute.at("key").get<std::string>();
    lines.push_back(key + " = " + (is_time(key) ? "…" : value_text(attribute.at("value"), number)));
  }
  return lines;
}

}  // namespace

std::string GoldenText::text_of(const Span& span, const std::string& indent) {
  const auto number = [this](const std::string& id) { return number_of(id); };
  std::string text = indent + span.data.at("name").get<std::string>() + "  (" + span.library +
                     (span.data.at("kind") == 3 ? ", client)" : ")");
  const auto id = span.data.at("spanId").get<std::string>();
  if (linked_.contains(id)) text += ' ' + number_of(id);
  text += status_of(span.data) + '\n';
  const std::string below = indent + "  ";
  for (std::string line : attribute_lines(span.data.at("attributes"), number)) {
    if (together_ && line.starts_with("mellea.sampling.chosen_iteration"))
      line = "mellea.sampling.chosen_iteration = …";  // any of those that are as good
    text += below + line + '\n';
  }
  std::vector<std::string> events;
  for (const json& event : span.data.value("events", json::array())) {
    std::string line = below + "* " + event.at("name").get<std::string>();
    for (const std::string& one : attribute_lines(event.at("attributes"), number))
      line += "; " + one;
    events.push_back(line + '\n');
  }
  if (together_) std::sort(events.begin(), events.end());
  for (const std::string& line : events) text += line;
  for (const json& link : span.data.value("links", json::array()))
    text += below + "-> " + number_of(link.at("spanId").get<std::string>()) + '\n';
  std::vector<std::string> inside;
  for (const Span* one : span.inside) inside.push_back(text_of(*one, below));
  if (together_) std::sort(inside.begin(), inside.end());
  for (const std::string& one : inside) text += one;
  return text;
}

std::string GoldenText::spans(std::string_view otlp_json) {
  numbers_.clear();
  linked_.clear();
  std::vector<std::unique_ptr<Span>> all;
  for (const json& line : lines_of(otlp_json))
    for (const json& of_resource : line.at("resourceSpans"))
      for (const json& of_scope : of_resource.at("scopeSpans"))
        for (const json& span : of_scope.at("spans"))
          all.push_back(std::make_unique<Span>(
              Span{span, of_scope.at("scope").at("name").get<std::string>().substr(7), {}}));
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    const auto began = [](const Span& span) {
      return std::stoll(span.data.at("startTimeUnixNano").template get<std::string>());
    };
    return began(*a) < began(*b);
  });
  for (const auto& span : all)
    names_[span->data.at("spanId").get<std::string>()] = span->data.at("name").get<std::string>();
  for (const auto& span : all)
    for (const json& link : span->data.value("links", json::array()))
      linked_.insert(link.at("spanId").get<std::string>());
  std::map<std::string, Span*> by_id;
  for (const auto& span : all) by_id[span->data.at("spanId").get<std::string>()] = span.get();
  std::vector<const Span*> roots;
  for (const auto& span : all) {
    const auto found = by_id.find(span->data.value("parentSpanId", ""));
    if (found == by_id.end())
      roots.push_back(span.get());
    else
      found->second->inside.push_back(span.get());
  }
  std::string text;
  for (const Span* root : roots) {
    const std::string parent = root->data.value("parentSpanId", "");
    if (!parent.empty()) text += "below " + parent + ":\n";
    text += text_of(*root, "");
  }
  return text;
}

std::string GoldenText::metrics(std::string_view otlp_json) {
  const auto number = [](const std::string& id) { return id; };
  std::vector<std::string> lines;
  for (const json& line : lines_of(otlp_json))
    for (const json& of_resource : line.at("resourceMetrics"))
      for (const json& of_scope : of_resource.at("scopeMetrics"))
        for (const json& metric : of_scope.at("metrics")) {
          const auto name = metric.at("name").get<std::string>();
          if (name.starts_with("mellea.telemetry.")) continue;
          const bool sum = metric.contains("sum");
          const json& points =
              sum ? metric["sum"]["dataPoints"] : metric["histogram"]["dataPoints"];
          for (const json& point : points) {
            std::string labels;
            for (const std::string& label : attribute_lines(point.at("attributes"), number))
              labels.append(labels.empty() ? "" : ", ").append(label);
            std::string count;
            if (sum)
              count = point.contains("asInt") ? point["asInt"].get<std::string>()
                                              : point["asDouble"].dump();
            else
              count = point.at("count").get<std::string>() + " values";
            if (!sum && metric.at("unit") != "s") count += ", in all " + point["sum"].dump();
            lines.push_back(name + " {" + labels + "} " + count);
          }
        }
  if (together_) std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

std::string GoldenText::logs(std::string_view otlp_json) {
  const auto number = [this](const std::string& id) { return number_of(id); };
  std::vector<std::string> lines;
  for (const json& line : lines_of(otlp_json))
    for (const json& of_resource : line.at("resourceLogs"))
      for (const json& of_scope : of_resource.at("scopeLogs"))
        for (const json& record : of_scope.at("logRecords")) {
          std::string text = record.value("severityText", "") + ' ' +
                             record.value("eventName", "") + ": " +
                             record.at("body").at("stringValue").get<std::string>();
          for (const std::string& one : attribute_lines(record.at("attributes"), number))
            text += "; " + one;
          const auto span = names_.find(record.value("spanId", ""));
          lines.push_back(text + "  @ " + (span == names_.end() ? "no span" : span->second));
        }
  if (together_) std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

std::string differences(const std::string& base, const std::string& other) {
  const std::vector<std::string> before = split(base);
  const std::vector<std::string> after = split(other);
  // The longest common subsequence, by its lengths from each place on.
  std::vector<std::vector<int>> common(before.size() + 1, std::vector<int>(after.size() + 1));
  for (std::size_t a = before.size(); a-- > 0;)
    for (std::size_t b = after.size(); b-- > 0;)
      common[a][b] = before[a] == after[b] ? common[a + 1][b + 1] + 1
                                           : std::max(common[a + 1][b], common[a][b + 1]);
  const auto is_span = [](const std::string& line) {
    const auto first = line.find_first_not_of(' ');
    return line.find("  (", first == line.npos ? 0 : first) != line.npos &&
           line.find(" = ") == line.npos;
  };
  std::string text;
  std::string span;  // the last one passed, until it is told
  for (std::size_t a = 0, b = 0; a < before.size() || b < after.size();) {
    if (a < before.size() && b < after.size() && before[a] == after[b]) {
      if (is_span(before[a])) span = before[a];
      ++a, ++b;
      continue;
    }
    if (!span.empty()) text += "  " + std::exchange(span, {}) + '\n';
    if (a < before.size() && (b == after.size() || common[a + 1][b] >= common[a][b + 1]))
      text += "- " + before[a++] + '\n';
    else
      text += "+ " + after[b++] + '\n';
  }
  return text;
}

}  // namespace mellea::golden
