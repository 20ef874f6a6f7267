#include "mellea/backends/watsonx_reply.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/openai_reply.h"
#include "mellea/backends/watsonx_event.h"
#include "mellea/core/text.h"
#include "mellea/net/sse.h"

namespace mellea {
namespace {

using Count = std::optional<std::int64_t>;

constexpr std::size_t kMaxWhole = 64U << 20U;  // bytes of an answer that does not stream

Usage largest(const Usage& a, const Usage& b) {
  const auto of = [](const Count& one, const Count& other) {
    return one && other ? std::max(one, other) : one ? one : other;
  };
  return {.input_tokens = of(a.input_tokens, b.input_tokens),
          .output_tokens = of(a.output_tokens, b.output_tokens),
          .total_tokens = of(a.total_tokens, b.total_tokens),
          .cache_read_tokens = of(a.cache_read_tokens, b.cache_read_tokens),
          .cache_write_tokens = of(a.cache_write_tokens, b.cache_write_tokens),
          .reasoning_tokens = of(a.reasoning_tokens, b.reasoning_tokens)};
}

class ChatDecoder final : public ReplyDecoder {
 public:
  explicit ChatDecoder(std::shared_ptr<const RequestNames> names)
      : decoder_(make_openai_decoder(std::move(names))) {}

  void begin(std::string_view content_type) override { decoder_->begin(content_type); }

  void feed(std::string_view bytes, Instant at, std::vector<Chunk>& out) override {
    const Counting counting(*this, out);
    decoder_->feed(bytes, at, out);
  }

  bool ended() const noexcept override { return decoder_->ended(); }

  void end(Instant at, std::vector<Chunk>& out) override {
    const Counting counting(*this, out);
    decoder_->end(at, out);
  }

 private:
  // Sees to the counts of what is decoded while it lives, also of what came before an error.
  class Counting {
   public:
    Counting(ChatDecoder& chat, std::vector<Chunk>& out)
        : chat_(chat), out_(out), begin_(out.size()) {}
    ~Counting() {
      for (std::size_t i = begin_; i < out_.size(); ++i)
        if (auto* usage = std::get_if<Usage>(&out_[i].what))
          *usage = chat_.usage_ = largest(chat_.usage_, *usage);
    }
    Counting(const Counting&) = delete;
    Counting& operator=(const Counting&) = delete;

   private:
    ChatDecoder& chat_;
    std::vector<Chunk>& out_;
    const std::size_t begin_;
  };

  const std::unique_ptr<ReplyDecoder> decoder_;
  Usage usage_{};  // told so far
};

std::string finish_reason(std::string_view stop_reason) {
  if (stop_reason == "eos_token" || stop_reason == "stop_sequence") return "stop";
  if (stop_reason == "max_tokens" || stop_reason == "token_limit") return "length";
  return to_utf8(stop_reason);
}

// The token of [{"text": "A", "logprob": -0.1, "top_tokens": [{"text": ...}, ...]}, ...]; false if
// it is none: the first one of a prompt has no logprob.
template <class Token>
bool read_token(const nlohmann::json& told, Token& token) {
  if (!told.is_object() || !told.contains("text") || !told.contains("logprob")) return false;
  if (!told["text"].is_string() || !told["logprob"].is_number()) return false;
  token.token = told["text"].template get<std::string>();
  token.logprob = told["logprob"].template get<double>();
  return true;
}

Logprobs read_tokens(std::string_view json) {
  Logprobs logprobs;
  const Json told = told_as("tokens", json);
  if (!told) return logprobs;
  for (const nlohmann::json& each : (*told)["tokens"]) {
    TokenLogprob token;
    if (!read_token(each, token)) continue;
    if (each.contains("top_tokens") && each["top_tokens"].is_array())
      for (const nlohmann::json& other : each["top_tokens"])
        if (TokenLogprob::Alternative one; read_token(other, one))
          token.top.push_back(std::move(one));
    logprobs.tokens.push_back(std::move(token));
  }
  return logprobs;
}

class GenerationDecoder final : public ReplyDecoder {
 public:
  explicit GenerationDecoder(std::shared_ptr<const RequestNames> names)
      : names_(std::move(names)) {}

  void begin(std::string_view content_type) override {
    if (content_type.starts_with("text/event-stream")) form_ = Form::events;
  }

  void feed(std::string_view bytes, Instant at, std::vector<Chunk>& out) override {
    if (form_ == Form::unknown) guess(bytes);
    if (form_ == Form::events) return feed_events(bytes, at, out);
    if (body_.size() + bytes.size() > kMaxWhole)
      refuse("the answer is over " + std::to_string(kMaxWhole) + " bytes");
    body_ += bytes;
  }

