#include "mellea/backends/scripted_backend.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "mellea/backends/alarm.h"
#include "mellea/core/fork.h"

namespace mellea {
namespace scripted {

Line& Line::chunk(Chunk chunk) {
  steps_.emplace_back(std::move(chunk));
  return *this;
}

Line& Line::text(std::string text) { return chunk({.what = std::move(text)}); }

Line& Line::thinking(std::string text) { return chunk({.what = Thinking{std::move(text)}}); }

Line& Line::tool_call(ToolCall call, int at) {
  return chunk({.what = ToolCallPart{.call = at,
                                     .id = std::move(call.id),
                                     .name = std::move(call.name),
                                     .arguments = std::move(call.arguments)}});
}

Line& Line::usage(Usage usage) { return chunk({.what = usage}); }

Line& Line::finish(std::string reason) { return chunk({.what = Finish{std::move(reason)}}); }

Line& Line::delay(std::chrono::milliseconds time) {
  steps_.emplace_back(Delay{time});
  return *this;
}

Line& Line::fail(Error error) {
  steps_.emplace_back(std::move(error));
  return *this;
}

Line& Line::cut() {
  const auto chunks = std::count_if(steps_.begin(), steps_.end(), [](const Step& step) {
    return std::holds_alternative<Chunk>(step);
  });
  return fail(Error(Errc::transport_error, "scripted: stream ended without its end mark after " +
                                               std::to_string(chunks) +
                                               " chunks: the text above is incomplete"));
}

Line& Line::hang() {
  steps_.emplace_back(Hang{});
  return *this;
}

Line& Line::refuse(Error error) {
  refusal_ = std::move(error);
  return *this;
}

Line say(std::string text) { return Line().text(std::move(text)).finish(); }

Line say(std::initializer_list<std::string> pieces) {
  Line line;
  for (const std::string& piece : pieces) line.text(piece);
  return line.finish();
}

Line call(ToolCall call) { return Line().tool_call(std::move(call)).finish("tool_calls"); }

Line fail(Errc code, const std::string& what, ErrorDetails details) {
  return Line().fail(Error(code, what, std::move(details)));
}

}  // namespace scripted

namespace {

using scripted::Line;

// What happens in a stream, and when. The last one is an Error or the end.
struct End {};
struct Moment {
  Instant due{};
  std::variant<Chunk, Error, End> what{};
};

Error too_late(std::string_view what, std::chrono::milliseconds limit) {
  return Error(
      Errc::timeout,
      "scripted: " + std::string(what) + " within " + std::to_string(limit.count()) + " ms",
      {.retryable = true});
}

// Writes down the moments of one answer. Everything about it but a cancel is known when it starts.
class Timetable {
 public:
  Timetable(Instant started, const Limits& limits) : limits_(limits), started_(started) {
    moments_.reserve(8);
  }

  std::vector<Moment> of(const Line& line) && {
    for (const Line::Step& step : line.steps()) {
      if (const auto* delay = std::get_if<Line::Delay>(&step)) {
        gap_ += delay->time;
      } else if (std::holds_alternative<Line::Hang>(step)) {
        gap_ = kForever;
        add(End{});
      } else if (const auto* chunk = std::get_if<Chunk>(&step)) {
        add(*chunk);
      } else {
        add(std::get<Error>(step));
      }
      if (over_) return std::move(moments_);
    }
    add(End{});
    return std::move(moments_);
  }

 private:
  static constexpr std::chrono::milliseconds kForever = std::chrono::hours(24 * 365);

  void add(std::variant<Chunk, Error, End> what) {
    const bool first = moments_.empty();
    const std::chrono::milliseconds patience = first ? limits_.first_byte : limits_.silence;
    const std::chrono::milliseconds due = last_ + gap_;
    if (patience.count() > 0 && gap_ > patience && !late(last_ + patience))
      return end(last_ + patience, too_late(first ? "no answer" : "nothing more came", patience));
    if (late(due)) return end(limits_.whole, too_late("no whole answer", limits_.whole));
    if (auto* chunk = std::get_if<Chunk>(&what)) {
      chunk->at = started_ + due;
      moments_.push_back({chunk->at, std::move(what)});
      last_ = due;
      gap_ = std::chrono::milliseconds(0);
    } else {
      end(due, std::move(what));
    }
  }

  void end(std::chrono::milliseconds due, std::variant<Chunk, Error, End> what) {
    moments_.push_back({started_ + due, std::move(what)});
    over_ = true;
  }

  bool late(std::chrono::milliseconds due) const {
    return limits_.whole.count() > 0 && due >= limits_.whole;
  }

  const Limits limits_;
  const Instant started_;
  std::vector<Moment> moments_;
  std::chrono::milliseconds last_{0};  // when the last chunk is due, from the start
  std::chrono::milliseconds gap_{0};   // what was waited since
  bool over_ = false;                  // the last moment is written
};

// The part of a stream that an alarm and a cancel on another thread see too.
struct Progress {
  std::mutex mutex;
  std::condition_variable cancelled;
  std::optional<Instant> cancelled_at;  // guarded by mutex
  std::function<void()> wake;           // guarded by mutex; empty if nobody asked

  void ring() {
    std::function<void()> now;
    {
      const std::lock_guard lock(mutex);
      now.swap(wake);
    }
    if (now) now();
  }
};

class ScriptedStream final : public ReplyStream {
 public:
  ScriptedStream(const Line& line, const Limits& limits, std::shared_ptr<Alarm> alarm,
                 std::stop_token stop)
      : alarm_(std::move(alarm)), moments_(Timetable(started_, limits).of(line)) {
    if (stop.stop_requested()) progress_->cancelled_at = Instant{};  // nothing is sent
    on_stop_.emplace(std::move(stop), Cancel{this});
  }

