// Whatever stands in the headers of a request: what is read of them is well formed, within the
// limits, and read again as the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/trace_context.h"
#include "require.h"

namespace mellea {
namespace {

// Each line is a header's value; its first byte says of which header.
Headers headers_in(std::string_view text) {
  Headers headers;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const char* name = line.front() == 'p' ? "traceparent" : "baggage";
    if (line.front() == 's') name = "TraceState";
    headers.emplace_back(name, line.substr(1));
  }
  return headers;
}

void check(const Origin& origin) {
  require(origin != Origin{}, "an origin says something");
  const TraceRef trace = TraceRef::from_traceparent(origin.traceparent);
  require(origin.traceparent.empty() || trace, "a parent is one");
  require(trace || origin.tracestate.empty(), "a state is of a trace");
  require(origin.tracestate.size() <= kMostTraceState, "a state is not endless");
  require(origin.baggage.size() <= kMostBaggage, "baggage is not endless");
  for (const std::string& text : {origin.traceparent, origin.tracestate, origin.baggage})
    for (const char c : text) require((c >= ' ' && c <= '~') || c == '\t', "a header stays one");
  require(tracestate_for(trace, origin) == origin.tracestate, "a state goes on with its trace");

  const auto members = baggage_members(origin.baggage);
  require(members.size() <= kMostBaggageMembers, "members are not endless");
  std::vector<std::string> keys;
  for (const BaggageMember& member : members) keys.emplace_back(member.key);
  require(baggage_of(origin.baggage, keys) == origin.baggage, "all that may leave does");
  require(baggage_of(origin.baggage, {}).empty(), "and nothing else");

  const auto again = origin_of({{"traceparent", origin.traceparent},
                                {"tracestate", origin.tracestate},
                                {"baggage", origin.baggage}});
  require(again && *again == origin, "what was read is read as the same");
}

}  // namespace
}  // namespace mellea

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto origin = mellea::origin_of(mellea::headers_in(text))) mellea::check(*origin);
  return 0;
}
