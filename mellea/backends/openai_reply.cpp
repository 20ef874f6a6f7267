#include "mellea/backends/openai_reply.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "mellea/backends/logprobs.h"
#include "mellea/backends/openai_event.h"
#include "mellea/core/text.h"
#include "mellea/net/sse.h"

namespace mellea {
namespace {

constexpr std::size_t kMaxWhole = 64U << 20U;  // bytes of an answer that does not stream
constexpr std::int64_t kMaxIndex = 1024;       // of choices, and of the calls of one
constexpr std::size_t kMaxOthers = 32;         // members that the protocol has no name for,
constexpr std::size_t kMaxName = 256;          // bytes of the name of one,
constexpr std::size_t kMaxOther = 64U << 10U;  // bytes of one,
constexpr std::size_t kMaxDepth = 64;          // and how deep it may be

[[noreturn]] void refuse(const RequestNames& names, const std::string& what) {
  throw Error(Errc::parse_error, names.prefix() + what);
}

// The calls of one choice, as the server numbers them and as we do: by first appearance.
class Calls {
 public:
  // Which call a piece belongs to. A new id on a used index is a new call; a piece that has no
  // index belongs to the call with its id, or else to the last one.
  std::size_t number_of(const OpenAiEvent::Call& piece) {
    const auto mine = std::find_if(calls_.rbegin(), calls_.rend(), [&](const Call& call) {
      return piece.index ? call.index == piece.index : piece.id.empty() || call.id == piece.id;
    });
    const bool continues =
        mine != calls_.rend() && (piece.id.empty() || mine->id.empty() || mine->id == piece.id);
    const bool begins = !piece.index && piece.id.empty() && !piece.name.empty();
    if (continues && !begins) return static_cast<std::size_t>(calls_.rend() - mine) - 1;
    calls_.push_back({.index = piece.index});
    return calls_.size() - 1;
  }

  // What is new in `piece`: a server may tell id and name more than once.
  ToolCallPart part(const OpenAiEvent::Call& piece, std::size_t number) {
    Call& call = calls_[number];
    ToolCallPart part{.call = static_cast<int>(number), .arguments = std::string(piece.arguments)};
    if (call.id.empty()) part.id = call.id = to_utf8(piece.id);
    if (!std::exchange(call.named, call.named || !piece.name.empty())) part.name = piece.name;
    return part;
  }

  std::size_t size() const noexcept { return calls_.size(); }

 private:
  struct Call {
    std::optional<std::int64_t> index{};
    std::string id{};
    bool named = false;
  };
  std::vector<Call> calls_;
};

class OpenAiDecoder final : public ReplyDecoder {
 public:
  OpenAiDecoder(std::shared_ptr<const RequestNames> names, std::size_t answers)
      : names_(std::move(names)),
        answers_(answers),
        reader_(std::max(static_cast<std::size_t>(kMaxIndex), answers)),
        choices_(answers) {}

  void begin(std::string_view content_type) override {
    // Other types are often wrong: what comes first tells.
    if (content_type.starts_with("text/event-stream")) form_ = Form::events;
  }

  void feed(std::string_view bytes, Instant at, std::vector<Chunk>& out) override {
    if (form_ == Form::unknown) guess(bytes);
    if (form_ == Form::events && !body_.empty())  // blanks that came before it was known
      feed_events(std::exchange(body_, {}), at, out);
    if (form_ == Form::events)
      feed_events(bytes, at, out);
    else if (body_.size() + bytes.size() > kMaxWhole)
      refuse(*names_, "the answer is over " + std::to_string(kMaxWhole) + " bytes");
    else
      body_ += bytes;
  }

  bool ended() const noexcept override { return ended_; }

  void end(Instant at, std::vector<Chunk>& out) override {
    ended_ = true;
    if (form_ != Form::events) return end_whole(at, out);
    const bool all_finished =
        !choices_.empty() && std::all_of(choices_.begin(), choices_.end(),
                                         [](const State& choice) { return choice.finished; });
    if (!all_finished) throw stream_cut(*names_, events_);
    finish(at, out);
  }

 private:
  enum class Form { unknown, events, whole };
  struct State {
    Calls calls{};
    bool seen = false;
    bool finished = false;
  };

  // For servers that do not say what they send: no event begins as JSON or a page does.
  void guess(std::string_view bytes) {
    const auto first = bytes.find_first_not_of(" \t\r\n");
    if (first == bytes.npos) return;
    form_ = std::string_view("{[\"<").find(bytes[first]) != std::string_view::npos ? Form::whole
                                                                                   : Form::events;
  }

  void feed_events(std::string_view bytes, Instant at, std::vector<Chunk>& out) {
    sse_.feed(bytes);
    SseEvent event;
    while (!ended_ && next(event)) {
      if (event.data.starts_with("[DONE]")) {
        finish(at, out);
        ended_ = true;
      } else if (event.name == "error") {
        throw stream_error(*names_, event.data, events_);
      } else if (!event.data.empty()) {
        take(event.data, at, out);
      }
    }
  }

  bool next(SseEvent& event) {
    try {
      return sse_.next(event);
    } catch (const Error& error) {
      throw about(*names_, error);
    }
  }

  void end_whole(Instant at, std::vector<Chunk>& out) {
    if (body_.empty()) refuse(*names_, "the answer is empty");
    take(body_, at, out);
    finish(at, out);
  }

  void finish(Instant at, std::vector<Chunk>& out) {
    if (choices_.empty()) refuse(*names_, "the answer has no choices");
    check_answers();
    if (!others_.empty()) tell_others(at, out);
  }

