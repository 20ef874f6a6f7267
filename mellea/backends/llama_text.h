// Takes apart what a model writes: answer, thinking, tool calls, up to a text that ends it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/core/reply.h"

namespace mellea {

struct LlamaTextMarks {
  std::vector<std::string> stops{};  // texts that end the answer, and are not part of it
  bool tool_calls = false;           // <tool_call>{"name":…,"arguments":…}</tool_call> is one
  std::string id_stem{};             // ids of calls are this and a number
};

// For one answer. A beginning of <think> goes up to </think> and is no part of the text. Bytes that
// are not UTF-8 are replaced; what is a tool call in its marks only is text.
class LlamaText {
 public:
  explicit LlamaText(LlamaTextMarks marks) : marks_(std::move(marks)) {}

  // The next bytes, however they were cut. Appends to `out`; what may yet become a mark is held
  // back. False once a stop text came: then all is over.
  bool feed(std::string_view bytes, Instant at, int index, std::vector<Chunk>& out);
  // Nothing more comes.
  void end(Instant at, int index, std::vector<Chunk>& out);

  bool stopped() const noexcept { return mode_ == Mode::stopped; }
  int calls() const noexcept { return calls_; }

 private:
  enum class Mode { beginning, thinking, answer, call, stopped };
  struct Mark;

  bool step(Instant at, int index, std::vector<Chunk>& out);
  std::vector<Mark> marks() const;
  void put_text(std::size_t size, Instant at, int index, std::vector<Chunk>& out);
  void put_call(std::size_t size, Instant at, int index, std::vector<Chunk>& out);

  const LlamaTextMarks marks_;
  std::string held_;  // not given out yet
  Mode mode_ = Mode::beginning;
  int calls_ = 0;
  bool trim_ = false;  // white space that comes next is of the form and not of the text
};

}  // namespace mellea
