// docs/events.md says what the code does; the order of events is compared by
// mellea/runtime/docs_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "mellea/hooks/catalogue.h"

namespace mellea {
namespace {

using Lines = std::vector<std::string>;

std::string file(const std::string& path) {
  std::ifstream in(MELLEA_SOURCE_DIR "/" + path);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

Lines lines_of(const std::string& text) {
  Lines lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// From the line that begins with `begin` to the one before that begins with `end`.
Lines section(const Lines& lines, const std::string& begin, const std::string& end) {
  Lines found;
  for (const std::string& line : lines) {
    if (!found.empty() && line.starts_with(end)) break;
    if (!found.empty() || line.starts_with(begin)) found.push_back(line);
  }
  return found;
}

const Lines& page() {
  static const Lines lines = lines_of(file("docs/events.md"));
  return lines;
}

std::string heading(std::string_view event) { return "### `" + std::string(event) + '`'; }

// The declarations of all events, without their indentation and a leading const.
const Lines& headers() {
  static const Lines lines = [] {
    Lines all;
    for (const char* name : {"event.h", "session_events.h", "tool_events.h", "sampling_events.h",
                             "generation_events.h", "streaming_events.h"})
      for (std::string line : lines_of(file("mellea/hooks/" + std::string(name)))) {
        line.erase(0, line.find_first_not_of(' '));
        if (line.starts_with("const ")) line.erase(0, 6);
        all.push_back(line);
      }
    return all;
  }();
  return lines;
}

// A row of a table: | `field` | `type` | changed by | meaning |
struct Row {
  std::string field;
  std::string type;
  std::string changed;
  std::string meaning;
};

std::vector<Row> rows_of(std::string_view event) {
  std::vector<Row> rows;
  for (const std::string& line : section(page(), heading(event), "#")) {
    if (!line.starts_with("| `")) continue;
    std::istringstream in(line);
    std::string cell;
    std::vector<std::string> cells;
    while (std::getline(in, cell, '|')) {
      std::erase(cell, '`');
      const std::size_t first = cell.find_first_not_of(' ');
      cells.push_back(
          first == cell.npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    }
    if (cells.size() < 5) {
      ADD_FAILURE() << line;
      continue;
    }
    rows.push_back({cells[1], cells[2], cells[3], cells[4]});
  }
  return rows;
}

TEST(EventDocsTest, NameEachEventOnceAndNothingElse) {
  std::size_t count = 0;
  for (const std::string& line : page()) count += line.starts_with("### `") ? 1 : 0;
  EXPECT_EQ(count, event_catalogue().size());
  for (const EventDescription& event : event_catalogue())
    EXPECT_NE(std::count(page().begin(), page().end(), heading(event.name)), 0) << event.name;
}

TEST(EventDocsTest, NameEachFieldAndWhetherItMayBeChanged) {
  for (const EventDescription& event : event_catalogue()) {
    Lines fields;
    Lines changeable;
    for (const Row& row : rows_of(event.name)) {
      fields.push_back(row.field);
      if (!row.changed.empty()) changeable.push_back(row.field);
      EXPECT_FALSE(row.meaning.empty()) << event.name << '.' << row.field;
    }
    EXPECT_EQ(fields, Lines(event.fields.begin(), event.fields.end())) << event.name;
    EXPECT_EQ(changeable, Lines(event.changeable.begin(), event.changeable.end())) << event.name;
  }
}

TEST(EventDocsTest, GiveEachFieldItsTypeInTheHeaders) {
  for (const EventDescription& event : event_catalogue()) {
    const Lines declared = section(
        headers(), "static constexpr std::string_view name = \"" + std::string(event.name), "};");
    for (const Row& row : rows_of(event.name)) {
      const std::string declaration = row.type + ' ' + row.field;
      EXPECT_TRUE(std::any_of(declared.begin(), declared.end(),
                              [&](const std::string& line) {
                                return line.starts_with(declaration) &&
                                       std::string("{ ;").find(line[declaration.size()]) !=
                                           std::string::npos;
                              }))
          << event.name << ": " << declaration;
    }
  }
}

TEST(EventDocsTest, NameTheVerbsThatTakeEachEvent) {
  for (const EventDescription& event : event_catalogue()) {
    std::string verbs;
    for (const std::string_view verb : event.verbs)
      verbs += (verbs.empty() ? "`" : ", `") + std::string(verb) + '`';
    const Lines text = section(page(), heading(event.name), "|");
    EXPECT_TRUE(std::any_of(text.begin(), text.end(),
                            [&](const std::string& line) {
                              return line.ends_with(" " + verbs + '.') || line == verbs + '.';
                            }))
        << event.name << ": " << verbs;
  }
}

}  // namespace
}  // namespace mellea
