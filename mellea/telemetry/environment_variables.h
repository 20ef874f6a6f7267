// Reads variables, and says what is wrong with them.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "mellea/telemetry/config.h"
#include "mellea/telemetry/environment.h"

namespace mellea::telemetry {

struct Setting {
  std::string name{};
  std::string value{};  // trimmed
  bool secret = false;  // not to be shown
  bool is_set() const { return !value.empty(); }
  std::string text() const;  // for warnings
};

// The parts between commas, trimmed, without the empty ones.
std::vector<std::string_view> parts_of(std::string_view list);
// %41 is A; what is no such escape stays as it is.
std::string percent_decoded(std::string_view text);
std::string lower(std::string_view text);

// Each warning is kept once.
class Variables {
 public:
  explicit Variables(const Environment& environment) : environment_(environment) {}

  Setting get(const std::string& name) const;
  void warn(std::string text);
  void no_effect(const Setting& setting, const std::string& why);
  std::vector<std::string> take_warnings() { return std::move(warnings_); }

  std::optional<bool> flag(const Setting& setting);
  template <class Number>
  std::optional<Number> number(const Setting& setting, Number least, Number most,
                               const std::string& expected) {
    if (!setting.is_set()) return std::nullopt;
    Number value{};
    const char* end = setting.value.data() + setting.value.size();
    const auto [read_to, error] = std::from_chars(setting.value.data(), end, value);
    if (error == std::errc() && read_to == end && value >= least && value <= most) return value;
    no_effect(setting, "it is not " + expected);
    return std::nullopt;
  }
  std::optional<std::int64_t> positive(const Setting& setting) {
    return number<std::int64_t>(setting, 1, 1'000'000'000, "a number above 0");
  }

 private:
  const Environment& environment_;
  std::vector<std::string> warnings_;
};

// What one signal's variables are called, and what they mean.
struct SignalRules {
  std::string signal{};              // "TRACES"
  std::vector<std::string> known{};  // what exporters may be called, in lower case
  // MELLEA_<SIGNAL>_<PLACE> names where it goes to, and alone switches it on.
  struct Place {
    std::string name{};
    bool secret = false;  // what it names may be a key
  };
  std::vector<Place> places{{"FILE"}};
  bool needs_enabled = true;  // else MELLEA_<SIGNAL>_OTLP=true alone switches it on, too
};

// What switches one signal on and off, and which exporters are named. They are named by
// OTEL_<SIGNAL>_EXPORTER=otlp, which alone switches it on, and by MELLEA_<SIGNAL>_OTLP=true, beside
// MELLEA_<SIGNAL>_ENABLED=true.
class SignalVariables {
 public:
  SignalVariables(Variables& variables, SignalRules rules);

  bool is_on() const noexcept { return on_; }
  bool is_enabled() const noexcept { return enabled_; }               // by MELLEA_<SIGNAL>_ENABLED
  const std::string& switched_on_by() const noexcept { return by_; }  // the variable, for warnings
  bool wants(const std::string& exporter) const {
    return by_standard_.contains(exporter) || by_mellea_.contains(exporter);
  }
  const std::string& file() const noexcept { return place("FILE"); }  // empty: none
  const std::string& place(std::string_view what) const noexcept;     // one of the rules'

  // As OTEL_EXPORTER_OTLP_* say. Nothing if no endpoint is named, or it is none: a warning.
  std::optional<OtlpHttp> otlp_http();

 private:
  void read_standard(const Setting& standard);
  Setting otlp(const std::string& what) const;
  bool read_endpoint(OtlpHttp& exporter);
  void read_headers(const Setting& setting, Headers& headers);
  std::string mellea(const std::string& what) const {
    return "MELLEA_" + rules_.signal + "_" + what;
  }

  Variables& variables_;
  const SignalRules rules_;
  std::set<std::string> by_standard_;
  std::set<std::string> by_mellea_;
  std::vector<Setting> places_;  // in the order of the rules
  bool none_ = false;
  bool enabled_ = false;
  bool on_ = false;
  std::string by_;
};

}  // namespace mellea::telemetry
