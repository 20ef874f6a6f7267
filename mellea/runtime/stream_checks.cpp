#include "mellea/runtime/stream_checks.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "mellea/runtime/judge.h"
#include "mellea/runtime/together.h"
#include "mellea/runtime/user_code.h"

namespace mellea {
namespace {

// All checks of one chunk.
class ChunkCheck {
 public:
  ChunkCheck(const Model& model, const Scope& stream, const std::vector<StreamCheck>& checks,
             const PartialAnswer& answer)
      : model_(model),
        stream_(stream),
        checks_(checks),
        answer_(answer),
        reply_{.text = std::string(answer.chunk)},
        found_(checks.size()),
        judgements_(checks.size()) {}

  // Throws the first Error, when nothing runs any more.
  std::vector<Checked> run(const ModelOptions& options) {
    for (std::size_t place = 0; place < checks_.size(); ++place)
      if (judged(checks_[place])) ask(place, options);
    run_functions();
    for (std::size_t place = 0; place < checks_.size(); ++place)
      if (judgements_[place]) hear(place);
    if (error_) throw *error_;
    model_.cancellation->throw_if_requested();  // then not all were asked
    std::vector<Checked> all;
    all.reserve(checks_.size());
    for (std::size_t place = 0; place < checks_.size(); ++place)
      all.push_back({checks_[place].requirement, std::move(found_[place])});
    return all;
  }

 private:
  static bool judged(const StreamCheck& check) {
    return !check.check && check.requirement.judged();
  }

  void ask(std::size_t place, const ModelOptions& options) {
    if (cancellation_->token().stop_requested()) return;
    try {
      judgements_[place] = model_.ask(
          {.parent = stream_,
           .message = std::make_shared<const Message>(judge_prompt(
               checks_[place].requirement, {.reply = reply_, .context = answer_.context})),
           .component = "Requirement",
           .options = options,
           .cancellation = cancellation_});
    } catch (...) {
      fail(caught_error("a judgement"));
    }
  }

  void hear(std::size_t place) {
    try {
      const Result result = judgements_[place]->wait({});
      found_[place] = judge_verdict(checks_[place].requirement, result.text());
      found_[place].judgement = result.share_reply();
    } catch (...) {
      fail(caught_error("a judgement"));
    }
  }

  void run_functions() {
    // The first of these runs here.
    std::vector<std::function<void()>> tasks{[this] {
      for (std::size_t place = 0; place < checks_.size(); ++place)
        if (!judged(checks_[place]) && !checks_[place].requirement.slow()) call(place);
    }};
    for (std::size_t place = 0; place < checks_.size(); ++place)
      if (!judged(checks_[place]) && checks_[place].requirement.slow())
        tasks.emplace_back([this, place] { call(place); });
    run_together(model_.hooks.workers(), std::move(tasks));
  }

  void call(std::size_t place) noexcept {
    if (cancellation_->token().stop_requested()) return;
    const auto& [requirement, partial] = checks_[place];
    const Call call{.scope = stream_, .stop = cancellation_->token()};
    try {
      const UserCode seen(model_.hooks, stream_);
      if (partial)
        found_[place] =
            partial(answer_, call)
                .value_or(ValidationResult{.passed = true, .code = std::string(kNotYetKnown)});
      else
        found_[place] = requirement.check()({.reply = reply_, .context = answer_.context}, call);
    } catch (...) {
      fail(caught_error("check \"" + std::string(requirement.title()) + '"'));
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
  const Scope& stream_;
  const std::vector<StreamCheck>& checks_;
  const PartialAnswer& answer_;
  const Reply reply_;  // the chunk alone
  const std::shared_ptr<Cancellation> cancellation_ =
      std::make_shared<Cancellation>(model_.cancellation);
  std::vector<ValidationResult> found_;                  // each written by one thread
  std::vector<std::shared_ptr<Generation>> judgements_;  // null where a function checks
  std::mutex mutex_;
  std::optional<Error> error_;  // the first; guarded by mutex_ while checks run
};

}  // namespace

std::vector<Checked> check_chunk(const Model& model, const Scope& stream,
                                 const std::vector<StreamCheck>& checks,
                                 const PartialAnswer& answer, const ModelOptions& options) {
  return ChunkCheck(model, stream, checks, answer).run(options);
}

}  // namespace mellea
