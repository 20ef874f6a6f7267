// What our log records are called.
#pragma once

#include <array>
#include <string_view>

namespace mellea::telemetry::log_event {

inline constexpr std::string_view kBlock = "mellea.plugin.block";
inline constexpr std::string_view kDropped = "mellea.telemetry.dropped";
inline constexpr std::string_view kEvaluation = "gen_ai.evaluation.result";
inline constexpr std::string_view kException = "gen_ai.client.operation.exception";
inline constexpr std::string_view kExportFailed = "mellea.telemetry.export_failed";
inline constexpr std::string_view kOptionIgnored = "mellea.request.option_ignored";
inline constexpr std::string_view kRetry = "mellea.generation.retry";
inline constexpr std::string_view kSlow = "mellea.plugin.slow";
inline constexpr std::string_view kUnknownModel = "mellea.pricing.unknown_model";

inline constexpr std::array kAll = {kBlock,     kDropped,      kEvaluation,
                                    kException, kExportFailed, kOptionIgnored,
                                    kRetry,     kSlow,         kUnknownModel};

}  // namespace mellea::telemetry::log_event
