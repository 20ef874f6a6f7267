#include "mellea/runtime/checks.h"

#include <utility>

#include "mellea/runtime/judge.h"
#include "mellea/runtime/together.h"
#include "mellea/runtime/user_code.h"

namespace mellea {
namespace {

constexpr std::size_t kMostJudgements = 16;  // at once

}  // namespace

Checks::Checks(ChecksJob job, std::vector<ToCheck> checks)
    : job_(std::move(job)),
      checks_(std::move(checks)),
      cancellation_(std::make_shared<Cancellation>(job_.cancellation)),
      found_(checks_.size()) {}

void Checks::run() {
  start_judgements();
  run_functions();
  while (!judgements_.empty()) {
    hear_a_judgement();
    start_judgements();
  }
  if (error_) throw *error_;
  cancellation_->throw_if_requested();  // then not all was checked
}

std::vector<Checked> Checks::found() && {
  std::vector<Checked> all;
  all.reserve(found_.size());
  for (std::size_t place = 0; place < found_.size(); ++place)
    if (found_[place]) all.push_back({checks_[place].requirement, std::move(*found_[place])});
  return all;
}

void Checks::start_judgements() {
  for (; next_ < checks_.size() && judgements_.size() < kMostJudgements; ++next_) {
    if (checks_[next_].check || cancellation_->token().stop_requested()) continue;
    try {
      judgements_.push_back({next_, ask(checks_[next_].requirement)});
      ++generations_;
    } catch (...) {
      fail(caught_error("a judgement"));
    }
  }
}

std::shared_ptr<Generation> Checks::ask(const Requirement& requirement) const {
  return job_.model.ask(
      {.parent = job_.within,
       .message = std::make_shared<const Message>(judge_prompt(requirement, job_.answer)),
       .component = "Requirement",
       .options = job_.options,
       .cancellation = cancellation_});
}

void Checks::hear_a_judgement() {
  const Judgement judgement = std::move(judgements_.front());
  judgements_.pop_front();
  try {
    const Result result = judgement.generation->wait({});
    ValidationResult found = judge_verdict(checks_[judgement.place].requirement, result.text());
    found.judgement = result.share_reply();
    found_[judgement.place] = std::move(found);
  } catch (...) {
    fail(caught_error("a judgement"));
  }
}

void Checks::run_functions() {
  // The first of these runs here.
  std::vector<std::function<void()>> tasks{[this] {
    for (std::size_t place = 0; place < checks_.size(); ++place)
      if (checks_[place].check && !checks_[place].requirement.slow()) call(place);
  }};
  for (std::size_t place = 0; place < checks_.size(); ++place)
    if (checks_[place].check && checks_[place].requirement.slow())
      tasks.emplace_back([this, place] { call(place); });
  run_together(job_.model.hooks.workers(), std::move(tasks));
}

void Checks::call(std::size_t place) noexcept {
  if (cancellation_->token().stop_requested()) return;
  const auto& [requirement, check] = checks_[place];
  try {
    const UserCode seen(job_.model.hooks, job_.within);
    found_[place] = check(Call{.scope = job_.within, .stop = cancellation_->token()});
  } catch (...) {
    fail(caught_in_user_code("requirement \"" + std::string(requirement.title()) + '"',
                             *cancellation_));
  }
}

// The rest is not wanted any more.
void Checks::fail(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  cancellation_->request(CancelReason::parent);
}

}  // namespace mellea
