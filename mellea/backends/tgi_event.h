// One JSON object of a Text Generation Inference server's own protocol: a token of a stream, or a
// whole answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "mellea/backends/json_reader.h"

namespace mellea {

// What an object says, as views that are good until the next one is read. Empty means not said.
struct TgiEvent {
  struct Token {
    std::string_view text{};
    std::optional<double> logprob{};
    bool special = false;           // the end of a text, say; not of the text itself
    std::string_view top_tokens{};  // a JSON array, not read yet
  };
  // One of the answers that are whole with this object.
  struct Sequence {
    std::string_view text{};  // of a stream too, but for what its tokens said
    std::string_view finish_reason{};
    std::optional<std::int64_t> generated_tokens{};
    std::optional<std::uint64_t> seed{};
    std::optional<std::int64_t> input_length{};  // tokens of the prompt; told by streams
    std::int64_t prefill = 0;       // tokens of the prompt, where they were asked for; else 0
    std::string_view tokens{};      // a JSON array, not read yet
    std::string_view top_tokens{};  // a JSON array of arrays, not read yet
  };

  bool is_error = false;
  bool has_token = false;
  Token token{};                      // if there is one
  bool ends = false;                  // the answer is whole; then there is a sequence
  std::vector<Sequence> sequences{};  // the best one first, if several were asked for

  void clear();
};

class TgiEventReader {
 public:
  // Null if `json` was read into event(); else why not, as a clause.
  const char* read(std::string_view json);
  const TgiEvent& event() const noexcept { return event_; }

 private:
  using Value = JsonReader::Value;
  using Object = JsonReader::Object;

  void take(Object object);
  void token(Object object);
  void details(Object object, TgiEvent::Sequence& sequence);
  void best_of(Value value);

  JsonReader reader_;
  TgiEvent event_;
  TgiEvent::Sequence own_;
};

}  // namespace mellea
