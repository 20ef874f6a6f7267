#include "mellea/backends/tgi_reply.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "mellea/backends/header_count.h"
#include "mellea/backends/stop_text.h"
#include "mellea/backends/tgi_event.h"
#include "mellea/core/text.h"
#include "mellea/net/sse.h"

namespace mellea {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxWhole = 64U << 20U;  // bytes of an answer that does not stream
constexpr std::size_t kMaxDepth = 16;

// A list of tokens, empty if it is none: an answer is not lost for what is wrong in it.
json array_of(std::string_view text) {
  if (text.empty() || nests_deeper_than(text, kMaxDepth)) return json::array();
  json array = json::parse(to_utf8(text), nullptr, /*allow_exceptions=*/false);
  return array.is_array() ? array : json::array();
}

bool read_token(const json& told, std::string& text, double& logprob) {
  if (!told.is_object() || !told.contains("text") || !told["text"].is_string()) return false;
  if (!told.contains("logprob") || !told["logprob"].is_number()) return false;
  text = told["text"].get<std::string>();
  logprob = told["logprob"].get<double>();
  return true;
}

void read_top(const json& told, TokenLogprob& token) {
  if (!told.is_array()) return;
  for (const json& other : told)
    if (TokenLogprob::Alternative one; read_token(other, one.token, one.logprob))
      token.top.push_back(std::move(one));
}

Logprobs logprobs_of(const TgiEvent::Sequence& sequence) {
  const json tokens = array_of(sequence.tokens);
  const json tops = array_of(sequence.top_tokens);
  Logprobs all;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    TokenLogprob token;
    if (!read_token(tokens[i], token.token, token.logprob)) continue;
    if (tokens[i].value("special", json()) == true) continue;
    if (i < tops.size()) read_top(tops[i], token);
    all.tokens.push_back(std::move(token));
  }
  return all;
}

std::string finish_of(std::string_view reason) {
  return reason == "eos_token" || reason == "stop_sequence" ? "stop" : to_utf8(reason);
}

// The object in an array of one.
std::string_view unwrapped(std::string_view body) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = body.find_first_not_of(kBlanks);
  const auto last = body.find_last_not_of(kBlanks);
  if (first == body.npos || first == last || body[first] != '[' || body[last] != ']') return body;
  return body.substr(first + 1, last - first - 1);
}

class TgiDecoder final : public ReplyDecoder {
 public:
  TgiDecoder(std::shared_ptr<const RequestNames> names, TgiAsked asked)
      : names_(std::move(names)), asked_(std::move(asked)), stop_(asked_.stop) {}

  void head(const Headers& headers) override {
    prompt_tokens_ = count_in(headers, "x-prompt-tokens");
  }

  void begin(std::string_view content_type) override {
    if (content_type.starts_with("text/event-stream")) form_ = Form::events;
    if (content_type.starts_with("application/json")) form_ = Form::whole;
  }

  void feed(std::string_view bytes, Instant at, std::vector<Chunk>& out) override {
    if (form_ == Form::unknown) guess(bytes);
    if (form_ == Form::events)
      feed_events(bytes, at, out);
    else if (body_.size() + bytes.size() > kMaxWhole)
      refuse("the answer is over " + std::to_string(kMaxWhole) + " bytes");
    else
      body_ += bytes;
  }

  bool ended() const noexcept override { return ended_; }

  void end(Instant at, std::vector<Chunk>& out) override {
    if (form_ != Form::events && !body_.empty()) take(unwrapped(body_), at, out);
    if (!ended_) throw stream_cut(*names_, events_);
  }

 private:
  enum class Form { unknown, events, whole };

  // For gateways that do not say what they send: no event begins with a brace or a bracket. Blanks
  // mean nothing in either form.
  void guess(std::string_view& bytes) {
    bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
    if (bytes.empty()) return;
    form_ = bytes.front() == '{' || bytes.front() == '[' ? Form::whole : Form::events;
  }

  void feed_events(std::string_view bytes, Instant at, std::vector<Chunk>& out) {
    sse_.feed(bytes);
    SseEvent event;
    while (!ended_ && next(event))
      if (!event.data.empty()) take(event.data, at, out);
  }

