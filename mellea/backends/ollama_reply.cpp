#include "mellea/backends/ollama_reply.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/logprobs.h"
#include "mellea/backends/ollama_event.h"
#include "mellea/core/text.h"
#include "mellea/net/ndjson.h"

namespace mellea {
namespace {

constexpr int kMaxCalls = 1024;  // of tools, in one answer

class OllamaDecoder final : public ReplyDecoder {
 public:
  OllamaDecoder(std::shared_ptr<const RequestNames> names, std::string id_stem)
      : names_(std::move(names)), id_stem_(std::move(id_stem)) {}

  void begin(std::string_view) override {}

  void feed(std::string_view bytes, Instant at, std::vector<Chunk>& out) override {
    lines_.feed(bytes);
    std::string_view line;
    while (!ended_ && next(line)) take(line, at, out);
  }

  bool ended() const noexcept override { return ended_; }

  void end(Instant at, std::vector<Chunk>& out) override {
    std::string_view line;
    if (lines_.finish(line)) {
      // A line that is cut is not wrong; but what was none from the beginning is.
      if (events_ > 0 || line.starts_with('{'))
        if (reader_.read(line) != nullptr) throw stream_cut(*names_, events_);
      take(line, at, out);
    }
    if (ended_) return;
    if (events_ > 0 && !is_answer_)  // nor will it be the next time
      refuse("the answer has neither a message nor \"done\": \"" + odd_ + '"');
    throw stream_cut(*names_, events_);
  }

 private:
  bool next(std::string_view& line) {
    try {
      return lines_.next(line);
    } catch (const Error& error) {
      throw about(*names_, error);
    }
  }

  void take(std::string_view line, Instant at, std::vector<Chunk>& out) {
    if (const char* const why = reader_.read(line); why != nullptr)
      refuse("line " + std::to_string(events_ + 1) + " of the answer is wrong: " + why + ": \"" +
             one_line(line, 80) + '"');
    const OllamaEvent& event = reader_.event();
    if (event.is_error) throw stream_error(*names_, line, events_);
    is_answer_ = is_answer_ || event.is_answer;
    if (!is_answer_ && odd_.empty()) odd_ = one_line(line, 80);
    info(event, at, out);
    if (!event.thinking.empty()) put(out, at, 0, Thinking{std::string(event.thinking)});
    if (!event.text.empty()) put(out, at, 0, std::string(event.text));
    if (!event.logprobs.empty())
      if (Logprobs logprobs = read_logprobs(event.logprobs); !logprobs.tokens.empty())
        put(out, at, 0, std::move(logprobs));
    for (const OllamaEvent::Call& call : event.calls) called(call, at, out);
    if (event.done) done(event, at, out);
    ++events_;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  void info(const OllamaEvent& event, Instant at, std::vector<Chunk>& out) {
    if (created_at_.empty()) created_at_ = to_utf8(event.created_at);
    if (event.model.empty() || event.model == model_) return;
    model_ = to_utf8(event.model);
    put(out, at, 0, ResponseInfo{.model = model_});
  }

  // A call is whole in one line; its index counts within that line only.
  void called(const OllamaEvent::Call& call, Instant at, std::vector<Chunk>& out) {
    if (calls_ == kMaxCalls)
      refuse("more than " + std::to_string(kMaxCalls) + " tool calls in one answer");
    put(out, at, 0,
        ToolCallPart{.call = calls_,
                     .id = call.id.empty() ? id_stem_ + std::to_string(calls_) : to_utf8(call.id),
                     .name = std::string(call.name),
                     .arguments = std::string(call.arguments)});
    ++calls_;
  }

  void done(const OllamaEvent& event, Instant at, std::vector<Chunk>& out) {
    ended_ = true;
    if (Json told = metadata(event)) put(out, at, 0, ResponseInfo{.metadata = std::move(told)});
    if (event.done_reason == "stop" && calls_ > 0)  // it says so after calls too
      put(out, at, 0, Finish{"tool_calls"});
    else if (!event.done_reason.empty())
      put(out, at, 0, Finish{to_utf8(event.done_reason)});
    usage({.input_tokens = event.prompt_eval_count, .output_tokens = event.eval_count}, at, out);
  }

  Json metadata(const OllamaEvent& event) const {
    nlohmann::json told = nlohmann::json::object();
    if (!created_at_.empty()) told["created_at"] = created_at_;
    const auto duration = [&told](const char* name, const std::optional<std::int64_t>& time) {
      if (time) told[name] = *time;
    };
    duration("total_duration", event.total_duration);
    duration("load_duration", event.load_duration);
    duration("prompt_eval_duration", event.prompt_eval_duration);
    duration("eval_duration", event.eval_duration);
    return told.empty() ? Json() : Json(std::move(told));
  }

  // A prompt that was in the cache has no count.
  void usage(const Usage& told, Instant at, std::vector<Chunk>& out) const {
    const Usage usage = checked(told);
    if (usage != told)
      put(out, at, 0,
          Notice{.kind = Notice::Kind::usage_implausible,
                 .text = names_->provider + ": token counts that can't be true were left out"});
    if (usage != Usage{}) put(out, at, 0, usage);
  }

  const std::shared_ptr<const RequestNames> names_;
  const std::string id_stem_;
  NdjsonParser lines_;
  OllamaEventReader reader_;
  std::size_t events_ = 0;  // lines
  bool is_answer_ = false;  // what came;
  std::string odd_{};       // else the first line of it
  bool ended_ = false;
  int calls_ = 0;
  std::string model_{};       // as told last
  std::string created_at_{};  // as told first
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_ollama_decoder(std::shared_ptr<const RequestNames> names,
                                                  std::string id_stem) {
  return std::make_unique<OllamaDecoder>(std::move(names), std::move(id_stem));
}

}  // namespace mellea
