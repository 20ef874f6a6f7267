// W3C Trace Context and Baggage, as HTTP headers carry them: for servers that call a model because
// somebody called them.
//
//   const auto origin = mellea::origin_of({{"traceparent", "00-0af7..."}, {"baggage",
//   "tenant=7"}}); session.chat("hi", {.origin = origin});
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/request.h"
#include "mellea/core/scope.h"

namespace mellea {

// Where the caller of a request is in its own trace; null if its headers say nothing of that. Names
// are taken in any case, and all other headers are left alone. What a header may be repeated for is
// joined. What is malformed is as if it were not there: all of `traceparent` or `tracestate`, one
// member of `baggage`; two of `traceparent` are none, and without one there is no `tracestate`. Of
// what is longer than W3C has everybody carry, members are left out: see below. Throws nothing of
// its own; the headers may be a stranger's.
std::shared_ptr<const Origin> origin_of(const Headers& headers);

// A longer `tracestate` loses its members of more than 128 bytes, then its last ones. One of more
// than 32 members is malformed.
inline constexpr std::size_t kMostTraceState = 512;  // bytes
// Of a longer `baggage` the first members that fit are kept.
inline constexpr std::size_t kMostBaggage = 8192;  // bytes
inline constexpr std::size_t kMostBaggageMembers = 64;

// A member of a `baggage` header. Views of the header.
struct BaggageMember {
  std::string_view key{};
  std::string_view value{};   // as it came: percent-encoded
  std::string_view member{};  // the whole of it, with its properties
};
// In their order; without those that are malformed.
std::vector<BaggageMember> baggage_members(std::string_view header);

// A `baggage` header of those members that have one of the keys; empty if there are none.
std::string baggage_of(std::string_view header, std::span<const std::string> keys);

// The `tracestate` of a request that is part of `trace`: that of `origin` if it is in the same one.
std::string_view tracestate_for(const TraceRef& trace, const Origin& origin) noexcept;

}  // namespace mellea
