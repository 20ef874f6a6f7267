#include "hand_written_span.h"

namespace mellea::bench {

std::unique_ptr<HandWrittenSpans> hand_written_spans_in_memory() { return nullptr; }
std::unique_ptr<HandWrittenSpans> hand_written_spans_sampled_out() { return nullptr; }
std::unique_ptr<HandWrittenSpans> hand_written_spans_to(const std::string&) { return nullptr; }

}  // namespace mellea::bench
