#include "mellea/telemetry/content_logging_plugin.h"

#include <chrono>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mellea/hooks/events.h"
#include "mellea/telemetry/generation_facts.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/span_ending.h"

namespace mellea::telemetry {
namespace {

bool is_json(const Key& key) {
  const Fact* fact = std::get_if<Fact>(&key);
  return fact && (*fact == Fact::input_messages || *fact == Fact::output_messages ||
                  *fact == Fact::system_instructions || *fact == Fact::tool_definitions ||
                  *fact == Fact::prompt_variables);
}

struct ToLogValue {
  bool json = false;

  LogValue operator()(std::string_view text) const {
    if (json) return JsonText{std::string(text)};
    return std::string(text);
  }
  LogValue operator()(std::span<const std::string_view> texts) const {
    return std::vector<std::string>(texts.begin(), texts.end());
  }
  LogValue operator()(const auto& number) const { return number; }
};

LogAttribute attribute_of(const Attribute& attribute) {
  LogAttribute log{.value = std::visit(ToLogValue{is_json(attribute.key)}, attribute.value)};
  if (const Fact* fact = std::get_if<Fact>(&attribute.key))
    log.key = *fact;
  else
    log.key = std::string(name_of(attribute.key));
  return log;
}

std::int64_t wall_clock_at(Instant at) {
  using std::chrono::nanoseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ago = at == Instant{} ? Instant::duration{} : Instant::clock::now() - at;
  return nanoseconds(now).count() - nanoseconds(ago).count();
}

class ContentLoggingPlugin : public Plugin {
 public:
  ContentLoggingPlugin(std::shared_ptr<Logger> logger, std::shared_ptr<const Content> content,
                       std::shared_ptr<const Pricing> pricing)
      : logger_(std::move(logger)), content_(std::move(content)), pricing_(std::move(pricing)) {}

  std::string_view name() const override { return "content_logging"; }

  void subscribe(Subscriber& hooks) override {
    if (!content_->in_events()) return;
    const How how{.priority = kTelemetryPriority};
    hooks.observe<GenerationPostCall>([this](const auto& event) { on_end(event); }, how);
    hooks.observe<GenerationError>([this](const auto& event) { on_end(event); }, how);
    hooks.observe<GenerationBatchPostCall>([this](const auto& event) { on_end(event); }, how);
    hooks.observe<GenerationBatchError>([this](const auto& event) { on_end(event); }, how);
  }

 private:
  // The attributes are made as on a span, which nobody else sees.
  template <class Closing>
  void on_end(const Closing& event) {
    if (!logger_->wants(Severity::debug)) return;
    const auto& opening = *event.opening;
    SpanRecord record;
    describe(record, opening);
    set_labels(record, opening.scope.labels());
    show_question(record, *opening.target, *opening.request, *content_);
    complete(record, event, pricing_.get());
    content_->set_replies(record, replies_of(event), event.ending.outcome);
    set_ending(record, event.ending, ErrorText(), nullptr);

    LogRecord log{.at = wall_clock_at(event.ending.at),
                  .severity = Severity::debug,
                  .event = kOperationDetails,
                  .span = place_of(opening.scope, opening.trace)};
    if (const Id session = opening.scope.id(Kind::session))
      log.set(Fact::session_id, session.text());
    for (const Attribute& attribute : record.attributes())
      if (!name_of(attribute.key).empty()) log.attributes.push_back(attribute_of(attribute));
    logger_->log(std::move(log));
  }

  const std::shared_ptr<Logger> logger_;
  const std::shared_ptr<const Content> content_;
  const std::shared_ptr<const Pricing> pricing_;  // null: nobody asks
};

}  // namespace

std::shared_ptr<Plugin> make_content_logging_plugin(std::shared_ptr<Logger> logger,
                                                    std::shared_ptr<const Content> content,
                                                    std::shared_ptr<const Pricing> pricing) {
  return std::make_shared<ContentLoggingPlugin>(std::move(logger), std::move(content),
                                                std::move(pricing));
}

}  // namespace mellea::telemetry
