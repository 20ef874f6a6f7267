#include "mellea/core/trace_context.h"

#include <algorithm>
#include <utility>

#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::size_t kMostStateMembers = 32;
constexpr std::size_t kLongStateMember = 128;  // bytes

bool is_lower_or_digit(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// Nothing that would end a header.
bool is_printable(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
}

bool is_named(std::string_view header, std::string_view lower_name) noexcept {
  return std::equal(
      header.begin(), header.end(), lower_name.begin(), lower_name.end(), [](char c, char wanted) {
        return (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == wanted;
      });
}

// As a comma would have joined them: HTTP says that is the same.
std::string joined(const Headers& headers, std::string_view name) {
  std::string all;
  for (const auto& [header, value] : headers)
    if (is_named(header, name)) all.append(all.empty() ? "" : ",").append(value);
  return all;
}

std::string joined(const std::vector<std::string_view>& members) {
  std::string all;
  for (const std::string_view member : members) all.append(all.empty() ? "" : ",").append(member);
  return all;
}

// Calls `use` for each member of a list that is not empty, trimmed.
template <class Use>
void for_each_member(std::string_view list, Use use) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (const std::string_view member = trimmed(list.substr(0, end)); !member.empty()) use(member);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

// As level 2 of the recommendation has it, which allows all that level 1 does.
bool is_state_key(std::string_view key) noexcept {
  constexpr std::string_view kMarks = "_-*/@";
  return !key.empty() && key.size() <= 256 && is_lower_or_digit(key.front()) &&
         std::all_of(key.begin(), key.end(),
                     [&](char c) { return is_lower_or_digit(c) || kMarks.find(c) != kMarks.npos; });
}

bool is_state_member(std::string_view member) noexcept {
  const std::size_t equals = member.find('=');
  if (equals == member.npos) return false;
  const std::string_view value = member.substr(equals + 1);
  return is_state_key(member.substr(0, equals)) && !value.empty() && value.size() <= 256 &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

std::size_t length_of(const std::vector<std::string_view>& members) noexcept {
  std::size_t length = members.empty() ? 0 : members.size() - 1;
  for (const std::string_view member : members) length += member.size();
  return length;
}

std::string read_state(const std::string& header) {
  std::vector<std::string_view> members;
  bool good = true;
  for_each_member(header, [&](std::string_view member) {
    good = good && is_state_member(member);
    members.push_back(member);
  });
  if (!good || members.size() > kMostStateMembers) return {};
  // The last of the long ones first: what was changed last stands in front.
  for (std::size_t at = members.size(); at-- > 0 && length_of(members) > kMostTraceState;)
    if (members[at].size() > kLongStateMember)
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(at));
  while (length_of(members) > kMostTraceState) members.pop_back();
  return joined(members);
}

// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) noexcept {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || kMarks.find(c) != kMarks.npos;
  });
}

bool is_baggage_value(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

std::string read_baggage(const std::string& header) {
  std::vector<std::string_view> kept;
  std::size_t length = 0;
  for (const BaggageMember& one : baggage_members(header)) {
    const std::size_t more = one.member.size() + (kept.empty() ? 0 : 1);
    if (kept.size() == kMostBaggageMembers || length + more > kMostBaggage) break;
    kept.push_back(one.member);
    length += more;
  }
  return joined(kept);
}

}  // namespace

std::shared_ptr<const Origin> origin_of(const Headers& headers) {
  Origin origin;
  const std::string parent = joined(headers, "traceparent");
  if (const std::string_view alone = trimmed(parent); TraceRef::from_traceparent(alone))
    origin.traceparent = alone;
  if (!origin.traceparent.empty()) origin.tracestate = read_state(joined(headers, "tracestate"));
  origin.baggage = read_baggage(joined(headers, "baggage"));
  if (origin == Origin{}) return nullptr;
  return std::make_shared<const Origin>(std::move(origin));
}

std::vector<BaggageMember> baggage_members(std::string_view header) {
  std::vector<BaggageMember> members;
  for_each_member(header, [&](std::string_view member) {
    const std::string_view pair = member.substr(0, member.find(';'));
    const std::size_t equals = pair.find('=');
    if (equals == pair.npos) return;
    const std::string_view key = trimmed(pair.substr(0, equals));
    const std::string_view value = trimmed(pair.substr(equals + 1));
    if (is_printable(member) && is_token(key) && is_baggage_value(value))
      members.push_back({.key = key, .value = value, .member = member});
  });
  return members;
}

std::string baggage_of(std::string_view header, std::span<const std::string> keys) {
  std::vector<std::string_view> kept;
  for (const BaggageMember& one : baggage_members(header))
    if (std::find(keys.begin(), keys.end(), one.key) != keys.end()) kept.push_back(one.member);
  return joined(kept);
}

std::string_view tracestate_for(const TraceRef& trace, const Origin& origin) noexcept {
  const TraceRef callers = TraceRef::from_traceparent(origin.traceparent);
  if (!trace || !callers || callers.trace != trace.trace || !is_printable(origin.tracestate))
    return {};
  return origin.tracestate;
}

}  // namespace mellea
