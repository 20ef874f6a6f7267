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

void add(OrderedJson& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

OrderedJson usage_object(const Usage& usage) {
  OrderedJson object = OrderedJson::object();
  const auto count = [&](const char* name, const std::optional<std::int64_t>& tokens) {
    if (tokens) object[name] = *tokens;
  };
  count("input", usage.input_tokens);
  count("output", usage.output_tokens);
  count("cached", usage.cache_read_tokens);
  count("reasoning", usage.reasoning_tokens);
  return object;
}

std::string trace_id(const TraceRef& ref) { return ref ? ref.traceparent().substr(3, 32) : ""; }

}  // namespace

std::string json_of_chunk(std::string_view text) { return line_of({{"chunk", std::string(text)}}); }

std::string json_of(const Result& result, const std::string& model) {
  const Reply& reply = result.reply();
  const Times& times = result.times();
  OrderedJson object{{"text", reply.text}};
  add(object, "model", reply.response.model.empty() ? model : reply.response.model);
  if (!reply.finish_reasons.empty()) add(object, "finish_reason", reply.finish_reasons.front());
  if (reply.usage) object["usage"] = usage_object(*reply.usage);
  object["ms"] = milliseconds(times.duration());
  if (times.first_chunk != Instant{})
    object["first_chunk_ms"] = milliseconds(times.first_chunk - times.started);
  add(object, "trace_id", trace_id(result.trace_ref()));
  return line_of(object);
}

std::string json_of(const Error& error) {
  const ErrorDetails& details = error.details();
  OrderedJson object{{"code", to_string(error.code())}, {"message", error.what()}};
  if (details.status != 0) object["status"] = details.status;
  add(object, "provider_code", details.provider_code);
  add(object, "request_id", details.request_id);
  object["retryable"] = error.retryable();
  return line_of({{"error", std::move(object)}});
}

std::unique_ptr<AnswerView> make_text_view(Console& console) {
  return std::make_unique<TextView>(console);
}

std::unique_ptr<AnswerView> make_json_view(Console& console, std::string model) {
  return std::make_unique<JsonView>(console, std::move(model));
}

}  // namespace mellea::cli
