#include "mellea/runtime/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <utility>

#include "mellea/core/described.h"
#include "mellea/runtime/together.h"
#include "mellea/runtime/user_code.h"
#include "mellea/runtime/validation.h"

namespace mellea {
namespace {

// An attempt, and what was said in its line before it.
struct Made {
  Attempt attempt;
  std::vector<Message> turns{};
};

std::string try_again(const std::vector<std::string>& reasons) {
  std::string text = "That is not right yet:\n";
  for (const std::string& reason : reasons) text.append("* ").append(reason).append("\n");
  return text + "Answer again, so that all of it is right.";
}

// What was said and answered. Calls of tools that nobody ran need a result, or providers refuse
// what follows.
std::vector<Message> turn_of(const Attempt& attempt) {
  std::vector<Message> turn{*attempt.said, said_by(*attempt.reply)};
  for (const ToolCall& call : attempt.reply->tool_calls)
    turn.push_back({.role = Message::Role::tool,
                    .text = R"({"error":"not called: the answer is not right yet"})",
                    .tool_call_id = call.id,
                    .tool_name = call.name});
  return turn;
}

// One sampling on its way; its candidates run on several threads.
class Sampling {
 public:
  Sampling(const Model& model, const SamplingJob& job,
           const Operation<SamplingLoopStart>& operation)
      : model_(model), job_(job), operation_(operation), opening_(*operation.opening()) {
    for (int line = 0; line < job.strategy.parts().candidates; ++line)
      lines_.push_back(std::make_shared<Cancellation>(
          job.question.cancellation ? job.question.cancellation : model.cancellation));
  }

  // Throws if no attempt came of it, or it must not go on.
  void run() {
    const auto refuse_budget = [this](const std::string& why) {
      throw Error(Errc::invalid_request,
                  "strategy: budget is " + std::to_string(opening_.budget) + ": " + why);
    };
    if (opening_.budget < 1) refuse_budget("at least 1");
    if (opening_.budget > std::numeric_limits<int>::max() / static_cast<int>(lines_.size()))
      refuse_budget("too much for " + std::to_string(lines_.size()) + " candidates");
    std::vector<std::function<void()>> tasks;
    for (std::size_t line = 0; line < lines_.size(); ++line)
      tasks.emplace_back([this, line] { run_line(line); });
    run_together(operation_.hooks().workers(), std::move(tasks));
    const bool cancelled = model_.cancellation->reason() != CancelReason::none;
    if (error_ && (made_.empty() || lines_.size() == 1 || cancelled)) throw *error_;
  }

  // Among those that are ok, or among all if none is.
  std::size_t choose() const {
    std::vector<std::size_t> places;
    for (std::size_t place = 0; place < made_.size(); ++place)
      if (made_[place].attempt.ok()) places.push_back(place);
    if (places.empty())
      for (std::size_t place = 0; place < made_.size(); ++place) places.push_back(place);
    const Strategy::Choose& choose = job_.strategy.parts().choose;
    if (!choose || places.size() == 1) return places.front();
    Attempts among;
    for (const std::size_t place : places) among.push_back(made_[place].attempt);
    std::size_t chosen = 0;
    try {
      const UserCode seen(operation_.hooks(), operation_.scope());
      chosen = choose(among);
    } catch (...) {
      throw caught_in_user_code("strategy " + job_.strategy.name(), *model_.cancellation);
    }
    if (chosen >= places.size())
      throw Error(Errc::invalid_request, "strategy " + job_.strategy.name() + " chose attempt " +
                                             std::to_string(chosen) + " of " +
                                             std::to_string(places.size()));
    return places[chosen];
  }

  std::shared_ptr<const Attempts> attempts() const {
    auto attempts = std::make_shared<Attempts>();
    for (const Made& made : made_) attempts->push_back(made.attempt);
    return attempts;
  }
  const std::vector<Message>& turns_before(std::size_t place) const { return made_[place].turns; }
  int generations() const noexcept { return generations_; }

 private:
  void run_line(std::size_t line) noexcept {
    try {
      attempt_until_ok(line);
    } catch (...) {
      if (lines_[line]->reason() == CancelReason::superseded) return;
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = caught_error(model_.backend->provider());
    }
  }

