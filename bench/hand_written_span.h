// The floor for tracing: the span of one generation written by hand with opentelemetry-cpp's SDK.
#pragma once

#include <memory>
#include <string>

namespace mellea::bench {

class HandWrittenSpans {
 public:
  virtual ~HandWrittenSpans() = default;
  // Starts a span, sets as many attributes as ours has, and ends it.
  virtual void one() = 0;
  // Forgets what was exported (in memory), or waits until it is (to a collector).
  virtual void clear() = 0;
};

// Null where opentelemetry-cpp was not found.
std::unique_ptr<HandWrittenSpans> hand_written_spans_in_memory();
std::unique_ptr<HandWrittenSpans> hand_written_spans_sampled_out();
std::unique_ptr<HandWrittenSpans> hand_written_spans_to(const std::string& traces_url);

inline constexpr const char* kNoHandWrittenSpans = "no opentelemetry-cpp-dev";

}  // namespace mellea::bench
