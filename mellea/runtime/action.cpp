#include "mellea/runtime/action.h"

#include <algorithm>
#include <utility>

#include "mellea/runtime/summary.h"

namespace mellea {
namespace {

ComponentPreExecute opening_event(const SessionState& session, MadeCall& call, Message message) {
  CallOptions& options = call.options;
  const Entry entry{.labels = std::move(options.labels), .caller = std::move(call.caller)};
  return {.scope = call.parent.child(Kind::action, entry.options()),
          .at = std::chrono::steady_clock::now(),
          .component = call.component->name(),
          .action = std::make_shared<const Message>(std::move(message)),
          .context = call.before,
          .conversation = call.conversation,
          .prompt = call.component->prompt(),
          .options = merged(options.options, session.options),
          .format = std::move(options.format),
          .tools = specs_of(options.tools),
          .requirements = std::move(options.requirements),
          .strategy = options.strategy ? std::optional(*options.strategy) : std::nullopt};
}

}  // namespace

Model model_of(const SessionState& session, const std::shared_ptr<RunningCall>& running,
               const CallOptions& options, Hooks hooks,
               std::shared_ptr<const std::string> conversation) {
  return {.backend = session.parts.backend,
          .name = session.model,
          .hooks = std::move(hooks),
          .conversation = std::move(conversation),
          .limits = options.limits,
          .until = options.until,
          .cancellation = running->cancellation(),
          .runs = [weak = std::weak_ptr(running)](const std::shared_ptr<Generation>& generation) {
            if (const auto call = weak.lock()) call->runs(generation);
          }};
}

std::shared_ptr<Action> Action::begin(std::shared_ptr<SessionState> session, MadeCall call) {
  const Requirements given = call.options.requirements;
  const std::shared_ptr<Action> action(
      new Action(std::move(session), std::move(call), rendered(*call.component, given)));
  try {
    action->refuse_what_can_not_be();
    const ComponentPreExecute& opening = *action->operation_.opening();
    if (opening.format && opening.format->schema)
      action->schema_ = std::make_shared<const Schema>(opening.format->schema);
    action->message_ = opening.action;
    if (opening.requirements != given)
      action->message_ =
          std::make_shared<const Message>(rendered(*action->call_.component, opening.requirements));
    if (!action->call_.aside)
      action->call_.before =
          context_of(action->session_, action->call_, action->operation_.scope());
    return action;
  } catch (...) {
    const Error error = caught_error("the call");
    action->end(ended_with(error, action->model_.cancellation->reason()));
    throw error;
  }
}

Action::Action(std::shared_ptr<SessionState> session, MadeCall call, Message message)
    : session_(std::move(session)),
      call_(std::move(call)),
      operation_(call_.hooks, opening_event(*session_, call_, std::move(message))),
      model_(model_of(*session_, call_.running, call_.options, call_.hooks, call_.conversation)),
      tools_(call_.options.tools.empty()
                 ? nullptr
                 : std::make_shared<const Tools>(std::move(call_.options.tools))) {}

void Action::refuse_what_can_not_be() const {
  if (operation_.block()) throw blocked_error(*operation_.block());
  const ComponentPreExecute& opening = *operation_.opening();
  if (!opening.requirements.empty() && !opening.strategy)
    throw Error(Errc::invalid_request,
                "requirement \"" + std::string(opening.requirements.front().title()) +
                    "\": without a strategy nothing would check it: instruct() has one, and chat() "
                    "and act() take one");
}

bool Action::may_sample_again() const noexcept {
  const ComponentPreExecute& opening = *operation_.opening();
  if (!opening.strategy) return false;
  const Strategy::Parts& strategy = opening.strategy->parts();
  return schema_ || !opening.requirements.empty() || !strategy.requirements.empty() ||
         strategy.candidates > 1 || strategy.score;
}

Question Action::question() const {
  const ComponentPreExecute& opening = *operation_.opening();
  return {.parent = operation_.scope(),
          .message = message_,
          .context = call_.before,
          .component = opening.component,
          .prompt = opening.prompt,
          .options = *opening.options,
          .tools = opening.tools,
          .tool_choice = call_.options.tool_choice,
          .format = opening.format,
          .system = call_.options.system,
          .stream = call_.options.stream};
}

std::shared_ptr<Generation> Action::send() {
  try {
    if (may_sample_again())
      throw Error(Errc::invalid_request,
                  "a call that is started has one answer: requirements, a format with a strategy, "
                  "candidates and scores need instruct(), chat() or act()");
    Question question = this->question();
    if (operation_.opening()->strategy) begin_sampling(question);
    return model_.ask(std::move(question), [self = shared_from_this()](const Generated& generated) {
      return self->ended(generated);
    });
  } catch (...) {
    const Error error = caught_error(session_->parts.backend->provider());
    const Ending ending = ended_with(error, model_.cancellation->reason());
    if (sampling_) sampling_->end(ending);
    end(ending);
    throw error;
  }
}

void Action::begin_sampling(Question& question) {
  const Strategy& strategy = *operation_.opening()->strategy;
  sampling_ = std::make_unique<Operation<SamplingLoopStart>>(
      call_.hooks, SamplingLoopStart{.scope = question.parent.child(Kind::sampling),
                                     .at = std::chrono::steady_clock::now(),
                                     .strategy = strategy,
                                     .component = question.component,
                                     .action = message_,
                                     .context = question.context,
                                     .budget = strategy.parts().budget});
  if (sampling_->block()) throw blocked_error(*sampling_->block());
  if (!sampling_->opening()->requirements.empty())
    throw Error(Errc::invalid_request,
                "a plugin added requirements to a call that is not waited for: instruct() and "
                "act() check them, start_instruct() and instruct_async() could not");
  question.parent = sampling_->scope();
  question.iteration = 1;
}

std::optional<Error> Action::ended(const Generated& generated) {
  const Ending& ending = generated.ending;
  if (ending.outcome != Outcome::ok) {
    if (sampling_) sampling_->end(ending);
    end(ending);
    return std::nullopt;
  }
  if (schema_) {
    const auto why = unfit(*generated.reply, *schema_, operation_.opening()->format->name);
    if (why) {
      tell_unfit(call_.hooks, generated.scope, why, generated.reply);
      end(ended_with(*why));
      return *why;
    }
  }
  Closing<ComponentPreExecute>::Facts facts{.reply = generated.reply, .generations = 1};
  if (sampling_) {
    const Attempt attempt{.iteration = 1,
                          .said = message_,
                          .reply = generated.reply,
                          .scope = generated.scope,
                          .times = generated.times};
    attempts_ = std::make_shared<const Attempts>(Attempts{attempt});
    if (call_.hooks.wanted<SamplingIteration>())
      call_.hooks.tell(SamplingIteration{.scope = sampling_->scope(),
                                         .strategy = sampling_->opening()->strategy,
                                         .attempt = std::make_shared<const Attempt>(attempt)});
    sampling_->end(ended_ok(), {.attempts = attempts_, .chosen = 0});
    facts.attempts = attempts_;
    facts.chosen = 0;
  }
  end_well({*message_, said_by(*generated.reply)}, std::move(facts));
  return std::nullopt;
}

Result Action::run() {
  const ComponentPreExecute& opening = *operation_.opening();
  if (!opening.strategy) return completed(send()->wait({}));
  try {
    Sampled sampled = sample(model_, {.component = *call_.component,
                                      .question = question(),
                                      .strategy = *opening.strategy,
                                      .requirements = opening.requirements,
                                      .schema = schema_});
    const Attempt& chosen = (*sampled.attempts)[sampled.chosen];
    sampled.turns.push_back(*chosen.said);
    sampled.turns.push_back(said_by(*chosen.reply));
    end_well(std::move(sampled.turns), {.reply = chosen.reply,
                                        .generations = sampled.generations,
                                        .attempts = sampled.attempts,
                                        .chosen = sampled.chosen});
    return Result({.reply = chosen.reply,
                   .scope = chosen.scope,
                   .times = chosen.times,
                   .attempts = sampled.attempts,
                   .chosen = sampled.chosen,
                   .tools = tools_});
  } catch (...) {
    const Error error = caught_error(session_->parts.backend->provider());
    end(ended_with(error, model_.cancellation->reason()));
    throw error;
  }
}

Result Action::completed(const Result& of_generation) const {
  return Result({.reply = of_generation.share_reply(),
                 .scope = of_generation.scope(),
                 .times = of_generation.times(),
                 .attempts = attempts_,
                 .tools = tools_});
}

void Action::end_well(std::vector<Message> said, Closing<ComponentPreExecute>::Facts facts) {
  facts.context = call_.aside ? session_->context_now()
                              : session_->add_turns({.conversation = call_.conversation,
                                                     .said = std::move(said),
                                                     .usage = facts.reply->usage,
                                                     .before = call_.before,
                                                     .hooks = call_.hooks,
                                                     .scope = operation_.scope()});
  operation_.end(ended_ok(), std::move(facts));
  call_.running = nullptr;  // the session need not wait for whoever holds the result
}

void Action::end(const Ending& ending) {
  operation_.end(ending, {.context = session_->context_now()});
  call_.running = nullptr;
}

}  // namespace mellea
