// What telemetry wrote, as text that people can read and compare.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace mellea::golden {

// What files of OTLP JSON have in them, a line each. Times and lengths of time are left out, ids
// are numbered as they come.
class GoldenText {
 public:
  // `together`: what stands beside each other began at the same time, in any order.
  explicit GoldenText(bool together) : together_(together) {}

  // A tree: a span, what it says, its events and links, and those inside it.
  std::string spans(std::string_view otlp_json);
  // A line for each of ours, without the health of telemetry itself.
  std::string metrics(std::string_view otlp_json);
  // A line for each record, with the span it is in if that was shown before.
  std::string logs(std::string_view otlp_json);

 private:
  struct Span;
  std::string text_of(const Span& span, const std::string& indent);
  std::string number_of(const std::string& id);

  const bool together_;
  std::map<std::string, std::string> numbers_;  // of ids
  std::set<std::string> linked_;                // spans that others point to
  std::map<std::string, std::string> names_;    // of spans
};

// What `other` has instead of some lines of `base`, under the span it is about.
std::string differences(const std::string& base, const std::string& other);

}  // namespace mellea::golden