  void attempt_until_ok(std::size_t line) {
    const Strategy::Parts& strategy = job_.strategy.parts();
    Question question = job_.question;
    question.cancellation = lines_[line];
    std::vector<Message> turns;
    for (int time = 1; time <= opening_.budget; ++time) {
      question.iteration = static_cast<int>(line) * opening_.budget + time;
      Made made{.attempt = attempt(question), .turns = turns};
      const Attempt& attempt = made.attempt;
      const bool over = attempt.ok() || time == opening_.budget;
      tell(attempt);
      keep(line, made);
      if (over) return;
      if (strategy.repair == Strategy::Repair::multi_turn) {
        // Where nothing said before is sent, its own turns are.
        if (question.context.kind() == Context::Kind::simple) question.context = Context::chat();
        for (Message& message : turn_of(attempt)) {
          question.context = question.context.add(message);
          turns.push_back(std::move(message));
        }
      }
      question.message = std::make_shared<const Message>(next_message(attempt));
      if (operation_.hooks().wanted<SamplingRepair>())
        operation_.hooks().tell(SamplingRepair{.scope = operation_.scope(),
                                               .strategy = job_.strategy,
                                               .repair_type = to_string(strategy.repair),
                                               .failed = std::make_shared<const Attempt>(attempt),
                                               .next = question.message});
    }
  }

  Message next_message(const Attempt& failed) const {
    switch (job_.strategy.parts().repair) {
      case Strategy::Repair::none: break;
      case Strategy::Repair::in_prompt: {
        Told what = told(opening_.requirements);
        what.repair = reasons(failed);
        return job_.component.render(what);
      }
      case Strategy::Repair::multi_turn: return {.text = try_again(reasons(failed))};
    }
    return *failed.said;
  }

  Attempt attempt(const Question& question) {
    question.cancellation->throw_if_requested();
    const Result result = ask(question);
    Attempt attempt{.iteration = question.iteration,
                    .said = question.message,
                    .reply = result.share_reply(),
                    .scope = result.scope(),
                    .times = result.times()};
    if (job_.schema) {
      attempt.unfit = unfit(*attempt.reply, *job_.schema, job_.question.format->name);
      if (attempt.unfit)
        tell_unfit(operation_.hooks(), attempt.scope, attempt.unfit, attempt.reply);
    }
    if (!opening_.requirements.empty() && !attempt.unfit) {
      Validated validated = validate(model_, {.parent = operation_.scope(),
                                              .iteration = question.iteration,
                                              .evaluated = attempt.scope,
                                              .reply = attempt.reply,
                                              .context = question.context,
                                              .requirements = opening_.requirements,
                                              .options = question.options,
                                              .cancellation = question.cancellation});
      attempt.checks = std::move(validated.checks);
      count(validated.generations);
    }
    if (job_.strategy.parts().score) attempt.score = score(attempt, question);
    return attempt;
  }

  // Nothing keeps the generation once it has answered.
  Result ask(const Question& question) {
    const auto generation = model_.ask(question);
    count(1);
    return generation->wait({});
  }

  double score(const Attempt& attempt, const Question& question) const {
    const std::string where = "strategy " + job_.strategy.name();
    double score = 0;
    try {
      const UserCode seen(operation_.hooks(), operation_.scope());
      score = job_.strategy.parts().score(
          {.reply = *attempt.reply, .context = question.context},
          {.scope = operation_.scope(), .stop = question.cancellation->token()});
    } catch (...) {
      throw caught_in_user_code(where, *question.cancellation);
    }
    if (std::isnan(score)) throw Error(Errc::invalid_request, where + ": the score is no number");
    return score;
  }

  void tell(const Attempt& attempt) const {
    if (operation_.hooks().wanted<SamplingIteration>())
      operation_.hooks().tell(
          SamplingIteration{.scope = operation_.scope(),
                            .strategy = job_.strategy,
                            .attempt = std::make_shared<const Attempt>(attempt)});
  }

  // The first that is ok may be all that is wanted.
  void keep(std::size_t line, Made made) {
    const bool wins = made.attempt.ok() && job_.strategy.parts().first_wins;
    {
      const std::lock_guard lock(mutex_);
      made_.push_back(std::move(made));
    }
    if (!wins) return;
    for (std::size_t other = 0; other < lines_.size(); ++other)
      if (other != line) lines_[other]->request(CancelReason::superseded);
  }

