// A log record as we keep it, and where it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mellea/core/instant.h"
#include "mellea/core/scope.h"
#include "mellea/telemetry/facts.h"

namespace mellea::telemetry {

// As OpenTelemetry numbers them.
enum class Severity : std::uint8_t {
  trace = 1,
  debug = 5,
  info = 9,
  warn = 13,
  error = 17,
  fatal = 21
};
std::string_view to_string(Severity severity) noexcept;  // "DEBUG", "WARN", ...

// JSON text: where the receiver knows structure it is sent as what it says, and not as a string.
struct JsonText {
  std::string text{};
};
using LogValue =
    std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>, JsonText>;

struct LogAttribute {
  std::variant<Fact, std::string> key{};  // a fact, or a label's own key
  LogValue value{};
};
std::string_view name_of(const LogAttribute& attribute) noexcept;

// Where in its source a line of the program's was logged, as far as it is known.
struct SourceLine {
  std::string file{};
  std::string function{};
  int line = 0;
};

// One thing that happened, with all it needs: const once it was given away, so any thread may read
// it.
struct LogRecord {
  std::int64_t at = 0;  // ns since 1970; 0: when it is given to a Logger
  Severity severity = Severity::info;
  std::string_view event{};      // "gen_ai.evaluation.result"; static; empty: a plain line
  std::string body{};            // one sentence of our own; a line of the program's
  std::string logger{"mellea"};  // who says it: the instrumentation scope
  TraceRef span{};               // in which it happened; zero: in none
  std::vector<LogAttribute> attributes{};  // a key is there once
  SourceLine source{};
  std::int64_t thread = 0;  // the system's number of the one that logged; filled in by a Logger
  bool for_people = true;   // false: consoles leave it out

  void set(Fact fact, LogValue value) { attributes.push_back({fact, std::move(value)}); }
  std::size_t bytes() const noexcept;  // about how many it takes
};
using LogPtr = std::shared_ptr<const LogRecord>;

// Any thread may call anything, several at once. Nothing throws: what goes wrong is the exporter's
// to count and to tell.
class LogExporter {
 public:
  virtual ~LogExporter() = default;

  // On the thread that logs, so it should not take long.
  virtual void export_logs(std::span<const LogPtr> logs) noexcept = 0;
  // Returns by `until`; false if that was too early for what came before, or some of it was lost
  // meanwhile.
  virtual bool flush(Instant until) noexcept = 0;
  // The same for the last time; false if anything was ever lost. Then records are ignored.
  virtual bool shutdown(Instant until) noexcept = 0;
  // How many records it lost so far; 0 if it does not count them.
  virtual std::int64_t lost() const noexcept { return 0; }
};

}  // namespace mellea::telemetry
