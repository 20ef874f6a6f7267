#include "mellea/telemetry/span_ending.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "mellea/telemetry/span_events.h"

namespace mellea::telemetry {
namespace {

// What providers call their failures, in the order of their bytes. Any other word might hold
// anything.
constexpr auto kProviderCodes = std::to_array<std::string_view>({
    "DeploymentNotFound",
    "ResponsibleAIPolicyViolation",
    "account_deactivated",
    "auth_error",
    "authentication_error",
    "authentication_token_expired",
    "authentication_token_not_valid",
    "authorization_rejected",
    "billing_hard_limit_reached",
    "billing_not_active",
    "budget_exceeded",
    "capacity_exceeded",
    "content_filter",
    "content_policy_violation",
    "context_length_exceeded",
    "data_inspection_failed",
    "downstream_request_failed",
    "empty_input",
    "engine_overloaded",
    "exceed_context_size_error",
    "feature_not_supported",
    "generation",
    "incomplete_generation",
    "insufficient_quota",
    "internal_error",
    "internal_server_error",
    "invalid_api_key",
    "invalid_input_argument",
    "invalid_organization",
    "invalid_prompt",
    "invalid_request_error",
    "invalid_request_json",
    "invalid_type",
    "invalid_value",
    "json_type_error",
    "json_validate_failed",
    "missing_required_parameter",
    "model_no_support_for_function",
    "model_not_found",
    "model_not_supported",
    "model_overloaded",
    "moderation_blocked",
    "no_associated_service_instance_error",
    "not_found_error",
    "not_supported_error",
    "overloaded",
    "permission_error",
    "project_not_found",
    "rate_limit_error",
    "rate_limit_exceeded",
    "rate_limit_reached_requests",
    "request_timeout",
    "server_error",
    "service_unavailable",
    "space_not_found",
    "string_above_max_length",
    "template_error",
    "throttling_error",
    "token_quota_reached",
    "tokenizer",
    "tokens",
    "tool_use_failed",
    "unavailable_error",
    "unknown_parameter",
    "unsupported_country_region_territory",
    "unsupported_model",
    "unsupported_parameter",
    "unsupported_value",
    "validation",
    "vector_store_timeout",
});
static_assert(std::is_sorted(kProviderCodes.begin(), kProviderCodes.end()));

bool is_one_of(std::string_view text, std::string_view allowed, std::size_t most) noexcept {
  return !text.empty() && text.size() <= most &&
         text.find_first_not_of(allowed) == std::string_view::npos;
}

constexpr std::string_view kCodeLetters = "abcdefghijklmnopqrstuvwxyz0123456789_";
constexpr std::string_view kIdLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/+=";

std::string description(Errc code, const ErrorDetails& details) {
  std::string text(to_string(code));
  if (code == Errc::blocked && !details.plugin.empty()) text += " by plugin " + details.plugin;
  if (details.status != 0) text += ": HTTP status " + std::to_string(details.status);
  return text;
}

void set_details(SpanRecord& record, const Ending& ending, const ErrorText& errors,
                 const Request* request) {
  if (!ending.error) return;
  const Error& error = *ending.error;
  const ErrorDetails& details = error.details();
  const std::string message = errors.of(error, request);
  std::string sentence = description(error.code(), details);
  if (!message.empty()) sentence.append(": ").append(message);
  record.description = record.kept(sentence);
  if (error.code() == Errc::blocked) {
    if (!details.plugin.empty()) record.set(Fact::block_plugin, details.plugin);
    if (is_code(details.block_code)) record.set(Fact::block_code, details.block_code);
    return;  // a decision, and no exception
  }
  if (details.status != 0) record.set(Fact::http_status, std::int64_t{details.status});
  if (!details.provider_code.empty())
    record.set(Fact::provider_code, shown_provider_code(details.provider_code));
  if (const auto id = shown_request_id(details.request_id); !id.empty())
    record.set(Fact::request_id, id);
  const Attribute attributes[] = {{Fact::exception_type, to_string(error.code())},
                                  {Fact::exception_message, std::string_view(message)}};
  record.add_last_event(span_event::kException,
                        ending.at == Instant{} ? Instant::clock::now() : ending.at,
                        std::span(attributes).first(message.empty() ? 1 : 2));
}

// An answer that came whole and is not what its format says is told apart from one that never came.
std::string_view outcome_word(const Ending& ending, Errc code) {
  if (code == Errc::blocked) return "blocked";
  return ending.error && ending.error->details().unfit ? "parse_error" : "error";
}

// Nothing if it did not fail.
std::optional<Errc> failure_of(const Ending& ending) {
  if (ending.outcome == Outcome::ok || ending.outcome == Outcome::cancelled) return std::nullopt;
  if (ending.error) return ending.error->code();
  return ending.outcome == Outcome::blocked ? Errc::blocked : Errc::unknown;
}

void set_outcome(SpanRecord& record, const Ending& ending) {
  if (ending.outcome == Outcome::cancelled) {
    record.set(Fact::outcome, to_string(ending.outcome));
    record.set(Fact::cancel_reason, to_string(ending.reason));
  } else if (const std::optional<Errc> code = failure_of(ending)) {
    record.status = SpanStatus::error;
    if (!record.find(Fact::error_type)) record.set(Fact::error_type, to_string(*code));
    record.set(Fact::outcome, outcome_word(ending, *code));
  }
}

}  // namespace

std::string_view shown_provider_code(std::string_view code) noexcept {
  return std::binary_search(kProviderCodes.begin(), kProviderCodes.end(), code) ? code : "other";
}

std::string_view shown_request_id(std::string_view id) noexcept {
  return is_foreign_id(id) ? id : std::string_view();
}

bool is_code(std::string_view text) noexcept { return is_one_of(text, kCodeLetters, 40); }

bool is_foreign_id(std::string_view text) noexcept { return is_one_of(text, kIdLetters, 128); }

void set_labels(SpanRecord& record, const Labels& labels) {
  for (const auto& [key, label] : labels) {
    if (names_a_fact(key)) continue;  // it would stand there twice
    std::visit(
        [&, &name = key](const auto& value) {
          if constexpr (std::is_same_v<decltype(value), const std::string&>)
            record.set_label(name, std::string_view(value));
          else
            record.set_label(name, value);
        },
        label);
  }
}

void end_span(Tracer& tracer, const Scope& scope, Tracer::Taken span, const Ending& ending,
              const Request* request) {
  const std::optional<Errc> failure = failure_of(ending);
  const bool told = failure && span.failed_inside == failure;
  set_outcome(*span.record, ending);
  if (failure && !told) set_details(*span.record, ending, tracer.errors(), request);
  if (failure) tracer.report_failure(scope, *failure);
  tracer.end(std::move(span.record), ending.at);
}

void set_ending(SpanRecord& record, const Ending& ending, const ErrorText& errors,
                const Request* request) {
  set_outcome(record, ending);
  if (failure_of(ending)) set_details(record, ending, errors, request);
}

Ending stopped_ending(const Block& block, Instant at) {
  const ErrorDetails details{.plugin = block.plugin, .block_code = block.code};
  return {.outcome = Outcome::blocked,
          .error = std::make_shared<const Error>(
              Errc::blocked, block.reason.empty() ? "blocked" : block.reason, details),
          .at = at};
}

void end_span_unmet(Tracer& tracer, Tracer::Taken span, Instant at) {
  SpanRecord& record = *span.record;
  record.status = SpanStatus::error;
  record.description = kRequirementFailed;
  record.set(Fact::error_type, kRequirementFailed);
  tracer.end(std::move(span.record), at);
}

}  // namespace mellea::telemetry
