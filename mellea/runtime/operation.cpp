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
