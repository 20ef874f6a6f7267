#include "mellea/telemetry/logging_plugins.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/hooks/events.h"
#include "mellea/telemetry/generation_facts.h"
#include "mellea/telemetry/log_events.h"
#include "mellea/telemetry/span_ending.h"
#include "mellea/telemetry/stops.h"

namespace mellea::telemetry {
namespace {

using LoggerPtr = std::shared_ptr<Logger>;

constexpr How kHow{.priority = kTelemetryPriority + 20};
constexpr auto kBetweenRecords = std::chrono::minutes(1);

std::string or_unknown(std::string_view text) {
  return std::string(text.empty() ? "unknown" : text);
}

// "0.250 s"
std::string in_seconds(std::chrono::milliseconds time) {
  std::string part = std::to_string(time.count() % 1000);
  part.insert(0, 3 - std::min<std::size_t>(part.size(), 3), '0');
  return std::to_string(time.count() / 1000) + "." + part + " s";
}

void set_text(LogRecord& record, Fact fact, std::string_view text) {
  if (!text.empty()) record.set(fact, std::string(text));
}

void set_conversation(LogRecord& record, const std::shared_ptr<const std::string>& id) {
  if (id) set_text(record, Fact::conversation_id, *id);
}

// Where it goes. Null: nobody knows.
void set_target(LogRecord& record, const std::shared_ptr<const Target>& target) {
  if (!target) return;
  set_conversation(record, target->conversation);
  record.set(Fact::provider, or_unknown(provider_name(target->provider)));
}

std::string provider_of(const std::shared_ptr<const Target>& target) {
  return target ? or_unknown(provider_name(target->provider)) : "unknown";
}

std::string with_status(std::string text, int status) {
  return status == 0 ? text : text + ": HTTP status " + std::to_string(status);
}

class GenerationLoggingPlugin : public Plugin {
 public:
  explicit GenerationLoggingPlugin(LoggerPtr logger) : logger_(std::move(logger)) {}

  std::string_view name() const override { return "generation_logging"; }

  void subscribe(Subscriber& hooks) override {
    hooks.observe<GenerationRetry>([this](const GenerationRetry& event) { on_retry(event); }, kHow);
    hooks.observe<GenerationError>([this](const auto& event) { on_failure(event); }, kHow);
    hooks.observe<GenerationBatchError>([this](const auto& event) { on_failure(event); }, kHow);
    hooks.observe<Diagnostic>(
        [this](const Diagnostic& event) {
          if (event.notice.kind == Notice::Kind::option_ignored) on_ignored(event);
        },
        kHow);
  }

 private:
  void on_retry(const GenerationRetry& event) {
    if (!logger_->wants(Severity::warn)) return;
    const Notice& notice = event.notice;
    std::string body = "request to " + provider_of(event.target) + " failed with ";
    body = with_status(body.append(to_string(notice.category)), notice.http_status);
    body += "; attempt " + std::to_string(notice.attempt + 1) + " in " + in_seconds(notice.delay);
    LogRecord record{
        .severity = Severity::warn, .event = log_event::kRetry, .body = std::move(body)};
    set_place(record, event.scope);
    set_target(record, event.target);
    record.set(Fact::retry_attempt, std::int64_t{notice.attempt});
    record.set(Fact::error_type, std::string(to_string(notice.category)));
    if (notice.http_status != 0) record.set(Fact::http_status, std::int64_t{notice.http_status});
    record.set(Fact::retry_delay, seconds(notice.delay));
    set_labels(record, event.scope.labels());
    logger_->log(std::move(record));
  }

  template <class Closing>
  void on_failure(const Closing& event) {
    if (event.ending.outcome != Outcome::error || !logger_->wants(Severity::warn)) return;
    const auto& opening = *event.opening;
    const ErrorDetails none;
    const Error* error = event.ending.error.get();
    const ErrorDetails& details = error ? error->details() : none;
    const std::string_view category = to_string(error ? error->code() : Errc::unknown);
    std::string body = "request to " + provider_of(opening.target) + " failed with ";
    LogRecord record{.severity = Severity::warn,
                     .event = log_event::kException,
                     .body = with_status(body.append(category), details.status)};
    set_place(record, opening.scope, opening.trace);
    set_target(record, opening.target);
    record.set(Fact::operation, std::string(operation_name(opening.request->kind)));
    set_text(record, Fact::request_model, opening.request->model);
    record.set(Fact::error_type, std::string(category));
    record.set(Fact::exception_type, std::string(category));
    if (details.status != 0) record.set(Fact::http_status, std::int64_t{details.status});
    if (!details.provider_code.empty())
      set_text(record, Fact::provider_code, shown_provider_code(details.provider_code));
    set_text(record, Fact::request_id, shown_request_id(details.request_id));
    if (event.effort.retries > 0) record.set(Fact::retry_count, std::int64_t{event.effort.retries});
    set_labels(record, opening.scope.labels());
    logger_->log(std::move(record));
  }

