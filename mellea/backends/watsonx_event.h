// One JSON object of watsonx.ai's text generation: a stream's event, or a whole answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "mellea/backends/json_reader.h"

namespace mellea {

// What an object says, as views that are good until the next one is read. Empty means not said.
struct WatsonxEvent {
  std::string_view model{};
  std::string_view system{};  // a JSON object with warnings, not read yet
  bool is_error = false;

  std::size_t results = 0;  // all below is of the last one
  std::string_view text{};
  std::string_view stop_reason{};
  std::string_view tokens{};  // a JSON array with their logprobs, not read yet
  std::optional<std::int64_t> input_token_count{};
  std::optional<std::int64_t> generated_token_count{};
};

// Reads one object after another with the same memory.
class WatsonxEventReader {
 public:
  // Null if `json` was read into event(); else why not, as a clause.
  const char* read(std::string_view json);
  const WatsonxEvent& event() const noexcept { return event_; }

 private:
  using Value = JsonReader::Value;
  using Object = JsonReader::Object;

  void take(Object object);
  void results(Value value);
  void result(Object object);

  JsonReader reader_;
  WatsonxEvent event_;
};

}  // namespace mellea
