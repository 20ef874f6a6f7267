#include "mellea/runtime/validation.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "mellea/runtime/judge.h"
#include "mellea/runtime/together.h"
#include "mellea/runtime/user_code.h"

namespace mellea {
namespace {

constexpr std::size_t kMostJudgements = 16;  // at once

// One validation on its way. The requirements are those that plugins left.
class Validation {
 public:
  Validation(const Model& model, const Operation<ValidationPreCheck>& operation,
             const ValidationJob& job)
      : model_(model),
        operation_(operation),
        opening_(*operation.opening()),
        cancellation_(std::make_shared<Cancellation>(job.cancellation)),
        found_(opening_.requirements.size()) {}

  // Throws the first Error, when nothing runs any more.
  void run() {
    start_judgements();
    run_checks();
    while (!judgements_.empty()) {
      hear_a_judgement();
      start_judgements();
    }
    if (error_) throw *error_;
    cancellation_->throw_if_requested();  // then not all was checked
  }

  std::vector<Checked> checks() && {
    std::vector<Checked> checks;
    checks.reserve(found_.size());
    for (std::size_t place = 0; place < found_.size(); ++place)
      if (found_[place])
        checks.push_back({opening_.requirements[place], std::move(*found_[place])});
    return checks;
  }
  int generations() const noexcept { return generations_; }

 private:
  struct Judgement {
    std::size_t place;
    std::shared_ptr<Generation> generation;
  };

  void start_judgements() {
    for (; next_ < found_.size() && judgements_.size() < kMostJudgements; ++next_) {
      if (!opening_.requirements[next_].judged() || cancellation_->token().stop_requested())
        continue;
      try {
        judgements_.push_back({next_, ask(opening_.requirements[next_])});
        ++generations_;
      } catch (...) {
        fail(caught_error("a judgement"));
      }
    }
  }

  std::shared_ptr<Generation> ask(const Requirement& requirement) const {
    return model_.ask({.parent = operation_.scope(),
                       .message = std::make_shared<const Message>(judge_prompt(
                           requirement, {.reply = *opening_.reply, .context = opening_.context})),
                       .component = "Requirement",
                       .options = *opening_.options,
                       .cancellation = cancellation_});
  }

  void hear_a_judgement() {
    const Judgement judgement = std::move(judgements_.front());
    judgements_.pop_front();
    try {
      const Result result = judgement.generation->wait({});
      ValidationResult found = judge_verdict(opening_.requirements[judgement.place], result.text());
      found.judgement = result.share_reply();
      found_[judgement.place] = std::move(found);
    } catch (...) {
      fail(caught_error("a judgement"));
    }
  }

  void run_checks() {
    // The first of these runs here.
    std::vector<std::function<void()>> tasks{[this] {
      for (std::size_t place = 0; place < found_.size(); ++place)
        if (runs_here(opening_.requirements[place])) check(place);
    }};
    for (std::size_t place = 0; place < found_.size(); ++place)
      if (opening_.requirements[place].slow() && !opening_.requirements[place].judged())
        tasks.emplace_back([this, place] { check(place); });
    run_together(operation_.hooks().workers(), std::move(tasks));
  }
  static bool runs_here(const Requirement& requirement) {
    return !requirement.judged() && !requirement.slow();
  }

  void check(std::size_t place) noexcept {
    if (cancellation_->token().stop_requested()) return;
    const Requirement& requirement = opening_.requirements[place];
    try {
      const UserCode seen(operation_.hooks(), operation_.scope());
      found_[place] =
          requirement.check()({.reply = *opening_.reply, .context = opening_.context},
                              Call{.scope = operation_.scope(), .stop = cancellation_->token()});
    } catch (...) {
      fail(caught_error("requirement \"" + std::string(requirement.title()) + '"'));
    }
  }

  // The rest is not wanted any more.
  void fail(Error error) {
    {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::move(error);
    }
    cancellation_->request(CancelReason::parent);
  }

  const Model& model_;
  const Operation<ValidationPreCheck>& operation_;
  const ValidationPreCheck& opening_;
  const std::shared_ptr<Cancellation> cancellation_;
  std::vector<std::optional<ValidationResult>> found_;  // each written by one thread
  std::size_t next_ = 0;                                // the next that may have to be judged
  std::deque<Judgement> judgements_;                    // on their way
  int generations_ = 0;
  std::mutex mutex_;
  std::optional<Error> error_;  // the first; guarded by mutex_ while checks run
};

}  // namespace

Validated validate(const Model& model, const ValidationJob& job) {
  Operation<ValidationPreCheck> operation(
      model.hooks, {.scope = job.parent.child(Kind::validation, {.iteration = job.iteration,
                                                                 .labels = job.entry.labels,
                                                                 .origin = job.entry.origin}),
                    .at = std::chrono::steady_clock::now(),
                    .evaluated = job.evaluated,
                    .reply = job.reply,
                    .context = job.context,
                    .requirements = job.requirements,
                    .options = job.options});
  Validation validation(model, operation, job);
  const auto checks = std::make_shared<std::vector<Checked>>();
  try {
    if (operation.block()) throw blocked_error(*operation.block());
    validation.run();
  } catch (const Error& error) {
    *checks = std::move(validation).checks();
    operation.end(ended_with(error, job.cancellation->reason()), {.checks = checks});
    throw;
  }
  *checks = std::move(validation).checks();
  const int generations = validation.generations();
  if (const auto block = operation.end(ended_ok(), {.checks = checks})) throw blocked_error(*block);
  return {.checks = std::move(*checks), .generations = generations};
}

}  // namespace mellea
