// What a receiver sees: OTLP decoded by protoc with OpenTelemetry's published descriptions.
#pragma once

#include <optional>
#include <string>

namespace mellea::telemetry {

inline constexpr char kNoProtoc[] =
    "protoc (protobuf-compiler) or /usr/include/opentelemetry/proto (opentelemetry-proto) is not "
    "here";

enum class OtlpSignal { trace, metrics, logs };

// An Export...ServiceRequest as text; nothing where it can't be had.
std::optional<std::string> decoded_by_protoc(const std::string& request,
                                             OtlpSignal signal = OtlpSignal::trace);

}  // namespace mellea::telemetry
