// Spans made by hand, with ids and times that tests can name.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "mellea/telemetry/span.h"

namespace mellea::telemetry {

inline constexpr std::int64_t kBegan = 1'700'000'000'000'000'000;  // ns since 1970

inline std::array<std::uint8_t, 8> span_id(int number) {
  return {0,
          0,
          0,
          0,
          0,
          0,
          static_cast<std::uint8_t>(number / 256),
          static_cast<std::uint8_t>(number % 256)};
}

struct SpanShape {
  int id = 1;
  int parent = 0;  // 0: none
  std::string_view name = "span";
  int from = 0;  // ms
  int to = 1;
  int trace = 1;
};

inline std::shared_ptr<SpanRecord> make_span(const SpanShape& shape) {
  auto record = std::make_shared<SpanRecord>();
  record->ids.trace[15] = static_cast<std::uint8_t>(shape.trace);
  record->ids.span = span_id(shape.id);
  record->ids.flags = 1;
  record->parent = span_id(shape.parent);
  record->name = record->kept(shape.name);
  record->began = kBegan + std::int64_t{shape.from} * 1'000'000;
  record->ended = kBegan + std::int64_t{shape.to} * 1'000'000;
  record->started = Instant(std::chrono::milliseconds(shape.from));
  return record;
}

inline std::shared_ptr<SpanRecord> make_action(const SpanShape& shape) {
  auto record = make_span(shape);
  record->name = "action";
  record->set(Fact::component_type, shape.name);
  return record;
}

inline std::shared_ptr<SpanRecord> make_chat(const SpanShape& shape, std::int64_t input = -1,
                                             std::int64_t output = -1) {
  auto record = make_span(shape);
  record->library = "mellea.backend";
  record->kind = SpanKind::client;
  record->set(Fact::operation, "chat");
  if (input >= 0) record->set(Fact::input_tokens, input);
  if (output >= 0) record->set(Fact::output_tokens, output);
  return record;
}

}  // namespace mellea::telemetry