  // The last event says so, but only the end of the connection that there is no other.
  bool ended() const noexcept override { return false; }

  void end(Instant at, std::vector<Chunk>& out) override {
    if (form_ == Form::events) {
      if (!finished_) throw stream_cut(*names_, events_);
      return;
    }
    if (body_.empty()) refuse("the answer is empty");
    take(body_, at, out);
    if (reader_.event().results == 0) refuse("the answer has no results");
    if (!finished_) refuse("the answer does not say why it stopped: the text above is incomplete");
  }

 private:
  enum class Form { unknown, events, whole };

  // For gateways that do not say what they send: no event begins with a brace or a blank.
  void guess(std::string_view bytes) {
    if (bytes.empty()) return;
    form_ = std::string_view("{[< \t\r\n").find(bytes.front()) == std::string_view::npos
                ? Form::events
                : Form::whole;
  }

  void feed_events(std::string_view bytes, Instant at, std::vector<Chunk>& out) {
    sse_.feed(bytes);
    for (SseEvent event; next(event);) {
      if (event.name == "error") throw stream_error(*names_, event.data, events_);
      if (!event.data.empty()) take(event.data, at, out);
    }
  }

  bool next(SseEvent& event) {
    try {
      return sse_.next(event);
    } catch (const Error& error) {
      throw about(*names_, error);
    }
  }

  void take(std::string_view json, Instant at, std::vector<Chunk>& out) {
    if (const char* const why = reader_.read(json); why != nullptr)
      refuse((form_ == Form::events
                  ? "event " + std::to_string(events_ + 1) + " of the stream is wrong: "
                  : std::string("the answer is wrong: ")) +
             why + ": \"" + one_line(json, 80) + '"');
    const WatsonxEvent& event = reader_.event();
    if (event.results > 1)
      refuse("there are " + std::to_string(event.results) + " results for one prompt");
    info(event, at, out);
    if (!event.text.empty()) put(out, at, 0, std::string(event.text));
    if (!event.tokens.empty())
      if (Logprobs logprobs = read_tokens(event.tokens); !logprobs.tokens.empty())
        put(out, at, 0, std::move(logprobs));
    const bool breaks_off = event.stop_reason == "error" || event.stop_reason == "cancelled";
    const bool stops = !event.stop_reason.empty() && event.stop_reason != "not_finished";
    if (stops && !breaks_off && !std::exchange(finished_, true))
      put(out, at, 0, Finish{finish_reason(event.stop_reason)});
    usage(event, at, out);
    if (event.is_error) throw stream_error(*names_, json, events_);
    if (breaks_off)
      throw Error(Errc::server_error,
                  names_->prefix() + "the server gave up: stop_reason \"" +
                      std::string(event.stop_reason) + "\": the text above is incomplete",
                  {.provider_code = std::string(event.stop_reason)});
    ++events_;
  }

  void info(const WatsonxEvent& event, Instant at, std::vector<Chunk>& out) {
    ResponseInfo news;
    if (!event.model.empty() && event.model != model_) news.model = model_ = to_utf8(event.model);
    if (!event.system.empty() && !std::exchange(warned_, true))
      news.metadata = told_as("system", event.system);
    if (!news.model.empty() || news.metadata) put(out, at, 0, std::move(news));
  }

  void usage(const WatsonxEvent& event, Instant at, std::vector<Chunk>& out) {
    const Usage told{.input_tokens = event.input_token_count,
                     .output_tokens = event.generated_token_count};
    if (checked(told) != told && !std::exchange(complained_, true))
      put(out, at, 0,
          Notice{.kind = Notice::Kind::usage_implausible,
                 .text = names_->provider + ": token counts that can't be true were left out"});
    const Usage usage = largest(usage_, checked(told));
    if (usage == usage_) return;
    usage_ = usage;
    put(out, at, 0, usage);
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  const std::shared_ptr<const RequestNames> names_;
  Form form_ = Form::unknown;
  SseParser sse_;
  std::string body_{};  // of Form::whole
  WatsonxEventReader reader_;
  std::size_t events_ = 0;
  bool finished_ = false;
  std::string model_{};      // as told last
  bool warned_ = false;      // by the service
  Usage usage_{};            // told so far
  bool complained_ = false;  // of its counts
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_watsonx_chat_decoder(std::shared_ptr<const RequestNames> names) {
  return std::make_unique<ChatDecoder>(std::move(names));
}

std::unique_ptr<ReplyDecoder> make_watsonx_generation_decoder(
    std::shared_ptr<const RequestNames> names) {
  return std::make_unique<GenerationDecoder>(std::move(names));
}

}  // namespace mellea