  void count(int generations) {
    const std::lock_guard lock(mutex_);
    generations_ += generations;
  }

  const Model& model_;
  const SamplingJob& job_;
  const Operation<SamplingLoopStart>& operation_;
  const SamplingLoopStart& opening_;                  // with what plugins changed
  std::vector<std::shared_ptr<Cancellation>> lines_;  // one a candidate

  std::mutex mutex_;
  // All below: guarded by mutex_ while candidates run.
  std::vector<Made> made_;  // in the order of their ends
  int generations_ = 0;
  std::optional<Error> error_;  // the first of a candidate
};

Requirements without_doubles(const Requirements& requirements) {
  Requirements once;
  for (const Requirement& requirement : requirements)
    if (std::find(once.begin(), once.end(), requirement) == once.end()) once.push_back(requirement);
  return once;
}

}  // namespace

std::shared_ptr<const Error> unfit(const Reply& reply, const Schema& schema,
                                   std::string_view name) {
  if (!reply.tool_calls.empty()) return nullptr;
  try {
    check_answer(read_answer(reply.text), schema, name);
    return nullptr;
  } catch (const Error& error) {
    return std::make_shared<const Error>(error);
  }
}

void tell_unfit(const Hooks& hooks, const Scope& generation,
                const std::shared_ptr<const Error>& error,
                const std::shared_ptr<const Reply>& reply) {
  if (hooks.wanted<GenerationParseError>())
    hooks.tell(GenerationParseError{.scope = generation, .error = error, .reply = reply});
}

Message said_by(const Reply& reply) {
  return {.role = Message::Role::assistant,
          .text = reply.text,
          .tool_calls = reply.tool_calls,
          .thinking = reply.thinking};
}

Message rendered(const Component& component, const Requirements& requirements) {
  try {
    return component.render(told(requirements));
  } catch (...) {
    throw caught_error(component.name());
  }
}

Told told(const Requirements& requirements) {
  Told told;
  for (const Requirement& requirement : requirements)
    if (!requirement.check_only() && !requirement.description().empty())
      told.requirements.push_back(requirement.description());
  return told;
}

std::vector<std::string> reasons(const Attempt& attempt) {
  std::vector<std::string> reasons;
  if (attempt.unfit) reasons.emplace_back(attempt.unfit->what());
  for (const Checked& checked : attempt.checks)
    if (!checked.result.passed)
      reasons.push_back(checked.result.reason.empty() ? std::string(checked.requirement.title())
                                                      : checked.result.reason);
  return reasons;
}

Sampled sample(const Model& model, const SamplingJob& job) {
  const Strategy::Parts& strategy = job.strategy.parts();
  Operation<SamplingLoopStart> operation(
      model.hooks, {.scope = job.question.parent.child(Kind::sampling),
                    .at = std::chrono::steady_clock::now(),
                    .strategy = job.strategy,
                    .component = job.question.component,
                    .action = job.question.message,
                    .context = job.question.context,
                    .requirements = without_doubles(
                        strategy.requirements.empty() ? job.requirements : strategy.requirements),
                    .budget = strategy.budget});
  SamplingJob inside = job;
  inside.question.parent = operation.scope();
  Sampling sampling(model, inside, operation);
  std::optional<std::size_t> chosen;
  try {
    if (operation.block()) throw blocked_error(*operation.block());
    sampling.run();
    chosen = sampling.choose();
  } catch (...) {
    const Error error = caught_error("strategy " + job.strategy.name());
    operation.end(ended_with(error, model.cancellation->reason()),
                  {.attempts = sampling.attempts()});
    throw error;
  }
  const auto attempts = sampling.attempts();
  const Attempt& best = (*attempts)[*chosen];
  operation.end(ended_ok(), {.attempts = attempts, .chosen = chosen});
  if (best.unfit) throw best.unfit->with_partial_text(best.reply->text);
  return {.attempts = attempts,
          .chosen = *chosen,
          .turns = sampling.turns_before(*chosen),
          .generations = sampling.generations()};
}

}  // namespace mellea
