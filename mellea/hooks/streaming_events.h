// The moments of an answer that is cut into chunks and checked while it comes in.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "mellea/core/chat.h"
#include "mellea/core/requirement.h"
#include "mellea/hooks/generation_events.h"

namespace mellea {

// A stream is about to begin.
struct StreamingStart {
  static constexpr std::string_view name = "streaming_start";
  static constexpr Allows allows{.change = true, .stop = true};
  const Scope scope{};
  const Instant at{};
  const std::string_view chunking{};   // "sentence", ...: static lifetime
  const std::string_view component{};  // class name; static lifetime
  const std::shared_ptr<const std::string> conversation{};
  Requirements requirements{};
  TraceRef trace{};
  Stopped stopped{};
};

// What may happen in between.
struct QuickCheck {  // a chunk was checked, before the reader has it
  std::size_t chunk = 0;
  int attempt = 1;
  bool passed = true;
  std::vector<Checked> checks{};
};
struct StreamedChunk {  // a chunk goes to the reader
  std::size_t index = 0;
  std::string text{};
};
struct StreamingDone {     // the answer is whole
  std::size_t length = 0;  // of the text, in code points; likewise below
};
struct FullValidation {  // and was checked
  bool passed = true;
  std::vector<Checked> checks{};
};
struct StreamRetry {  // a check failed, and the answer is asked for again
  int attempt = 1;    // the one that failed
  std::string reason{};
};
struct StreamFailure {
  std::shared_ptr<const Error> error{};
};
struct StreamCompleted {  // on every path the last
  bool success = false;
  std::size_t length = 0;
};

struct StreamingEvent {
  static constexpr std::string_view name = "streaming_event";
  static constexpr Allows allows{};
  using What = std::variant<QuickCheck, StreamedChunk, StreamingDone, FullValidation, StreamRetry,
                            StreamFailure, StreamCompleted>;
  const Scope scope{};
  const Instant at{};
  const std::shared_ptr<const What> what{};  // never null
};
std::string_view name_of(const StreamingEvent::What& what) noexcept;  // "quick_check", ...

struct StreamingEnd {
  static constexpr std::string_view name = "streaming_end";
  static constexpr Allows allows{};
  const std::shared_ptr<const StreamingStart> opening{};
  const Ending ending{};
  const bool success = false;  // read to its end, and no check failed on the way
  const std::shared_ptr<const std::vector<Checked>> failures{};  // that ended it; null: none did
  const std::size_t length = 0;  // of the text that was given out, in code points
  // How the generation began that was begun last; null: none was.
  const std::shared_ptr<const GenerationPreCall> generation{};
};

}  // namespace mellea
