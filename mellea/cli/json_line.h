// JSON as the program prints it: one line, members in the order they were put in.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "mellea/core/error.h"
#include "mellea/core/reply.h"
#include "mellea/core/scope.h"

namespace mellea::cli {

using OrderedJson = nlohmann::ordered_json;

// With its newline; what is not UTF-8 is replaced.
inline std::string line_of(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + '\n';
}

inline std::int64_t milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::round<std::chrono::milliseconds>(time).count();
}

// A member that is left out where the text is empty.
void add_text(OrderedJson& object, const char* name, const std::string& text);

// {"input":108,"output":41}: what is not known is left out.
OrderedJson usage_object(const Usage& usage);

// {"code","message","status","provider_code","request_id","retryable"}
OrderedJson error_object(const Error& error);

// Of a span that there is; else empty.
std::string trace_id(const TraceRef& ref);

}  // namespace mellea::cli
