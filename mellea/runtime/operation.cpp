#include "mellea/runtime/operation.h"

namespace mellea {

std::shared_ptr<const Block> Closing<SessionPreInit>::tell(
    const Hooks& hooks, std::shared_ptr<const SessionPreInit> opening, Ending ending, Facts facts) {
  if (hooks.wanted<SessionCleanup>())
    hooks.tell(SessionCleanup{.opening = std::move(opening),
                              .ending = std::move(ending),
                              .context = std::move(facts.context),
                              .interactions = facts.interactions});
  return nullptr;
}

std::shared_ptr<const Block> Closing<ComponentPreExecute>::tell(
    const Hooks& hooks, std::shared_ptr<const ComponentPreExecute> opening, Ending ending,
    Facts facts) {
  if (ending.error) {
    if (hooks.wanted<ComponentPostError>())
      hooks.tell(ComponentPostError{.opening = std::move(opening),
                                    .ending = std::move(ending),
                                    .context = std::move(facts.context)});
  } else if (hooks.wanted<ComponentPostSuccess>()) {
    hooks.tell(ComponentPostSuccess{.opening = std::move(opening),
                                    .ending = std::move(ending),
                                    .reply = std::move(facts.reply),
                                    .generations = facts.generations,
                                    .attempts = std::move(facts.attempts),
                                    .chosen = facts.chosen,
                                    .context = std::move(facts.context)});
  }
  return nullptr;
}

std::shared_ptr<const Block> Closing<GenerationPreCall>::tell(
    const Hooks& hooks, std::shared_ptr<const GenerationPreCall> opening, Ending ending,
    Facts facts) {
  std::shared_ptr<const Block> block;
  if (!ending.error && hooks.wanted<GenerationPostCall>()) {
    GenerationPostCall event{.opening = opening,
                             .ending = ending,
                             .reply = facts.reply ? facts.reply : std::make_shared<const Reply>(),
                             .effort = facts.effort};
    // What was cancelled is told, not decided.
    if (ending.outcome == Outcome::ok) block = hooks.decide(event).block();
    if (!block) hooks.tell(event);
  }
  if (block) {  // it ended when the reply did, not when the plugin had made up its mind
    const Instant at = ending.at;
    ending = ended_with(blocked_error(*block));
    ending.at = at;
  }
  if (ending.error && hooks.wanted<GenerationError>())
    hooks.tell(GenerationError{.opening = std::move(opening),
                               .ending = std::move(ending),
                               .reply = std::move(facts.reply),
                               .effort = facts.effort});
  return block;
}

std::shared_ptr<const Block> Closing<GenerationBatchPreCall>::tell(
    const Hooks& hooks, std::shared_ptr<const GenerationBatchPreCall> opening, Ending ending,
    Facts facts) {
  std::shared_ptr<const Block> block;
  if (!ending.error && hooks.wanted<GenerationBatchPostCall>()) {
    GenerationBatchPostCall event{
        .opening = opening,
        .ending = ending,
        .replies = facts.replies ? facts.replies : std::make_shared<const std::vector<Reply>>(),
        .usage = facts.usage,
        .effort = facts.effort};
    if (ending.outcome == Outcome::ok) block = hooks.decide(event).block();
    if (!block) hooks.tell(event);
  }
  if (block) {
    const Instant at = ending.at;  // when the batch did, not when the plugin had made up its mind
    ending = ended_with(blocked_error(*block));
    ending.at = at;
  }
  if (ending.error && hooks.wanted<GenerationBatchError>())
    hooks.tell(GenerationBatchError{.opening = std::move(opening),
                                    .ending = std::move(ending),
                                    .replies = std::move(facts.replies),
                                    .usage = facts.usage,
                                    .effort = facts.effort});
  return block;
}

std::shared_ptr<const Block> Closing<SamplingLoopStart>::tell(
    const Hooks& hooks, std::shared_ptr<const SamplingLoopStart> opening, Ending ending,
    Facts facts) {
  if (!hooks.wanted<SamplingLoopEnd>()) return nullptr;
  const bool success = facts.chosen && (*facts.attempts)[*facts.chosen].ok();
  hooks.tell(SamplingLoopEnd{.opening = std::move(opening),
                             .ending = std::move(ending),
                             .attempts = std::move(facts.attempts),
                             .chosen = facts.chosen,
                             .success = success});
  return nullptr;
}

namespace {

// The closing event of an operation that a plugin may turn into a failure, and the block if one
// did: then that is how it has ended.
template <class Event>
std::shared_ptr<const Block> decide_and_tell(const Hooks& hooks, Event& event) {
  std::shared_ptr<const Block> block;
  if (event.ending.outcome == Outcome::ok) block = hooks.decide(event).block();
  hooks.tell(event);
  return block;
}

}  // namespace

std::shared_ptr<const Block> Closing<ValidationPreCheck>::tell(
    const Hooks& hooks, std::shared_ptr<const ValidationPreCheck> opening, Ending ending,
    Facts facts) {
  if (!hooks.wanted<ValidationPostCheck>()) return nullptr;
  ValidationPostCheck event{.opening = std::move(opening),
                            .ending = std::move(ending),
                            .checks = facts.checks ? *facts.checks : std::vector<Checked>()};
  auto block = decide_and_tell(hooks, event);
  if (facts.checks) *facts.checks = std::move(event.checks);
  return block;
}

std::shared_ptr<const Block> Closing<ToolPreInvoke>::tell(
    const Hooks& hooks, std::shared_ptr<const ToolPreInvoke> opening, Ending ending, Facts facts) {
  if (!hooks.wanted<ToolPostInvoke>()) return nullptr;
  ToolPostInvoke event{.opening = std::move(opening),
                       .ending = std::move(ending),
                       .took = facts.took,
                       .remote = std::move(facts.remote),
                       .output = facts.output ? *facts.output : std::string()};
  auto block = decide_and_tell(hooks, event);
  if (facts.output) *facts.output = std::move(event.output);
  return block;
}

std::shared_ptr<const Block> Closing<AgentStart>::tell(const Hooks& hooks,
                                                       std::shared_ptr<const AgentStart> opening,
                                                       Ending ending, Facts facts) {
  if (hooks.wanted<AgentEnd>())
    hooks.tell(AgentEnd{.opening = std::move(opening),
                        .ending = std::move(ending),
                        .steps = facts.steps,
                        .answer = std::move(facts.answer)});
  return nullptr;
}

std::shared_ptr<const Block> Closing<StreamingStart>::tell(
    const Hooks& hooks, std::shared_ptr<const StreamingStart> opening, Ending ending, Facts facts) {
  if (hooks.wanted<StreamingEnd>())
    hooks.tell(StreamingEnd{.opening = std::move(opening),
                            .ending = std::move(ending),
                            .success = facts.success,
                            .failures = std::move(facts.failures),
                            .length = facts.length,
                            .generation = std::move(facts.generation)});
  return nullptr;
}

Error blocked_error(const Block& block) {
  return Error(Errc::blocked, "plugin " + block.plugin + ": " + block.reason,
               ErrorDetails{.plugin = block.plugin,
                            .block_reason = block.reason,
                            .block_code = block.code,
                            .block_details = block.details});
}

Error caught_error(std::string_view where) {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return Error(Errc::unknown, std::string(where) + ": " + error.what());
  } catch (...) {
    return Error(Errc::unknown, std::string(where) + ": threw what is no std::exception");
  }
}

Ending ended_ok() { return {.outcome = Outcome::ok, .at = std::chrono::steady_clock::now()}; }

Ending ended_with(const Error& error, CancelReason reason) {
  if (error.code() == Errc::cancelled) return ended_cancelled(reason);
  if (error.code() == Errc::shutdown) return ended_cancelled(CancelReason::shutdown);
  return {.outcome = error.code() == Errc::blocked ? Outcome::blocked : Outcome::error,
          .error = std::make_shared<const Error>(error),
          .at = std::chrono::steady_clock::now()};
}

Ending ended_cancelled(CancelReason reason) {
  return {.outcome = Outcome::cancelled, .reason = reason, .at = std::chrono::steady_clock::now()};
}

}  // namespace mellea
