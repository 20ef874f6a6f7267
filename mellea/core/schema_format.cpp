#include "mellea/core/schema_format.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

namespace mellea {
namespace {

bool matches(std::string_view text, const RE2& pattern) {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

// The number that two digits make.
int two(std::string_view text, std::size_t at) {
  return (text[at] - '0') * 10 + text[at + 1] - '0';
}

bool is_date(std::string_view text) {
  static const RE2 pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}");
  if (!matches(text, pattern)) return false;
  using namespace std::chrono;
  return year_month_day(year(two(text, 0) * 100 + two(text, 2)),
                        month(static_cast<unsigned>(two(text, 5))),
                        day(static_cast<unsigned>(two(text, 8))))
      .ok();
}

// RFC 3339's full-time. A leap second is one at the end of a day of UTC.
bool is_time(std::string_view text) {
  static const RE2 pattern(
      R"(([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?([zZ]|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))");
  if (!matches(text, pattern)) return false;
  if (two(text, 6) < 60) return true;
  int minutes = two(text, 0) * 60 + two(text, 3);
  if (const auto sign = text.find_first_of("+-"); sign != text.npos) {
    const int offset = two(text, sign + 1) * 60 + two(text, sign + 4);
    minutes += text[sign] == '+' ? -offset : offset;
  }
  constexpr int kDay = 24 * 60;
  return (minutes + kDay) % kDay == kDay - 1;
}

bool is_date_time(std::string_view text) {
  return text.size() > 11 && (text[10] == 'T' || text[10] == 't') && is_date(text.substr(0, 10)) &&
         is_time(text.substr(11));
}

// ISO 8601, as RFC 3339's appendix A has it.
bool is_duration(std::string_view text) {
  static const RE2 pattern(
      "P([0-9]+W|([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)?"
      "(T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S))?)");
  return text.size() > 1 && matches(text, pattern);
}

bool is_hostname(std::string_view text) {
  static const RE2 pattern(
      "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)"
      "*");
  return text.size() <= 253 && matches(text, pattern);
}

bool is_ipv4(std::string_view text) {
  static const RE2 pattern(
      R"(((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9]))");
  return matches(text, pattern);
}

// Eight groups, of which "::" stands for one or more; the last two may be written as IPv4.
bool is_ipv6(std::string_view text) {
  int groups = 0;
  bool gap = false;
  if (text.starts_with("::")) {
    gap = true;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    const auto end = std::min(text.find(':'), text.size());
    const std::string_view group = text.substr(0, end);
    if (group.find('.') != group.npos) {
      if (end != text.size() || !is_ipv4(group)) return false;
      groups += 2;
      break;
    }
    const bool hex = !group.empty() && group.size() <= 4 &&
                     group.find_first_not_of("0123456789abcdefABCDEF") == group.npos;
    if (!hex) return false;
    ++groups;
    text.remove_prefix(end);
    if (text.empty()) break;
    if (text.starts_with("::")) {
      if (std::exchange(gap, true)) return false;
      text.remove_prefix(2);
    } else {
      text.remove_prefix(1);
      if (text.empty()) return false;
    }
  }
  return gap ? groups < 8 : groups == 8;
}

bool is_email(std::string_view text) {
  static const RE2 pattern("[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+|\"([^\"\\\\]|\\\\.)+\"");
  const auto at = text.rfind('@');
  if (at == text.npos || at > 64) return false;
  const std::string_view user = text.substr(0, at);
  std::string_view host = text.substr(at + 1);
  if (!matches(user, pattern)) return false;
  const bool dots = user.front() != '"' &&
                    (user.front() == '.' || user.back() == '.' || user.find("..") != user.npos);
  if (dots) return false;
  if (!host.starts_with('[') || !host.ends_with(']')) return is_hostname(host);
  host = host.substr(1, host.size() - 2);
  constexpr std::string_view kSix = "IPv6:";
  return host.starts_with(kSix) ? is_ipv6(host.substr(kSix.size())) : is_ipv4(host);
}

bool is_uuid(std::string_view text) {
  static const RE2 pattern("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");
  return matches(text, pattern);
}

// RFC 3986's grammar, as far as the characters of each part go.
bool is_uri(std::string_view text) {
  static const RE2 pattern(
      R"re([a-zA-Z][a-zA-Z0-9+.-]*:(//(([a-zA-Z0-9._~!$&'()*+,;=:-]|%[0-9a-fA-F]{2})*@)?)re"
      R"re((\[[0-9a-fA-F:.]+\]|([a-zA-Z0-9._~!$&'()*+,;=-]|%[0-9a-fA-F]{2})*)(:[0-9]*)?(/([a-zA-Z0-9._~!$&'()*+,;=:@/-]|%[0-9a-fA-F]{2})*)?)re"
      R"re(|(/?([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})([a-zA-Z0-9._~!$&'()*+,;=:@/-]|%[0-9a-fA-F]{2})*)?|/))re"
      R"re((\?([a-zA-Z0-9._~!$&'()*+,;=:@/?-]|%[0-9a-fA-F]{2})*)?(#([a-zA-Z0-9._~!$&'()*+,;=:@/?-]|%[0-9a-fA-F]{2})*)?)re");
  return matches(text, pattern);
}

struct NamedFormat {
  std::string_view name;
  FormatCheck check;
};
constexpr std::array<NamedFormat, 10> kFormats = {{{"date-time", is_date_time},
                                                   {"date", is_date},
                                                   {"time", is_time},
                                                   {"duration", is_duration},
                                                   {"email", is_email},
                                                   {"hostname", is_hostname},
                                                   {"ipv4", is_ipv4},
                                                   {"ipv6", is_ipv6},
                                                   {"uuid", is_uuid},
                                                   {"uri", is_uri}}};

}  // namespace

FormatCheck find_format(std::string_view name) noexcept {
  for (const NamedFormat& format : kFormats)
    if (format.name == name) return format.check;
  return nullptr;
}

}  // namespace mellea
