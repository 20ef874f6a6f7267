#include "mellea/telemetry/generation_metrics_plugin.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/generation_facts.h"

namespace mellea::telemetry {
namespace {

constexpr How kHow{.priority = kTelemetryPriority + 10};

// More streams than this at once have the time between their chunks not counted: more can only mean
// that they never end.
constexpr std::size_t kMostStreams = 65'536;

std::string_view or_unknown(std::string_view text) { return text.empty() ? "unknown" : text; }

// Whether nothing but text went along.
bool is_text(const Request& request) {
  return std::all_of(request.messages.begin(), request.messages.end(), [](const Message& message) {
    return message.images.empty() && message.audio.empty();
  });
}

// A request that has ended, however it did.
struct Ended {
  const Scope& scope;
  const Target& target;
  const Request& request;
  const Ending& ending;
  const Effort& effort;
  const ResponseInfo* response = nullptr;  // null: there was no answer
  const Usage* usage = nullptr;            // null: not known
  std::chrono::nanoseconds took{0};
  TraceRef trace{};
};

class GenerationMetricsPlugin : public Plugin {
 public:
  GenerationMetricsPlugin(std::shared_ptr<const MetricRecorder> recorder,
                          std::shared_ptr<const Pricing> pricing, bool chunk_events)
      : recorder_(std::move(recorder)), pricing_(std::move(pricing)), chunk_events_(chunk_events) {}

  std::string_view name() const override { return "generation_metrics"; }

  void subscribe(Subscriber& hooks) override {
    hooks.observe<GenerationPostCall>([this](const auto& event) { on_end(event); }, kHow);
    hooks.observe<GenerationError>([this](const auto& event) { on_end(event); }, kHow);
    hooks.observe<GenerationBatchPostCall>([this](const auto& event) { on_end(event); }, kHow);
    hooks.observe<GenerationBatchError>([this](const auto& event) { on_end(event); }, kHow);
    hooks.observe<GenerationParseError>(
        [this](const GenerationParseError& event) {
          recorder_->record(Metric::parse_failures, 1, recorder_->labels(event.scope),
                            event.scope.trace());
        },
        kHow);
    if (!chunk_events_) return;
    hooks.observe<GenerationPreCall>([this](const auto& event) { on_start(event); }, kHow);
    hooks.observe<GenerationEvent>([this](const auto& event) { on_chunk(event); }, kHow);
  }

 private:
  struct Stream {
    LabelList labels;
    TraceRef trace{};
    Instant last{};  // zero: no chunk yet
  };

  LabelList labels_of(const Scope& scope, const Target& target, const Request& request,
                      const ResponseInfo* response) const {
    LabelList labels = recorder_->labels(scope);
    labels.add(Fact::provider, or_unknown(provider_name(target.provider)));
    labels.add(Fact::request_model, or_unknown(request.model));
    labels.add(Fact::operation, operation_name(request.kind));
    if (recorder_->is_mellea()) return labels;
    if (response && !response->model.empty())
      labels.add(Fact::response_model, std::string_view(response->model));
    const Endpoint& endpoint = target.endpoint;
    if (!endpoint.address.empty()) {
      labels.add(Fact::server_address, std::string_view(endpoint.address));
      if (endpoint.port != 0 && !endpoint.local)
        labels.add(Fact::server_port, std::int64_t{endpoint.port});
    }
    return labels;
  }

  template <class Closing>
  void on_end(const Closing& event) {
    const auto& opening = *event.opening;
    if (chunk_events_) forget(opening.scope.id());
    if (!recorder_->working()) return;
    if (opening.stopped) return;  // nothing was sent
    Ended ended{.scope = opening.scope,
                .target = *opening.target,
                .request = *opening.request,
                .ending = event.ending,
                .effort = event.effort,
                .took = event.ending.at - opening.at,
                .trace = opening.trace};
    if constexpr (requires { event.replies; }) {
      if (event.replies && !event.replies->empty())
        ended.response = &event.replies->front().response;
      if (event.usage) ended.usage = &*event.usage;
    } else if (event.reply) {
      ended.response = &event.reply->response;
      if (event.reply->usage) ended.usage = &*event.reply->usage;
    }
    record(ended, labels_of(opening.scope, ended.target, ended.request, ended.response));
  }

  void record(const Ended& ended, const LabelList& labels) const {
    record_duration(ended, labels);
    const Times& times = ended.effort.times;
    if (ended.request.stream && times.first_chunk != Instant{})
      recorder_->record(Metric::first_chunk, seconds(times.first_chunk - times.started), labels,
                        ended.trace);
    if (ended.effort.retries > 0)
      recorder_->record(Metric::retries, ended.effort.retries, labels, ended.trace);
    record_tokens(ended, labels);
    if (ended.ending.outcome == Outcome::error) {
      const std::string_view category = category_of(ended.ending);
      recorder_->record(
          Metric::errors, 1,
          labels.with(Fact::error_category, category).with(Fact::error_type, category),
          ended.trace);
    }
  }

  static std::string_view category_of(const Ending& ending) {
    return to_string(ending.error ? ending.error->code() : Errc::unknown);
  }

