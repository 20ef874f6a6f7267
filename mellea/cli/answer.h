// How an answer is shown: as text, or as lines of JSON.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "mellea/cli/console.h"
#include "mellea/core/error.h"
#include "mellea/runtime/result.h"

namespace mellea::cli {

// Shows one answer after the other on a Console. For each: any number of pieces, if it streams,
// then one of the other two.
class AnswerView {
 public:
  virtual ~AnswerView() = default;
  virtual void piece(std::string_view text) = 0;
  virtual void complete(const Result& result) = 0;
  // What has arrived is kept; the caller says why it ended.
  virtual void failed(const Error& error) = 0;
};

std::unique_ptr<AnswerView> make_text_view(Console& console);
std::unique_ptr<AnswerView> make_json_view(Console& console, std::string model);

// The objects of --json, one line each. `model`: as asked for, where the answer names none.
std::string json_of(const Result& result, const std::string& model);
std::string json_of(const Error& error);
std::string json_of_chunk(std::string_view text);

}  // namespace mellea::cli
