#include "table.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace mellea::bench {
namespace {

constexpr std::array<std::size_t, 6> kWidths = {62, 24, 24, 5, 16, 3};

std::string number(double value) {
  if (value == std::round(value) && std::abs(value) < 1e6)
    return std::to_string(std::lround(value));
  const int decimals = std::abs(value) < 10 ? 2 : std::abs(value) < 100 ? 1 : 0;
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

// "34.2 us (33.9 to 35.0)".
std::string shown(const Series& series, std::string_view unit) {
  std::string text = number(series.median());
  if (!unit.empty()) text.append(" ").append(unit);
  if (series.size() > 1)
    text += " (" + number(series.quantile(0)) + " to " + number(series.quantile(1)) + ")";
  return text;
}

std::string shown(const Bar& bar, std::string_view unit) {
  const std::string limit = number(bar.limit);
  const std::string with_unit = unit.empty() ? limit : limit + ' ' + std::string(unit);
  switch (bar.kind) {
    case Bar::Kind::none: return "";
    case Bar::Kind::below: return "< " + with_unit;
    case Bar::Kind::at_most: return "<= " + with_unit;
    case Bar::Kind::ratio_below: return "< " + limit + " of floor";
    case Bar::Kind::ratio_at_most: return "<= " + limit + " of floor";
    case Bar::Kind::above_floor_at_most: return "floor + " + with_unit;
  }
  return "";
}

// "yes", "NO", or nothing where there is no bar or nothing to hold against it.
std::string_view met(const Row& row) {
  const Bar& bar = row.bar;
  double value = row.ours.median();
  switch (bar.kind) {
    case Bar::Kind::none: return "";
    case Bar::Kind::below: return value < bar.limit ? "yes" : "NO";
    case Bar::Kind::at_most: return value <= bar.limit ? "yes" : "NO";
    default: break;
  }
  if (!row.floor) return "?";
  value = bar.kind == Bar::Kind::above_floor_at_most ? (row.ours - *row.floor).median()
                                                     : (row.ours / *row.floor).median();
  const bool holds = bar.kind == Bar::Kind::ratio_below ? value < bar.limit : value <= bar.limit;
  return holds ? "yes" : "NO";
}

void print_line(const std::array<std::string, 6>& cells) {
  std::string line = "|";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line.append(" ").append(cells[i]);
    if (cells[i].size() < kWidths[i]) line.append(kWidths[i] - cells[i].size(), ' ');
    line.append(" |");
  }
  std::puts(line.c_str());
  std::fflush(stdout);
}

}  // namespace

void print_head() {
  print_line({"what", "ours", "floor", "ratio", "bar", "met"});
  print_line({"---", "---", "---", "---", "---", "---"});
}

void print(const Row& row) {
  const std::string floor = row.floor ? shown(*row.floor, row.unit) : std::string(row.no_floor);
  std::string ratio;
  if (row.floor) {
    char text[16];
    std::snprintf(text, sizeof text, "%.2f", (row.ours / *row.floor).median());
    ratio = text;
  }
  print_line({std::string(row.what), shown(row.ours, row.unit), floor, ratio,
              shown(row.bar, row.unit), std::string(met(row))});
}

}  // namespace mellea::bench
