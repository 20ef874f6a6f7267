// Log records as text: for people, and for what reads JSON.
#pragma once

#include <string>
#include <string_view>

#include "mellea/telemetry/config.h"
#include "mellea/telemetry/log_record.h"

namespace mellea::telemetry {

// As the contract calls severities: DEBUG, INFO, WARNING, ERROR, CRITICAL; and TRACE.
std::string_view level_name(Severity severity) noexcept;

// "=== 14:03:07-WARNING ======", local time; then, in a second line, the body, and the ids of the
// span it belongs to. With its end.
std::string log_for_console(const LogRecord& record, bool colour);

// "2026-11-23T14:03:07.120Z - WARNING - body [trace_id=... span_id=...]", in UTC and without its
// end.
std::string log_for_file(const LogRecord& record);

// An object in one line, without its end; first the contract's keys in its order: timestamp (UTC,
// milliseconds), level, message, module, function, line_number, process_id, thread_id, trace_id,
// span_id; then event; then `fields`; then what else the record says, labels last. What is not
// known is left out. What the contract has keys for goes by them: session_id, request_id (our
// generation), model_id, sampling_iteration.
std::string log_as_json(const LogRecord& record, const ResourceAttributes& fields);

}  // namespace mellea::telemetry
