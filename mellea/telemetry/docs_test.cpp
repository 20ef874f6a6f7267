// docs/telemetry.md says what the code does.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "mellea/telemetry/facts.h"
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
    EXPECT_NE(page().find("`" + std::string(row.name) + "`"), std::string::npos) << row.name;
}

TEST(TelemetryDocsTest, NameNoAttributeThatIsNone) {
  const std::string& text = page();
  for (std::size_t at = text.find('`'); at != std::string::npos;) {
    const std::size_t end = text.find('`', at + 1);
    if (end == std::string::npos) break;
    const std::string word = text.substr(at + 1, end - at - 1);
    if ((word.starts_with("gen_ai.") || word.starts_with("mellea.")) &&
        word != "mellea.application" && word != "mellea.backend" &&
        word != span_event::kEvaluation) {
      EXPECT_TRUE(names_a_fact(word)) << word;
    }
    at = text.find('`', end + 1);
  }
}

TEST(TelemetryDocsTest, NameEveryEvent) {
  for (const std::string_view name : span_event::kAll)
    EXPECT_NE(page().find("\n| `" + std::string(name) + "` |"), std::string::npos) << name;
}

// The names of variables in the source, put together where the source does.
TEST(TelemetryDocsTest, NameEveryVariable) {
  const std::string source = file("mellea/telemetry/environment.cpp");
  std::set<std::string> names;
  for (std::size_t at = source.find('"'); at != std::string::npos;) {
    const std::size_t end = source.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", at + 1);
    const std::string word = source.substr(at + 1, end - at - 1);
    if (word.starts_with("MELLEA_") || word.starts_with("OTEL_")) names.insert(word);
    if (source.substr(0, at).ends_with("otlp(")) {
      names.insert("OTEL_EXPORTER_OTLP_" + word);
      names.insert("OTEL_EXPORTER_OTLP_TRACES_" + word);
    }
    at = source.find('"', end);
  }
  EXPECT_GT(names.size(), 20U);
  for (const std::string& name : names) {
    if (name.ends_with("_")) continue;
    EXPECT_NE(page().find("`" + name + "`"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace mellea::telemetry
