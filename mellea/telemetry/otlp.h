// The numbers of opentelemetry/proto, for both of its encodings.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mellea/telemetry/span.h"

namespace mellea::telemetry::otlp {

inline constexpr std::array<std::string_view, 2> kLibraries{"mellea.application", "mellea.backend"};
inline constexpr int kStatusError = 2;
inline constexpr int kDelta = 1;
inline constexpr int kCumulative = 2;

// Whether a scope is this library, and not the program's own.
inline bool is_ours(std::string_view scope) noexcept {
  return scope == "mellea" || scope.starts_with("mellea.");
}

inline int kind(const SpanRecord& span) noexcept { return span.kind == SpanKind::client ? 3 : 1; }

inline bool has_parent(const SpanRecord& span) noexcept {
  return span.parent != decltype(span.parent){};
}

// The W3C flags, and above them whether the parent is known to be remote (0x100) and is (0x200).
inline std::uint32_t flags(const SpanRecord& span) noexcept {
  return span.ids.flags | 0x100U | (span.remote_parent ? 0x200U : 0U);
}
inline std::uint32_t link_flags(const TraceRef& link) noexcept { return link.flags | 0x100U; }

}  // namespace mellea::telemetry::otlp
