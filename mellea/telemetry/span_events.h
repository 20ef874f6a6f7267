// What span events are called.
#pragma once

#include <array>
#include <string_view>

namespace mellea::telemetry::span_event {

inline constexpr std::string_view kChunkProcessed = "chunk_processed";
inline constexpr std::string_view kContextCompacted = "context_compacted";
inline constexpr std::string_view kEvaluation = "gen_ai.evaluation.result";
inline constexpr std::string_view kException = "exception";
inline constexpr std::string_view kIteration = "iteration";
inline constexpr std::string_view kRepair = "repair";
inline constexpr std::string_view kRetry = "retry";
// Of a stream, as its moments are called (name_of(StreamingEvent::What)), and `retry`.
inline constexpr std::string_view kChunk = "chunk";
inline constexpr std::string_view kCompleted = "completed";
inline constexpr std::string_view kError = "error";
inline constexpr std::string_view kFullValidation = "full_validation";
inline constexpr std::string_view kQuickCheck = "quick_check";
inline constexpr std::string_view kStreamingDone = "streaming_done";

inline constexpr std::array kAll = {kChunkProcessed, kContextCompacted,
                                    kEvaluation,     kException,
                                    kIteration,      kRepair,
                                    kRetry,          kChunk,
                                    kCompleted,      kError,
                                    kFullValidation, kQuickCheck,
                                    kStreamingDone};

}  // namespace mellea::telemetry::span_event