  Next try_next(Chunk& chunk) override {
    const std::lock_guard lock(progress_->mutex);
    Moment& moment = moments_[next_];
    if (!ready(moment)) {
      if (!progress_->cancelled_at) return Next::pending;
      ended_ = *progress_->cancelled_at;
      throw Error(Errc::cancelled, "scripted: cancelled");
    }
    if (auto* here = std::get_if<Chunk>(&moment.what)) {
      chunk = std::move(*here);
      ++next_;
      return Next::chunk;
    }
    ended_ = moment.due;
    if (const auto* error = std::get_if<Error>(&moment.what)) throw *error;
    return Next::end;
  }

  void wait(Instant until) override {
    std::unique_lock lock(progress_->mutex);
    const Instant enough = std::min(until, moments_[next_].due);
    progress_->cancelled.wait_until(lock, enough,
                                    [&] { return progress_->cancelled_at.has_value(); });
  }

  bool when_ready(std::function<void()> wake) override {
    const std::shared_ptr<Alarm> alarm = alarm_;  // `wake` may let go of this stream
    Instant due{};
    {
      const std::lock_guard lock(progress_->mutex);
      if (ready(moments_[next_]) || progress_->cancelled_at) return false;
      due = moments_[next_].due;
      progress_->wake = std::move(wake);
    }
    alarm->at(due, [weak = std::weak_ptr(progress_)] {
      if (const auto progress = weak.lock()) progress->ring();
    });
    return true;
  }

  void cancel() noexcept override {
    std::function<void()> wake;
    {
      const std::lock_guard lock(progress_->mutex);
      if (progress_->cancelled_at) return;
      progress_->cancelled_at = Instant::clock::now();
      wake.swap(progress_->wake);
    }
    progress_->cancelled.notify_all();
    if (wake) alarm_->at(Instant{}, std::move(wake));
  }

  StreamTimes times() const override { return {.sent = started_, .ended = ended_}; }

 private:
  struct Cancel {
    ScriptedStream* stream;
    void operator()() const noexcept { stream->cancel(); }
  };

  // With the mutex held. What was due before a cancel has arrived, and is still given out.
  bool ready(const Moment& moment) const {
    return moment.due <= progress_->cancelled_at.value_or(Instant::clock::now());
  }

  const Instant started_ = Instant::clock::now();
  const std::shared_ptr<Alarm> alarm_;
  const std::shared_ptr<Progress> progress_ = std::make_shared<Progress>();
  std::vector<Moment> moments_;  // read and changed by the reader alone
  std::size_t next_ = 0;         // stays at the last moment
  Instant ended_{};
  std::optional<std::stop_callback<Cancel>> on_stop_;  // last, so that it goes first
};

// The words of `text` with the blanks before them; together they are the text.
std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> all;
  while (!text.empty()) {
    const std::size_t start = std::min(text.find_first_not_of(" \n"), text.size());
    const std::size_t end = std::min(text.find_first_of(" \n", start), text.size());
    all.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return all;
}

// One token is one word here.
Line echo(const Request& request) {
  Line line;
  line.chunk({.what = ResponseInfo{.id = "scripted", .model = request.model}});
  std::string last;
  std::int64_t input = 0;
  for (const Message& message : request.messages) {
    input += static_cast<std::int64_t>(words(message.text).size());
    if (message.role == Message::Role::user) last = message.text;
  }
  const std::vector<std::string> spoken = words(last);
  if (request.stream)
    for (const std::string& word : spoken) line.text(word);
  else
    line.text(last);
  return line.finish().usage(
      {.input_tokens = input, .output_tokens = static_cast<std::int64_t>(spoken.size())});
}

}  // namespace

struct ScriptedBackend::Script {
  const ScriptedOptions options;
  const Answer answer;  // empty: the lines
  const ForkMark mark{};
  const std::shared_ptr<Alarm> alarm = std::make_shared<Alarm>();
  mutable std::mutex mutex{};
  std::deque<Line> lines{};         // guarded by mutex
  std::vector<Request> requests{};  // guarded by mutex

  // Keeps the request, and takes the line that answers it.
  Line take(const Request& request) {
    {
      const std::lock_guard lock(mutex);
      requests.push_back(request);
      if (!lines.empty()) {
        Line line = std::move(lines.front());
        lines.pop_front();
        return line;
      }
      if (!answer && !options.echo)
        throw Error(Errc::invalid_request, "scripted: no line left for request " +
                                               std::to_string(requests.size()) +
                                               ": add one, or let it echo");
    }
    return answer ? answer(request) : echo(request);
  }
};

ScriptedBackend::ScriptedBackend(ScriptedOptions options)
    : script_(new Script{.options = std::move(options), .answer = {}}) {}

ScriptedBackend::ScriptedBackend(Answer answer)
    : script_(new Script{.options = {}, .answer = std::move(answer)}) {}

ScriptedBackend::~ScriptedBackend() = default;

void ScriptedBackend::add(Line line) {
  const std::lock_guard lock(script_->mutex);
  script_->lines.push_back(std::move(line));
}

std::vector<Request> ScriptedBackend::requests() const {
  const std::lock_guard lock(script_->mutex);
  return script_->requests;
}

std::unique_ptr<ReplyStream> ScriptedBackend::start(Request request, std::stop_token stop) {
  if (script_->mark.inherited())
    throw Error(Errc::after_fork, "scripted: the backend belongs to the parent process");
  const Line line = script_->take(request);
  if (line.refusal()) throw *line.refusal();
  return std::make_unique<ScriptedStream>(line, request.limits, script_->alarm, std::move(stop));
}

std::vector<std::string> ScriptedBackend::models(std::stop_token) {
  return script_->options.models;
}

}  // namespace mellea