  bool next(SseEvent& event) {
    try {
      return sse_.next(event);
    } catch (const Error& error) {
      throw about(*names_, error);
    }
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  void take(std::string_view told, Instant at, std::vector<Chunk>& out) {
    if (const char* const why = reader_.read(told); why != nullptr)
      refuse((form_ == Form::events
                  ? "event " + std::to_string(events_ + 1) + " of the stream is wrong: "
                  : std::string("the answer is wrong: ")) +
             why + ": \"" + one_line(told, 80) + '"');
    const TgiEvent& event = reader_.event();
    if (event.is_error) throw stream_error(*names_, told, events_);
    if (event.has_token) said(event.token, at, out);
    if (event.ends) end_well(event.sequences, at, out);
    if (!event.ends && form_ != Form::events) refuse("the answer has no \"generated_text\"");
    ++events_;
  }

  void said(const TgiEvent::Token& token, Instant at, std::vector<Chunk>& out) {
    if (token.special) return;
    streamed_ = streamed_ || !token.text.empty();
    say(stop_.pass(token.text), 0, at, out);
    if (!asked_.logprobs || !token.logprob) return;
    TokenLogprob told{.token = std::string(token.text), .logprob = *token.logprob};
    read_top(array_of(token.top_tokens), told);
    put(out, at, 0, Logprobs{{std::move(told)}});
  }

  // Everything was streamed but its end; or nothing.
  void end_well(const std::vector<TgiEvent::Sequence>& sequences, Instant at,
                std::vector<Chunk>& out) {
    ended_ = true;
    if (sequences.size() < asked_.answers)
      refuse("there is no answer " + std::to_string(sequences.size()) + " of " +
             std::to_string(asked_.answers) + ", counted from 0");
    if (const auto seed = sequences.front().seed)
      put(out, at, 0, ResponseInfo{.metadata = Json(json{{"seed", *seed}})});
    for (std::size_t i = 0; i < std::max<std::size_t>(asked_.answers, 1); ++i)
      end_one(sequences[i], static_cast<int>(i), at, out);
    usage(sequences, at, out);
  }

  void end_one(const TgiEvent::Sequence& sequence, int index, Instant at, std::vector<Chunk>& out) {
    const bool stopped = sequence.finish_reason == "stop_sequence";
    if (streamed_) {
      say(stop_.end(stopped), index, at, out);
    } else {
      StopText whole(asked_.stop);
      say(std::string(whole.pass(sequence.text)).append(whole.end(stopped)), index, at, out);
      if (asked_.logprobs)
        if (Logprobs logprobs = logprobs_of(sequence); !logprobs.tokens.empty())
          put(out, at, index, std::move(logprobs));
    }
    if (!sequence.finish_reason.empty())
      put(out, at, index, Finish{finish_of(sequence.finish_reason)});
  }

  void say(std::string_view text, int index, Instant at, std::vector<Chunk>& out) const {
    if (!text.empty()) put(out, at, index, std::string(text));
  }

  void usage(const std::vector<TgiEvent::Sequence>& sequences, Instant at,
             std::vector<Chunk>& out) const {
    const TgiEvent::Sequence& own = sequences.front();
    Usage told{.input_tokens = own.input_length ? own.input_length : prompt_tokens_};
    if (!told.input_tokens && own.prefill > 0) told.input_tokens = own.prefill;
    told.output_tokens = own.generated_tokens;
    for (std::size_t i = 1; i < sequences.size() && told.output_tokens; ++i)
      told.output_tokens = added(*told.output_tokens, sequences[i].generated_tokens);
    const Usage usage = checked(told);
    if (usage != told)
      put(out, at, 0,
          Notice{.kind = Notice::Kind::usage_implausible,
                 .text = names_->provider + ": token counts that can't be true were left out"});
    if (usage != Usage{}) put(out, at, 0, usage);
  }

  // Nothing where there is none, or where the sum would be beyond all numbers.
  static std::optional<std::int64_t> added(std::int64_t a, const std::optional<std::int64_t>& b) {
    std::int64_t sum = 0;
    if (!b || __builtin_add_overflow(a, *b, &sum)) return {};
    return sum;
  }

  const std::shared_ptr<const RequestNames> names_;
  const TgiAsked asked_;
  Form form_ = Form::unknown;
  SseParser sse_;
  std::string body_{};  // of Form::whole
  TgiEventReader reader_;
  StopText stop_;
  std::optional<std::int64_t> prompt_tokens_{};
  std::size_t events_ = 0;
  bool streamed_ = false;  // tokens said the text
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_tgi_decoder(std::shared_ptr<const RequestNames> names,
                                               TgiAsked asked) {
  return std::make_unique<TgiDecoder>(std::move(names), std::move(asked));
}

}  // namespace mellea
