#include "mellea/telemetry/environment_variables.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"
#include "mellea/net/url.h"

namespace mellea::telemetry {
namespace {

// "otlp, console and none".
std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + (word == words.back() ? "" : ", ");
  return text + " and none";
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

// What is no URL is told by who looks at it next.
std::string joined(const std::string& base, const std::string& path) {
  try {
    return join_url(base, path);
  } catch (const Error&) {
    return base;
  }
}

}  // namespace

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

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

std::string Setting::text() const { return secret ? name : name + "=" + one_line(value); }

Setting Variables::get(const std::string& name) const {
  const std::optional<std::string> value = environment_(name.c_str());
  return {name, std::string(trimmed(value.value_or("")))};
}

void Variables::warn(std::string text) {
  if (std::find(warnings_.begin(), warnings_.end(), text) == warnings_.end())
    warnings_.push_back(std::move(text));
}

void Variables::no_effect(const Setting& setting, const std::string& why) {
  warn(setting.text() + " has no effect: " + why);
}

std::optional<bool> Variables::flag(const Setting& setting) {
  const std::string word = lower(setting.value);
  if (word == "true" || word == "1" || word == "yes") return true;
  if (word == "false" || word == "0" || word == "no") return false;
  if (setting.is_set()) no_effect(setting, "it is neither true nor false");
  return std::nullopt;
}

SignalVariables::SignalVariables(Variables& variables, SignalRules rules)
    : variables_(variables), rules_(std::move(rules)) {
  const Setting umbrella = variables_.get(mellea("ENABLED"));
  const Setting standard = variables_.get("OTEL_" + rules_.signal + "_EXPORTER");
  const Setting disabled = variables_.get("OTEL_SDK_DISABLED");
  for (const SignalRules::Place& place : rules_.places) {
    places_.push_back(variables_.get(mellea(place.name)));
    places_.back().secret = place.secret;
  }
  const std::optional<bool> enabled = variables_.flag(umbrella);
  read_standard(standard);

  std::string off;
  if (variables_.flag(disabled).value_or(false))
    off = disabled.text();
  else if (enabled == false)
    off = umbrella.text();
  else if (none_)
    off = standard.text();
  enabled_ = enabled == true && off.empty();
  if (!off.empty()) {
    if (enabled == true) variables_.no_effect(umbrella, off);
    if (!by_standard_.empty()) variables_.no_effect(standard, off);
    for (const Setting& place : places_)
      if (place.is_set()) variables_.no_effect(place, off);
  }
  std::string by_flag;
  for (const std::string& exporter : rules_.known) {
    const Setting setting = variables_.get(mellea(upper(exporter)));
    if (!variables_.flag(setting).value_or(false)) continue;
    if (off.empty() && (enabled_ || !rules_.needs_enabled)) {
      by_mellea_.insert(exporter);
      by_flag = setting.text();
    } else {
      variables_.no_effect(setting, off.empty() ? umbrella.name + " is not set" : off);
    }
  }
  const auto named = std::find_if(places_.begin(), places_.end(),
                                  [](const Setting& place) { return place.is_set(); });
  on_ = off.empty() &&
        (enabled_ || !by_standard_.empty() || !by_mellea_.empty() || named != places_.end());
  if (enabled_)
    by_ = umbrella.text();
  else if (!by_standard_.empty())
    by_ = standard.text();
  else
    by_ = named == places_.end() ? by_flag : named->text();
}

const std::string& SignalVariables::place(std::string_view what) const noexcept {
  const auto found = std::find_if(rules_.places.begin(), rules_.places.end(),
                                  [&](const SignalRules::Place& one) { return one.name == what; });
  return places_[static_cast<std::size_t>(found - rules_.places.begin())].value;
}

void SignalVariables::read_standard(const Setting& standard) {
  for (const std::string_view part : parts_of(standard.value)) {
    if (part == "none")
      none_ = true;
    else if (std::find(rules_.known.begin(), rules_.known.end(), part) != rules_.known.end())
      by_standard_.emplace(part);
    else
      variables_.no_effect({standard.name, std::string(part)}, "known are " + listed(rules_.known));
  }
}

// The variable of the signal if it is set, else that of all of them.
Setting SignalVariables::otlp(const std::string& what) const {
  Setting own = variables_.get("OTEL_EXPORTER_OTLP_" + rules_.signal + "_" + what);
  return own.is_set() ? own : variables_.get("OTEL_EXPORTER_OTLP_" + what);
}

std::optional<OtlpHttp> SignalVariables::otlp_http() {
  OtlpHttp exporter;
  if (!read_endpoint(exporter)) return std::nullopt;
  const Setting protocol = otlp("PROTOCOL");
  if (protocol.is_set() && protocol.value != "http/protobuf")
    variables_.no_effect(protocol, "this build speaks http/protobuf");
  const Setting compression = otlp("COMPRESSION");
  exporter.gzip = compression.value == "gzip";
  if (compression.is_set() && compression.value != "gzip" && compression.value != "none")
    variables_.no_effect(compression, "known are gzip and none");
  if (const auto timeout = variables_.positive(otlp("TIMEOUT")))
    exporter.timeout = std::chrono::milliseconds(*timeout);
  const Setting certificate = otlp("CERTIFICATE");
  exporter.ca_file = certificate.value;
  if (certificate.is_set() && ::access(certificate.value.c_str(), R_OK) != 0)
    variables_.warn(certificate.text() + ": cannot be read");
  for (const char* what : {"CLIENT_KEY", "CLIENT_CERTIFICATE"})
    if (const Setting unknown = otlp(what); unknown.is_set())
      variables_.no_effect(unknown, "this version shows collectors no certificate of its own");
  read_headers(otlp("HEADERS"), exporter.headers);
  return exporter;
}

bool SignalVariables::read_endpoint(OtlpHttp& exporter) {
  const std::string path = "/v1/" + lower(rules_.signal);
  const Setting own = variables_.get("OTEL_EXPORTER_OTLP_" + rules_.signal + "_ENDPOINT");
  const Setting all = variables_.get("OTEL_EXPORTER_OTLP_ENDPOINT");
  if (!own.is_set() && !all.is_set()) {
    exporter.endpoint = "http://localhost:4318" + path;
    if (by_standard_.contains("otlp")) return true;
    variables_.no_effect({mellea("OTLP"), "true"},
                         "neither " + own.name + " nor " + all.name + " is set");
    return false;
  }
  const Setting& endpoint = own.is_set() ? own : all;
  exporter.endpoint = own.is_set() ? own.value : joined(all.value, path);
  try {
    const Url url = parse_url(endpoint.value);
    if (url.port == 4317)
      variables_.warn(endpoint.name + "=" + url.shown +
                      ": 4317 is the gRPC port; this build speaks HTTP: use 4318");
    return true;
  } catch (const Error& error) {
    variables_.warn(endpoint.name + ": " + error.what());
    return false;
  }
}

// The values may be keys: a warning shows the name alone.
void SignalVariables::read_headers(const Setting& setting, Headers& headers) {
  for (const std::string_view part : parts_of(setting.value)) {
    const std::size_t equals = part.find('=');
    const std::string_view name = trimmed(part.substr(0, std::min(equals, part.size())));
    if (equals == std::string_view::npos || name.empty()) {
      variables_.warn(setting.name + ": a header is left out: it is not name=value");
      continue;
    }
    headers.emplace_back(name, percent_decoded(trimmed(part.substr(equals + 1))));
  }
}

}  // namespace mellea::telemetry