  void on_ignored(const Diagnostic& event) {
    if (!logger_->wants(Severity::warn)) return;
    const std::string option = one_line(event.notice.name, 60);
    LogRecord record{
        .severity = Severity::warn,
        .event = log_event::kOptionIgnored,
        .body = provider_of(event.target) + " has no option " + option + ": it was not sent"};
    set_place(record, event.scope);
    set_target(record, event.target);
    record.set(Fact::ignored_option, option);
    set_labels(record, event.scope.labels());
    logger_->log(std::move(record));
  }

  const LoggerPtr logger_;
};

class BlockLoggingPlugin : public Plugin {
 public:
  explicit BlockLoggingPlugin(LoggerPtr logger) : logger_(std::move(logger)) {}

  std::string_view name() const override { return "block_logging"; }

  void subscribe(Subscriber& hooks) override {
    observe_stops(hooks, kHow, [this](const Stop& stop) { on_stop(stop); });
  }

 private:
  void on_stop(const Stop& stop) {
    if (!logger_->wants(Severity::warn)) return;
    const bool coded = is_code(stop.code);
    std::string body = "plugin " + std::string(stop.plugin) + " stopped " + std::string(stop.event);
    if (coded) body.append(": ").append(stop.code);
    LogRecord record{
        .severity = Severity::warn, .event = log_event::kBlock, .body = std::move(body)};
    set_place(record, stop.scope, stop.trace);
    set_conversation(record, stop.conversation);
    record.set(Fact::block_plugin, std::string(stop.plugin));
    record.set(Fact::block_event, std::string(stop.event));
    if (coded) record.set(Fact::block_code, std::string(stop.code));
    set_labels(record, stop.scope.labels());
    logger_->log(std::move(record));
  }

  const LoggerPtr logger_;
};

// What is found of a requirement stands on the chat whose answer it is about.
class EvaluationLoggingPlugin : public Plugin {
 public:
  explicit EvaluationLoggingPlugin(LoggerPtr logger) : logger_(std::move(logger)) {}

  std::string_view name() const override { return "evaluation_logging"; }

  void subscribe(Subscriber& hooks) override {
    hooks.observe<ValidationPostCheck>([this](const auto& event) { on_checks(event); }, kHow);
    hooks.observe<StreamingEnd>([this](const auto& event) { on_stream_end(event); }, kHow);
  }

 private:
  // An answer that was checked, and the operation that checked it.
  struct Evaluated {
    const Scope& answer;  // nothing if its generation is not known
    TraceRef trace{};     // of the answer
    const Scope& check;
    TraceRef check_trace{};
    std::shared_ptr<const std::string> conversation{};
    std::string_view response_id{};
  };

  void on_checks(const ValidationPostCheck& event) {
    if (!logger_->wants(Severity::info)) return;
    const ValidationPreCheck& opening = *event.opening;
    const Evaluated evaluated{.answer = opening.evaluated,
                              .trace = opening.evaluated.trace(),
                              .check = opening.scope,
                              .check_trace = opening.trace,
                              .conversation = opening.conversation,
                              .response_id = opening.reply->response.id};
    for (const Checked& checked : event.checks) log(checked, evaluated);
  }

  // Those that ended it: of an answer that came whole a validation tells.
  void on_stream_end(const StreamingEnd& event) {
    if (!event.failures || !logger_->wants(Severity::info)) return;
    const Scope unknown;
    const Evaluated evaluated{.answer = event.generation ? event.generation->scope : unknown,
                              .trace = event.generation ? event.generation->trace : TraceRef{},
                              .check = event.opening->scope,
                              .check_trace = event.opening->trace,
                              .conversation = event.opening->conversation};
    for (const Checked& checked : *event.failures) log(checked, evaluated);
  }