  void record_duration(const Ended& ended, LabelList labels) const {
    const Ending& ending = ended.ending;
    const bool embedding = ended.request.kind == Request::Kind::embedding;
    labels.add(Fact::request_stream, ended.request.stream);
    if (ending.outcome == Outcome::error) labels.add(Fact::error_type, category_of(ending));
    if (ending.outcome != Outcome::ok) labels.add(Fact::outcome, to_string(ending.outcome));
    if (ending.outcome == Outcome::cancelled)
      labels.add(Fact::cancel_reason, to_string(ending.reason));
    if (ended.took < std::chrono::nanoseconds(0)) return;
    const bool own = embedding && recorder_->has(Metric::embeddings_duration);
    recorder_->record(own ? Metric::embeddings_duration : Metric::duration, seconds(ended.took),
                      labels, ended.trace);
  }

  void record_tokens(const Ended& ended, const LabelList& labels) const {
    const Outcome outcome = ended.ending.outcome;
    const Times& times = ended.effort.times;
    const bool was_sent = times.sent != Instant{} || times.first_chunk != Instant{};
    if (!ended.usage) {
      if (outcome == Outcome::ok || (outcome == Outcome::cancelled && was_sent))
        recorder_->record(Metric::usage_missing, 1, labels, ended.trace);
      if (recorder_->has(Metric::input_tokens)) record_newest(ended, {}, labels);
      return;
    }
    const Usage& usage = *ended.usage;
    const auto record_type = [&](const std::optional<std::int64_t>& count, std::string_view type) {
      if (count.value_or(0) > 0)
        recorder_->record(Metric::token_usage, static_cast<double>(*count),
                          labels.with(Fact::token_type, type), ended.trace);
    };
    if (recorder_->has(Metric::token_usage)) {
      record_type(usage.input_tokens, "input");
      record_type(usage.output_tokens, "output");
    } else {
      record_newest(ended, usage, labels);
    }
    if (!pricing_) return;
    const auto cost = pricing_->cost({.provider = ended.target.provider,
                                      .model = ended.request.model,
                                      .endpoint = ended.target.endpoint,
                                      .response = ended.response,
                                      .usage = usage,
                                      .scope = ended.scope,
                                      .trace = ended.trace});
    if (cost) recorder_->record(Metric::cost, cost->whole, labels, ended.trace);
  }

  // As the newest conventions have it: a failed request counts, too, with 0 where nothing is known.
  void record_newest(const Ended& ended, const Usage& usage, const LabelList& labels) const {
    LabelList each = labels;
    if (ended.ending.outcome == Outcome::error)
      each.add(Fact::error_type, category_of(ended.ending));
    const auto known = [](const std::optional<std::int64_t>& count) {
      return static_cast<double>(count.value_or(0));
    };
    if (ended.request.kind == Request::Kind::embedding) {
      recorder_->record(Metric::embeddings_tokens_each, known(usage.input_tokens), each,
                        ended.trace);
      return;
    }
    recorder_->record(Metric::input_tokens_each, known(usage.input_tokens), each, ended.trace);
    recorder_->record(Metric::output_tokens_each, known(usage.output_tokens), each, ended.trace);
    const bool text = (usage.input_tokens || usage.output_tokens) && is_text(ended.request);
    const LabelList counted = labels.with(Fact::token_modality, text ? "text" : "unknown");
    recorder_->record(Metric::input_tokens, known(usage.input_tokens), counted, ended.trace);
    recorder_->record(Metric::output_tokens, known(usage.output_tokens), counted, ended.trace);
    const auto record_part = [&](Metric metric, const std::optional<std::int64_t>& count) {
      if (count) recorder_->record(metric, known(count), counted, ended.trace);
    };
    record_part(Metric::cache_read_tokens, usage.cache_read_tokens);
    record_part(Metric::cache_write_tokens, usage.cache_write_tokens);
    record_part(Metric::reasoning_tokens, usage.reasoning_tokens);
  }

  void on_start(const GenerationPreCall& event) {
    if (event.stopped || !event.request->stream || !recorder_->working()) return;
    Stream stream{.labels = labels_of(event.scope, *event.target, *event.request, nullptr),
                  .trace = event.trace};
    const std::lock_guard lock(mutex_);
    if (streams_.size() < kMostStreams) streams_.emplace(event.scope.id(), std::move(stream));
  }

  void on_chunk(const GenerationEvent& event) {
    if (!is_content(*event.chunk) || !recorder_->working()) return;
    const Instant at = event.chunk->at;
    Stream* stream = nullptr;  // stays where it is; its chunks and its end come one by one
    {
      const std::lock_guard lock(mutex_);
      const auto found = streams_.find(event.scope.id());
      if (found == streams_.end()) return;
      stream = &found->second;
    }
    const Instant before = std::exchange(stream->last, at);
    if (before != Instant{})
      recorder_->record(Metric::chunk_interval, seconds(at - before), stream->labels,
                        stream->trace);
  }

  void forget(Id generation) {
    const std::lock_guard lock(mutex_);
    streams_.erase(generation);
  }

  const std::shared_ptr<const MetricRecorder> recorder_;
  const std::shared_ptr<const Pricing> pricing_;  // null: nobody asks
  const bool chunk_events_;
  std::mutex mutex_;
  std::unordered_map<Id, Stream, std::size_t (*)(const Id&)> streams_{
      0, [](const Id& id) { return static_cast<std::size_t>(id.low); }};  // guarded by mutex_
};

}  // namespace

std::shared_ptr<Plugin> make_generation_metrics_plugin(
    std::shared_ptr<const MetricRecorder> recorder, std::shared_ptr<const Pricing> pricing,
    bool chunk_events) {
  return std::make_shared<GenerationMetricsPlugin>(std::move(recorder), std::move(pricing),
                                                   chunk_events);
}

}  // namespace mellea::telemetry
