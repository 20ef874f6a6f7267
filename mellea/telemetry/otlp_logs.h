// Log records as OTLP: in protobuf and in JSON.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "mellea/telemetry/log_record.h"
#include "mellea/telemetry/resource.h"

namespace mellea::telemetry {

// As few ExportLogsServiceRequests as can be, each of at most `most_bytes`, unless one record alone
// is larger. What is no UTF-8 in any text is replaced: a receiver would throw away all of it.
std::vector<std::string> otlp_logs_protobuf(std::span<const LogPtr> logs, const Resource& resource,
                                            std::size_t most_bytes);

// One ExportLogsServiceRequest, on one line without its end.
std::string otlp_logs_json(std::span<const LogPtr> logs, const Resource& resource);

}  // namespace mellea::telemetry