  void log(const Checked& checked, const Evaluated& evaluated) {
    const ValidationResult& result = checked.result;
    const Requirement& requirement = checked.requirement;
    LogRecord record{.event = log_event::kEvaluation,
                     .body = result.passed ? "a requirement was met" : "a requirement was not met",
                     .for_people = false};
    if (evaluated.answer)
      set_place(record, evaluated.answer, evaluated.trace);
    else
      set_place(record, evaluated.check, evaluated.check_trace);
    // An answer that nobody traced: where it was checked is nearer than nowhere.
    if (!evaluated.trace) record.span = place_of(evaluated.check, evaluated.check_trace);
    set_conversation(record, evaluated.conversation);
    set_text(
        record, Fact::evaluation_name,
        requirement.name().empty() ? requirement.kind() : std::string_view(requirement.name()));
    record.set(Fact::evaluation_label, std::string(result.passed ? "pass" : "fail"));
    if (result.score) record.set(Fact::evaluation_score, *result.score);
    if (is_code(result.code)) record.set(Fact::validation_code, result.code);
    set_text(record, Fact::response_id, evaluated.response_id);
    set_labels(record, evaluated.check.labels());
    logger_->log(std::move(record));
  }

  const LoggerPtr logger_;
};

class SlowPluginLoggingPlugin : public Plugin {
 public:
  SlowPluginLoggingPlugin(LoggerPtr logger, std::function<Instant()> now)
      : logger_(std::move(logger)), now_(std::move(now)) {}

  std::string_view name() const override { return "slow_plugin_logging"; }

  void subscribe(Subscriber& hooks) override {
    hooks.observe<Diagnostic>(
        [this](const Diagnostic& event) {
          if (event.notice.kind == Notice::Kind::plugin_slow) on_slow(event);
        },
        kHow);
  }

 private:
  struct Seen {
    std::int64_t untold = 0;
    Instant told_at{};  // zero: never
  };

  void on_slow(const Diagnostic& event) {
    const std::string& plugin = event.notice.name;
    const std::int64_t count = count_to_tell(plugin);
    if (count == 0 || !logger_->wants(Severity::warn)) return;
    LogRecord record{.severity = Severity::warn,
                     .event = log_event::kSlow,
                     .body = "plugin " + plugin + " took longer than " +
                             in_seconds(event.notice.delay) + ": " + std::to_string(count) +
                             (count == 1 ? " time" : " times")};
    set_place(record, event.scope);
    set_target(record, event.target);
    record.set(Fact::plugin_name, plugin);
    record.set(Fact::slow_count, count);
    set_labels(record, event.scope.labels());
    logger_->log(std::move(record));
  }

  // How often it was slow since it was told of; 0: that was less than a minute ago.
  std::int64_t count_to_tell(const std::string& plugin) {
    const Instant now = now_();
    const std::lock_guard lock(mutex_);
    Seen& seen = seen_[plugin];
    ++seen.untold;
    if (seen.told_at != Instant{} && now - seen.told_at < kBetweenRecords) return 0;
    seen.told_at = now;
    return std::exchange(seen.untold, 0);
  }

  const LoggerPtr logger_;
  const std::function<Instant()> now_;
  std::mutex mutex_;
  std::map<std::string, Seen> seen_;  // guarded by mutex_; by plugin: there are few
};

// Lets log lines of tools, checks and callbacks name the operation that they run in.
class UserCodePlugin : public Plugin {
 public:
  std::string_view name() const override { return "user_code_logging"; }

  void subscribe(Subscriber& hooks) override {
    hooks.transform<UserCodeBegin>(
        [](UserCodeBegin& event) {
          event.held.push_back(std::make_shared<UserCodeOnThread>(event.scope));
        },
        kHow);
  }
};

}  // namespace

Plugins make_logging_plugins(const LoggerPtr& logger, std::function<Instant()> now) {
  return {std::make_shared<GenerationLoggingPlugin>(logger),
          std::make_shared<BlockLoggingPlugin>(logger),
          std::make_shared<EvaluationLoggingPlugin>(logger),
          std::make_shared<SlowPluginLoggingPlugin>(logger, std::move(now)),
          std::make_shared<UserCodePlugin>()};
}

LogRecord record_of(const Evaluation& evaluation, const TraceRef& answer) {
  LogRecord record{.event = log_event::kEvaluation,
                   .body = "an answer was evaluated",
                   .span = answer,
                   .for_people = false};
  set_text(record, Fact::evaluation_name, evaluation.name);
  set_text(record, Fact::evaluation_label, evaluation.label);
  if (evaluation.score) record.set(Fact::evaluation_score, *evaluation.score);
  set_text(record, Fact::evaluation_explanation, evaluation.explanation);
  set_text(record, Fact::response_id, evaluation.response_id);
  return record;
}

}  // namespace mellea::telemetry
