// docs/telemetry.md says what the code does.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "mellea/telemetry/content_logging_plugin.h"
#include "mellea/telemetry/environment.h"
#include "mellea/telemetry/facts.h"
#include "mellea/telemetry/langfuse.h"
#include "mellea/telemetry/log_events.h"
#include "mellea/telemetry/metric_names.h"
#include "mellea/telemetry/openinference.h"
#include "mellea/telemetry/pricing_table.h"
#include "mellea/telemetry/span_events.h"

namespace mellea::telemetry {
namespace {

std::string file(const std::string& path) {
  std::ifstream in(MELLEA_SOURCE_DIR "/" + path);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::string& page() {
  static const std::string text = file("docs/telemetry.md");
  return text;
}

TEST(TelemetryDocsTest, NameEveryAttribute) {
  for (const FactRow& row : fact_table())
    if (!row.name.empty()) {
      EXPECT_NE(page().find("`" + std::string(row.name) + "`"), std::string::npos) << row.name;
    }
}

// A cell of the table of vocabularies: nothing where it is as in `mellea`.
std::string cell(const FactRow& row, Vocabulary vocabulary) {
  const std::string_view name = name_of(row.fact, vocabulary);
  if (name == row.name) return "";
  return name.empty() ? "– " : "`" + std::string(name) + "` ";
}

TEST(TelemetryDocsTest, SayWhatIsCalledOtherwiseInEachVocabulary) {
  for (const FactRow& row : fact_table()) {
    const std::string first = cell(row, Vocabulary::otel_1_41);
    const std::string second = cell(row, Vocabulary::otel_2026_10);
    const std::string third = cell(row, Vocabulary::openinference);
    if (first.empty() && second.empty() && (third.empty() || third == "– ")) continue;
    const std::string name = row.name.empty() ? "–" : "`" + std::string(row.name) + "`";
    const std::string line = "\n| " + name + " | " + first + "| " + second + "| " + third + "|\n";
    EXPECT_NE(page().find(line), std::string::npos) << line;
  }
}

TEST(TelemetryDocsTest, NameWhatIsSaidInTwoVocabulariesAlone) {
  for (const std::span<const std::string_view> names : {openinference_names(), langfuse_names()})
    for (const std::string_view name : names)
      EXPECT_NE(page().find("`" + std::string(name) + "`"), std::string::npos) << name;
}

bool names_a_fact_somewhere(const std::string& word) {
  const auto table = fact_table();
  return std::any_of(table.begin(), table.end(), [&](const FactRow& row) {
    using enum Vocabulary;
    return word == row.name || word == name_of(row.fact, otel_1_41) ||
           word == name_of(row.fact, otel_2026_10);
  });
}

bool names_a_metric(const std::string& word) {
  const auto table = metric_table();
  return std::any_of(table.begin(), table.end(), [&](const MetricRow& row) {
    return row.name == word || row.name_2026_10 == word;
  });
}

bool names_a_log_event(const std::string& word) {
  return std::find(log_event::kAll.begin(), log_event::kAll.end(), word) != log_event::kAll.end();
}

// The contract's, which nothing here would count yet.
bool is_reserved(const std::string& word) { return word.starts_with("mellea.adapter_function."); }

TEST(TelemetryDocsTest, NameNoAttributeOrMetricThatIsNone) {
  const std::string& text = page();
  for (std::size_t at = text.find('`'); at != std::string::npos;) {
    const std::size_t end = text.find('`', at + 1);
    if (end == std::string::npos) break;
    const std::string word = text.substr(at + 1, end - at - 1);
    if ((word.starts_with("gen_ai.") || word.starts_with("mellea.")) &&
        word != "mellea.application" && word != "mellea.backend" && word != "mellea.metrics" &&
        !names_a_log_event(word) && word != kOperationDetails) {
      EXPECT_TRUE(names_a_fact_somewhere(word) || names_a_metric(word) || is_reserved(word))
          << word;
    }
    at = text.find('`', end + 1);
  }
}

// A row of the page for each: its name, unit, kind and labels.
TEST(TelemetryDocsTest, DescribeEveryMetric) {
  for (const MetricRow& row : metric_table()) {
    if (row.name.empty()) continue;
    std::string line = "\n| `" + std::string(row.name) + "` | ";
    switch (row.kind) {
      case InstrumentKind::counter: line += "counter"; break;
      case InstrumentKind::up_down_counter: line += "up-down counter"; break;
      case InstrumentKind::histogram: line += "histogram"; break;
      case InstrumentKind::gauge: line += "gauge"; break;
    }
    line += " | `" + std::string(row.unit) + "` | ";
    for (const Key& label : row.labels)
      line += (label == row.labels.front() ? "`" : ", `") + std::string(name_of(label)) + "`";
    EXPECT_NE(page().find(line + (row.labels.empty() ? "" : " ") + "|"), std::string::npos) << line;
  }
}

TEST(TelemetryDocsTest, NameWhatTheNewestConventionsCallMetrics) {
  for (const MetricRow& row : metric_table())
    EXPECT_TRUE(row.name_2026_10.empty() ||
                page().find("`" + std::string(row.name_2026_10) + "`") != std::string::npos)
        << row.name_2026_10;
}

TEST(TelemetryDocsTest, SayWhenPricesWereReadAndWhere) {
  EXPECT_NE(page().find(price_table_date()), std::string::npos);
  EXPECT_NE(page().find(price_table_release()), std::string::npos);
}

TEST(TelemetryDocsTest, NameEveryEvent) {
  for (const std::string_view name : span_event::kAll)
    EXPECT_NE(page().find("\n| `" + std::string(name) + "` |"), std::string::npos) << name;
}

TEST(TelemetryDocsTest, NameEveryLogRecord) {
  const std::size_t logs = page().find("\n## Logs\n");
  ASSERT_NE(logs, std::string::npos);
  for (const std::string_view name : log_event::kAll)
    EXPECT_NE(page().find("`" + std::string(name) + "`", logs), std::string::npos) << name;
}

// All that the environment is asked for, whatever is in it.
TEST(TelemetryDocsTest, NameEveryVariable) {
  std::set<std::string> names;
  const auto read = [&](const std::string& switched_on) {
    const auto environment = [&](const char* name) -> std::optional<std::string> {
      names.insert(name);
      return name == switched_on ? std::optional<std::string>("otlp,console,prometheus")
                                 : std::nullopt;
    };
    read_environment(environment, {});
    style_of_standard_error(environment);
  };
  read("OTEL_TRACES_EXPORTER");
  read("OTEL_METRICS_EXPORTER");
  read("OTEL_LOGS_EXPORTER");
  EXPECT_GT(names.size(), 40U);
  for (const std::string& name : names) {
    if (!name.starts_with("MELLEA_") && !name.starts_with("OTEL_")) continue;
    EXPECT_NE(page().find("`" + name + "`"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace mellea::telemetry
