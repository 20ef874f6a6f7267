#include "mellea/telemetry/environment.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/net/url.h"

namespace mellea::telemetry {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kDefaultEndpoint = "http://localhost:4318/v1/traces";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

// The parts between commas, trimmed, without the empty ones.
std::vector<std::string_view> parts_of(std::string_view list) {
  std::vector<std::string_view> parts;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (const std::string_view part = trimmed(list.substr(0, comma)); !part.empty())
      parts.push_back(part);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return parts;
}

// %41 is A; what is no such escape stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned value = 0;
    const char* digits = text.data() + at + 1;
    if (text[at] == '%' && at + 2 < text.size() &&
        std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      decoded += static_cast<char>(value);
      at += 2;
    } else {
      decoded += text[at];
    }
  }
  return decoded;
}

struct Setting {
  std::string name{};
  std::string value{};
  bool is_set() const { return !value.empty(); }
  std::string text() const { return name + "=" + one_line(value); }
};

class Reader {
 public:
  Reader(const Environment& environment, const TreeText& console)
      : environment_(environment), console_(console) {}

  EnvironmentSettings read() {
    read_switches();
    // Read even if nothing here switches traces on: the program may, with exporters of its own.
    read_service();
    read_sampler();
    read_batches();
    settings_.config.chunk_events = flag(get("MELLEA_GENERATION_CHUNK_EVENTS")).value_or(false);
    if (settings_.traces) {
      read_exporters();
      for (const char* name :
           {"MELLEA_TRACES_CONTENT", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"})
        if (const Setting content = get(name); flag(content).value_or(false))
          no_effect(content, "this version never records prompts and answers");
    }
    return std::move(settings_);
  }

 private:
  Setting get(const std::string& name) const {
    const std::optional<std::string> value = environment_(name.c_str());
    return {name, std::string(trimmed(value.value_or("")))};
  }
  // The variable of traces if it is set, else that of all signals.
  Setting otlp(const std::string& what) const {
    Setting traces = get("OTEL_EXPORTER_OTLP_TRACES_" + what);
    return traces.is_set() ? traces : get("OTEL_EXPORTER_OTLP_" + what);
  }

  void warn(std::string text) { settings_.warnings.push_back(std::move(text)); }
  void no_effect(const Setting& setting, const std::string& why) {
    warn(setting.text() + " has no effect: " + why);
  }

  std::optional<bool> flag(const Setting& setting) {
    const std::string word = lower(setting.value);
    if (word == "true" || word == "1" || word == "yes") return true;
    if (word == "false" || word == "0" || word == "no") return false;
    if (setting.is_set()) no_effect(setting, "it is neither true nor false");
    return std::nullopt;
  }

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

  // Whether traces are on, and which exporters are named.
  void read_switches() {
    const Setting umbrella = get("MELLEA_TRACES_ENABLED");
    const Setting standard = get("OTEL_TRACES_EXPORTER");
    const Setting disabled = get("OTEL_SDK_DISABLED");
    const Setting file = get("MELLEA_TRACES_FILE");
    const std::optional<bool> enabled = flag(umbrella);
    read_standard_exporters(standard);

    std::string off;
    if (flag(disabled).value_or(false))
      off = disabled.text();
    else if (enabled == false)
      off = umbrella.text();
    else if (none_)
      off = standard.text();
    if (!off.empty()) {
      if (enabled == true) no_effect(umbrella, off);
      if (otlp_ || console_wanted_) no_effect(standard, off);
      if (file.is_set()) no_effect(file, off);
    }
    const bool usable = enabled == true && off.empty();
    read_switch(get("MELLEA_TRACES_OTLP"), usable, off, otlp_by_mellea_);
    read_switch(get("MELLEA_TRACES_CONSOLE"), usable, off, console_by_mellea_);
    settings_.traces =
        off.empty() && (enabled == true || otlp_ || console_wanted_ || file.is_set());
    if (settings_.traces && file.is_set())
      settings_.config.exporters.push_back(OtlpFile{file.value});
  }

  void read_standard_exporters(const Setting& standard) {
    for (const std::string_view part : parts_of(standard.value)) {
      if (part == "otlp")
        otlp_ = true;
      else if (part == "console")
        console_wanted_ = true;
      else if (part == "none")
        none_ = true;
      else
        no_effect({standard.name, std::string(part)}, "known are otlp, console and none");
    }
  }

  void read_switch(const Setting& setting, bool usable, const std::string& off, bool& wanted) {
    if (!flag(setting).value_or(false)) return;
    if (usable)
      wanted = true;
    else
      no_effect(setting, off.empty() ? "MELLEA_TRACES_ENABLED is not set" : off);
  }

  void read_exporters() {
    if (otlp_ || otlp_by_mellea_) read_otlp();
    if (console_wanted_ || console_by_mellea_) settings_.config.exporters.push_back(console_);
    if (settings_.config.exporters.empty())
      warn(
          "MELLEA_TRACES_ENABLED=true: spans go nowhere: set MELLEA_TRACES_OTLP, "
          "MELLEA_TRACES_CONSOLE or MELLEA_TRACES_FILE");
  }

  void read_otlp() {
    OtlpHttp exporter;
    if (!read_endpoint(exporter)) return;
    const Setting protocol = otlp("PROTOCOL");
    if (protocol.is_set() && protocol.value != "http/protobuf")
      no_effect(protocol, "this build speaks http/protobuf");
    const Setting compression = otlp("COMPRESSION");
    exporter.gzip = compression.value == "gzip";
    if (compression.is_set() && compression.value != "gzip" && compression.value != "none")
      no_effect(compression, "known are gzip and none");
    if (const auto timeout = positive(otlp("TIMEOUT")))
      exporter.timeout = std::chrono::milliseconds(*timeout);
    const Setting certificate = otlp("CERTIFICATE");
    exporter.ca_file = certificate.value;
    if (certificate.is_set() && ::access(certificate.value.c_str(), R_OK) != 0)
      warn(certificate.text() + ": cannot be read");
    read_headers(otlp("HEADERS"), exporter.headers);
    settings_.config.exporters.push_back(std::move(exporter));
  }

  bool read_endpoint(OtlpHttp& exporter) {
    Setting endpoint = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    exporter.endpoint = endpoint.value;
    if (!endpoint.is_set()) {
      endpoint = get("OTEL_EXPORTER_OTLP_ENDPOINT");
      if (endpoint.is_set()) exporter.endpoint = joined(endpoint.value);
    }
    if (!endpoint.is_set()) {
      exporter.endpoint = kDefaultEndpoint;
      if (!otlp_)
        no_effect(
            {"MELLEA_TRACES_OTLP", "true"},
            "neither OTEL_EXPORTER_OTLP_TRACES_ENDPOINT nor OTEL_EXPORTER_OTLP_ENDPOINT is set");
      return otlp_;
    }
    try {
      const Url url = parse_url(endpoint.value);
      if (url.port == 4317)
        warn(endpoint.name + "=" + url.shown +
             ": 4317 is the gRPC port; this build speaks HTTP: use 4318");
      return true;
    } catch (const Error& error) {
      warn(endpoint.name + ": " + error.what());
      return false;
    }
  }

  // What is no URL is told by who looks at it next.
  static std::string joined(const std::string& base) {
    try {
      return join_url(base, "/v1/traces");
    } catch (const Error&) {
      return base;
    }
  }

  // The values may be keys: a warning shows the name alone.
  void read_headers(const Setting& setting, Headers& headers) {
    for (const std::string_view part : parts_of(setting.value)) {
      const std::size_t equals = part.find('=');
      const std::string_view name = trimmed(part.substr(0, std::min(equals, part.size())));
      if (equals == std::string_view::npos || name.empty()) {
        warn(setting.name + ": a header is left out: it is not name=value");
        continue;
      }
      headers.emplace_back(name, percent_decoded(trimmed(part.substr(equals + 1))));
    }
  }

  void read_service() {
    Config& config = settings_.config;
    const Setting attributes = get("OTEL_RESOURCE_ATTRIBUTES");
    for (const std::string_view part : parts_of(attributes.value)) {
      const std::size_t equals = part.find('=');
      if (equals == std::string_view::npos || equals == 0) {
        no_effect({attributes.name, std::string(part)}, "it is not key=value");
        continue;
      }
      const std::string_view key = trimmed(part.substr(0, equals));
      std::string value = percent_decoded(trimmed(part.substr(equals + 1)));
      if (key == "service.name")
        config.service_name = std::move(value);
      else
        config.resource.emplace_back(key, std::move(value));
    }
    if (const Setting name = get("OTEL_SERVICE_NAME"); name.is_set())
      config.service_name = name.value;
  }

  void read_sampler() {
    const Setting setting = get("OTEL_TRACES_SAMPLER");
    const Setting argument = get("OTEL_TRACES_SAMPLER_ARG");
    Sampler& sampler = settings_.config.sampler;
    std::string_view name = setting.value;
    const bool follow = name.empty() || name.starts_with("parentbased_");
    if (name.starts_with("parentbased_")) name.remove_prefix(12);
    if (name == "traceidratio")
      sampler.ratio = number<double>(argument, 0, 1, "a number from 0 to 1").value_or(1.0);
    else if (argument.is_set())
      no_effect(argument, "OTEL_TRACES_SAMPLER is not traceidratio or parentbased_traceidratio");
    if (name == "always_off") sampler.ratio = 0;
    if (name.empty() || name == "always_on" || name == "always_off" || name == "traceidratio")
      sampler.follow_parent = follow;
    else
      no_effect(setting,
                "known are always_on, always_off and traceidratio, each also with parentbased_");
  }

  void read_batches() {
    BatchOptions& batch = settings_.config.batch;
    if (const auto delay = positive(get("OTEL_BSP_SCHEDULE_DELAY")))
      batch.delay = std::chrono::milliseconds(*delay);
    if (const auto queue = positive(get("OTEL_BSP_MAX_QUEUE_SIZE")))
      batch.queue = static_cast<std::size_t>(*queue);
    if (const auto most = positive(get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")))
      batch.batch = static_cast<std::size_t>(*most);
  }

  const Environment& environment_;
  const TreeText& console_;
  EnvironmentSettings settings_;
  bool otlp_ = false;  // by OTEL_TRACES_EXPORTER, as the next two
  bool console_wanted_ = false;
  bool none_ = false;
  bool otlp_by_mellea_ = false;  // by MELLEA_TRACES_*
  bool console_by_mellea_ = false;
};

}  // namespace

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::optional<std::string>(value) : std::nullopt;
}

EnvironmentSettings read_environment(const Environment& environment, const TreeText& console) {
  return Reader(environment, console).read();
}

TreeStyle style_of_standard_error(const Environment& environment) {
  const auto value = [&](const char* name) { return environment(name).value_or(""); };
  std::string locale;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (locale.empty()) locale = lower(value(name));
  const bool utf8 =
      locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  TreeStyle style{.utf8 = utf8};
  if (::isatty(STDERR_FILENO) == 0) return style;
  style.colour = value("NO_COLOR").empty();
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
    style.width = std::min<int>(size.ws_col, 160);
  return style;
}

}  // namespace mellea::telemetry
