#include "mellea/core/reply.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

namespace mellea {
namespace {

void drop_negative(std::optional<std::int64_t>& count) {
  if (count && *count < 0) count.reset();
}

void drop_if_larger(std::optional<std::int64_t>& subset, const std::optional<std::int64_t>& total) {
  if (subset && total && *subset > *total) subset.reset();
}

ToolCall& call_at(std::vector<ToolCall>& calls, int at) {
  const auto index = static_cast<std::size_t>(at < 0 ? 0 : at);
  if (calls.size() <= index) calls.resize(index + 1);
  return calls[index];
}

void add_tool_call(std::vector<ToolCall>& calls, const ToolCallPart& part) {
  ToolCall& call = call_at(calls, part.call);
  if (!part.id.empty()) call.id = part.id;
  if (!part.name.empty()) call.name = part.name;
  call.arguments += part.arguments;
}

void add_metadata(Json& metadata, const Json& told) {
  if (!metadata || !metadata->is_object() || !told->is_object()) {
    metadata = told;
    return;
  }
  nlohmann::json both = *metadata;
  both.update(*told);
  metadata = Json(std::move(both));
}

// A Reply and a Choice have the same names for what a choice says.
template <class Answer>
void add_said(Answer& answer, const Chunk& chunk) {
  if (const auto* text = std::get_if<std::string>(&chunk.what))
    answer.text += *text;
  else if (const auto* thinking = std::get_if<Thinking>(&chunk.what))
    answer.thinking += thinking->text;
  else if (const auto* refusal = std::get_if<Refusal>(&chunk.what))
    answer.refusal += refusal->text;
  else if (const auto* part = std::get_if<ToolCallPart>(&chunk.what))
    add_tool_call(answer.tool_calls, *part);
  else if (const auto* logprobs = std::get_if<Logprobs>(&chunk.what))
    answer.logprobs.insert(answer.logprobs.end(), logprobs->tokens.begin(), logprobs->tokens.end());
}

}  // namespace

Usage checked(Usage usage) {
  for (auto* count : {&usage.input_tokens, &usage.output_tokens, &usage.total_tokens,
                      &usage.cache_read_tokens, &usage.cache_write_tokens, &usage.reasoning_tokens})
    drop_negative(*count);
  drop_if_larger(usage.cache_read_tokens, usage.input_tokens);
  drop_if_larger(usage.cache_write_tokens, usage.input_tokens);
  drop_if_larger(usage.reasoning_tokens, usage.output_tokens);
  return usage;
}

Usage updated(const Usage& earlier, const Usage& later) {
  const auto either = [](const auto& a, const auto& b) { return b ? b : a; };
  return {.input_tokens = either(earlier.input_tokens, later.input_tokens),
          .output_tokens = either(earlier.output_tokens, later.output_tokens),
          .total_tokens = either(earlier.total_tokens, later.total_tokens),
          .cache_read_tokens = either(earlier.cache_read_tokens, later.cache_read_tokens),
          .cache_write_tokens = either(earlier.cache_write_tokens, later.cache_write_tokens),
          .reasoning_tokens = either(earlier.reasoning_tokens, later.reasoning_tokens)};
}

std::string_view to_string(Notice::Kind kind) noexcept {
  switch (kind) {
    case Notice::Kind::retry: return "retry";
    case Notice::Kind::option_ignored: return "option_ignored";
    case Notice::Kind::usage_implausible: return "usage_implausible";
    case Notice::Kind::token_renewed: return "token_renewed";
    case Notice::Kind::server_restarted: return "server_restarted";
    case Notice::Kind::plugin_failed: return "plugin_failed";
    case Notice::Kind::plugin_slow: return "plugin_slow";
    case Notice::Kind::callback_failed: return "callback_failed";
    case Notice::Kind::background_dropped: return "background_dropped";
    case Notice::Kind::summary_failed: return "summary_failed";
    case Notice::Kind::left_behind: break;
  }
  return "left_behind";
}

std::string_view to_string(Message::Role role) noexcept {
  switch (role) {
    case Message::Role::system: return "system";
    case Message::Role::user: return "user";
    case Message::Role::assistant: return "assistant";
    case Message::Role::tool: break;
  }
  return "tool";
}

void add(Reply& reply, const Chunk& chunk) {
  if (const auto* usage = std::get_if<Usage>(&chunk.what)) {
    if (chunk.index < 0)
      reply.usage = *usage;  // of all prompts: what is missing in it nobody knows
    else if (chunk.index == 0)
      reply.usage = updated(reply.usage.value_or(Usage{}), *usage);
  } else if (const auto* info = std::get_if<ResponseInfo>(&chunk.what)) {
    if (!info->id.empty()) reply.response.id = info->id;
    if (!info->model.empty()) reply.response.model = info->model;
    if (!info->service_tier.empty()) reply.response.service_tier = info->service_tier;
    if (!info->system_fingerprint.empty())
      reply.response.system_fingerprint = info->system_fingerprint;
    if (info->metadata) add_metadata(reply.response.metadata, info->metadata);
  } else if (const auto* finish = std::get_if<Finish>(&chunk.what)) {
    reply.finish_reasons.push_back(finish->reason);
    if (chunk.index > 0) {
      const auto at = static_cast<std::size_t>(chunk.index);
      if (reply.alternatives.size() < at) reply.alternatives.resize(at);
      reply.alternatives[at - 1].finish_reason = finish->reason;
    }
  } else if (const auto* embedding = std::get_if<Embedding>(&chunk.what)) {
    const auto at = static_cast<std::size_t>(chunk.index < 0 ? 0 : chunk.index);
    if (reply.embeddings.size() <= at) reply.embeddings.resize(at + 1);
    reply.embeddings[at] = *embedding;
  } else if (std::holds_alternative<Notice>(chunk.what)) {
    return;
  } else if (chunk.index <= 0) {
    add_said(reply, chunk);
  } else {
    const auto at = static_cast<std::size_t>(chunk.index);
    if (reply.alternatives.size() < at) reply.alternatives.resize(at);
    add_said(reply.alternatives[at - 1], chunk);
  }
}

bool is_content(const Chunk& chunk) noexcept {
  return std::holds_alternative<std::string>(chunk.what) ||
         std::holds_alternative<Thinking>(chunk.what) ||
         std::holds_alternative<Refusal>(chunk.what) ||
         std::holds_alternative<ToolCallPart>(chunk.what);
}

}  // namespace mellea