  // An answer that another prompt's would have to stand in for is worse than none.
  void check_answers() const {
    for (std::size_t i = 0; i < answers_; ++i)
      if (i >= choices_.size() || !choices_[i].seen)
        refuse(*names_, "there is no answer " + std::to_string(i) + " of " +
                            std::to_string(answers_) + ", counted from 0");
  }

  void take(std::string_view json, Instant at, std::vector<Chunk>& out) {
    if (const char* const why = reader_.read(json); why != nullptr)
      refuse(*names_, (form_ == Form::events
                           ? "event " + std::to_string(events_ + 1) + " of the stream is wrong: "
                           : std::string("the answer is wrong: ")) +
                          why + ": \"" + one_line(json, 80) + '"');
    const OpenAiEvent& event = reader_.event();
    info(event, at, out);
    std::size_t call = 0;
    for (const OpenAiEvent::Choice& choice : event.choices) {
      said(choice, {event.calls.data() + call, choice.calls_end - call}, at, out);
      call = choice.calls_end;
    }
    if (event.usage) usage(*event.usage, at, out);
    for (const OpenAiEvent::Other& other : event.others) keep(other);
    if (event.is_error) throw stream_error(*names_, json, events_);
    if (!event.choice_error.empty()) throw stream_error(*names_, event.choice_error, events_);
    ++events_;
  }

  void info(const OpenAiEvent& event, Instant at, std::vector<Chunk>& out) {
    bool changed = false;
    const auto learn = [&changed](std::string& known, std::string_view told) {
      if (told.empty() || known == told) return;
      known = to_utf8(told);
      changed = true;
    };
    learn(info_.id, event.id);
    learn(info_.model, event.model);
    learn(info_.service_tier, event.service_tier);
    learn(info_.system_fingerprint, event.system_fingerprint);
    if (changed) put(out, at, 0, info_);
  }

  // The last of each name. Most say the same in every chunk, and are looked at once.
  void keep(const OpenAiEvent::Other& other) {
    if (other.json.size() > kMaxOther || other.name.size() > kMaxName) return;
    const auto known = std::find_if(others_.begin(), others_.end(),
                                    [&](const auto& one) { return one.first == other.name; });
    if (known == others_.end() && others_.size() < kMaxOthers)
      others_.emplace_back(other.name, other.json);
    else if (known != others_.end() && known->second != other.json)
      known->second = other.json;
  }

  void tell_others(Instant at, std::vector<Chunk>& out) const {
    nlohmann::json metadata = nlohmann::json::object();
    for (const auto& [name, json] : others_) {
      if (nests_deeper_than(json, kMaxDepth)) continue;
      nlohmann::json value = nlohmann::json::parse(to_utf8(json), nullptr, false);
      if (!value.is_discarded()) metadata[to_utf8(name)] = std::move(value);
    }
    if (!metadata.empty()) put(out, at, 0, ResponseInfo{.metadata = Json(std::move(metadata))});
  }

  void said(const OpenAiEvent::Choice& choice, std::span<const OpenAiEvent::Call> calls, Instant at,
            std::vector<Chunk>& out) {
    if (choice.index < 0 || choice.index >= std::max<std::int64_t>(kMaxIndex, std::ssize(choices_)))
      refuse(*names_, "a choice has the index " + std::to_string(choice.index));
    const int index = static_cast<int>(choice.index);
    const auto place = static_cast<std::size_t>(index);
    if (choices_.size() <= place) choices_.resize(place + 1);
    State& state = choices_[place];
    state.seen = true;
    if (!choice.thinking.empty()) put(out, at, index, Thinking{std::string(choice.thinking)});
    if (!choice.text.empty()) put(out, at, index, std::string(choice.text));
    if (!choice.refusal.empty()) put(out, at, index, Refusal{std::string(choice.refusal)});
    if (!choice.logprobs.empty())
      if (Logprobs logprobs = read_logprobs(choice.logprobs); !logprobs.tokens.empty())
        put(out, at, index, std::move(logprobs));
    for (const OpenAiEvent::Call& call : calls) called(state.calls, call, at, index, out);
    if (choice.finish_reason.empty() || std::exchange(state.finished, true)) return;
    put(out, at, index, Finish{to_utf8(choice.finish_reason)});
  }

  void called(Calls& calls, const OpenAiEvent::Call& piece, Instant at, int index,
              std::vector<Chunk>& out) {
    const std::size_t number = calls.number_of(piece);
    if (calls.size() > static_cast<std::size_t>(kMaxIndex))
      refuse(*names_, "more than " + std::to_string(kMaxIndex) + " tool calls in one answer");
    put(out, at, index, calls.part(piece, number));
  }

  void usage(const Usage& told, Instant at, std::vector<Chunk>& out) {
    const Usage usage = checked(told);
    if (usage != told && !std::exchange(complained_, true))
      put(out, at, 0,
          Notice{.kind = Notice::Kind::usage_implausible,
                 .text = names_->provider + ": token counts that can't be true were left out"});
    if (usage == usage_) return;
    usage_ = usage;
    put(out, at, answers_ > 1 ? -1 : 0, usage);
  }

  const std::shared_ptr<const RequestNames> names_;
  const std::size_t answers_;
  Form form_ = Form::unknown;
  SseParser sse_;
  std::string body_{};  // of Form::whole
  OpenAiEventReader reader_;
  std::size_t events_ = 0;
  bool ended_ = false;
  std::vector<State> choices_;                                 // by index
  ResponseInfo info_{};                                        // as told last
  Usage usage_{};                                              // as told last
  bool complained_ = false;                                    // of its counts
  std::vector<std::pair<std::string, std::string>> others_{};  // names, and JSON that is not read
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_openai_decoder(std::shared_ptr<const RequestNames> names,
                                                  std::size_t answers) {
  return std::make_unique<OpenAiDecoder>(std::move(names), answers);
}

}  // namespace mellea
