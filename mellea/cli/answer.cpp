#include "mellea/cli/answer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/cli/json_line.h"

namespace mellea::cli {
namespace {

class TextView : public AnswerView {
 public:
  explicit TextView(Console& console) : console_(console) {}

  void piece(std::string_view text) override {
    console_.write(text);
    in_pieces_ = true;
  }
  void complete(const Result& result) override { finish(result.text()); }
  void failed(const Error& error) override { finish(error.partial_text()); }

 private:
  void finish(std::string_view text) {
    if (!std::exchange(in_pieces_, false)) console_.write(text);
    console_.end_line();
  }

  Console& console_;
  bool in_pieces_ = false;  // the text has been written, piece by piece
};

class JsonView : public AnswerView {
 public:
  JsonView(Console& console, std::string model) : console_(console), model_(std::move(model)) {}

  void piece(std::string_view text) override { console_.write(json_of_chunk(text)); }
  void complete(const Result& result) override { console_.write(json_of(result, model_)); }
  void failed(const Error& error) override { console_.write(json_of(error)); }

 private:
  Console& console_;
  const std::string model_;
};

}  // namespace

std::string json_of_chunk(std::string_view text) { return line_of({{"chunk", std::string(text)}}); }

std::string json_of(const Result& result, const std::string& model) {
  const Reply& reply = result.reply();
  const Times& times = result.times();
  OrderedJson object{{"text", reply.text}};
  add_text(object, "model", reply.response.model.empty() ? model : reply.response.model);
  if (!reply.finish_reasons.empty())
    add_text(object, "finish_reason", reply.finish_reasons.front());
  if (reply.usage) object["usage"] = usage_object(*reply.usage);
  object["ms"] = milliseconds(times.duration());
  if (times.first_chunk != Instant{})
    object["first_chunk_ms"] = milliseconds(times.first_chunk - times.started);
  add_text(object, "trace_id", trace_id(result.trace_ref()));
  return line_of(object);
}

std::string json_of(const Error& error) { return line_of({{"error", error_object(error)}}); }

std::unique_ptr<AnswerView> make_text_view(Console& console) {
  return std::make_unique<TextView>(console);
}

std::unique_ptr<AnswerView> make_json_view(Console& console, std::string model) {
  return std::make_unique<JsonView>(console, std::move(model));
}

}  // namespace mellea::cli
