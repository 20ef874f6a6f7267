// Finding out several things about an answer at once; for validation.cpp and stream.cpp.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "mellea/core/requirement.h"
#include "mellea/runtime/model.h"

namespace mellea {

// One of them.
struct ToCheck {
  const Requirement& requirement;
  std::function<ValidationResult(const Call&)> check{};  // empty: a model judges
};

struct ChecksJob {
  const Model& model;
  const Scope& within;  // the operation that checks
  Answer answer;        // that models judge
  const ModelOptions& options;
  std::shared_ptr<const Cancellation> cancellation{};  // never null
};

// What models judge is asked at once, up to a number; checks that are slow run on workers
// meanwhile, the others here, one after the other. Tells no events but of generations and of user
// code. Used by one thread; what the job and the checks refer to must outlive it.
class Checks {
 public:
  Checks(ChecksJob job, std::vector<ToCheck> checks);
  Checks(const Checks&) = delete;
  Checks& operator=(const Checks&) = delete;

  // Throws the first Error, when nothing runs any more.
  void run();
  // In their order. After an Error those are missing that were not found out.
  std::vector<Checked> found() &&;
  int generations() const noexcept { return generations_; }

 private:
  struct Judgement {
    std::size_t place;
    std::shared_ptr<Generation> generation;
  };

  void start_judgements();
  std::shared_ptr<Generation> ask(const Requirement& requirement) const;
  void hear_a_judgement();
  void run_functions();
  void call(std::size_t place) noexcept;
  void fail(Error error);

  const ChecksJob job_;
  const std::vector<ToCheck> checks_;
  const std::shared_ptr<Cancellation> cancellation_;
  std::vector<std::optional<ValidationResult>> found_;  // each written by one thread
  std::size_t next_ = 0;                                // the next that may have to be judged
  std::deque<Judgement> judgements_;                    // on their way
  int generations_ = 0;
  std::mutex mutex_;
  std::optional<Error> error_;  // the first; guarded by mutex_ while functions run
};

}  // namespace mellea
