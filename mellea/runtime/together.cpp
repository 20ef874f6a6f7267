#include "mellea/runtime/together.h"

#include <atomic>
#include <latch>
#include <memory>
#include <utility>

#include "mellea/core/error.h"

namespace mellea {
namespace {

// What those who do the tasks share with the one who waits: the last of them may still be in
// count_down() when that goes on.
struct Wait {
  explicit Wait(std::size_t tasks) : left(static_cast<std::ptrdiff_t>(tasks)) {}
  std::latch left;
  std::atomic<bool> dropped{false};
};

// Counts when it was done, or is dropped undone.
class Task {
 public:
  Task(std::function<void()> what, std::shared_ptr<Wait> wait)
      : what_(std::move(what)), wait_(std::move(wait)) {}
  ~Task() {
    if (what_) wait_->dropped = true;
    what_ = nullptr;  // what it holds must not outlive the wait
    wait_->left.count_down();
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  void run() { std::exchange(what_, nullptr)(); }

 private:
  std::function<void()> what_;
  const std::shared_ptr<Wait> wait_;
};

}  // namespace

void run_together(Workers* workers, std::vector<std::function<void()>> tasks) {
  const auto wait = std::make_shared<Wait>(tasks.size());
  std::vector<std::shared_ptr<Task>> here;
  for (std::function<void()>& what : tasks) {
    const bool first = here.empty();
    auto task = std::make_shared<Task>(std::move(what), wait);
    const auto run = [task]() mutable { std::exchange(task, nullptr)->run(); };
    if (first || !workers || !workers->try_run(run)) here.push_back(std::move(task));
  }
  for (std::shared_ptr<Task>& task : here) std::exchange(task, nullptr)->run();
  wait->left.wait();  // each of them has its thread, so none waits for this one
  if (wait->dropped) throw Error(Errc::shutdown, "the Runtime has ended");
}

}  // namespace mellea
