#include "mellea/runtime/together.h"

#include <latch>
#include <memory>
#include <utility>

namespace mellea {

void run_together(Workers* workers, std::vector<std::function<void()>> tasks) {
  if (tasks.empty()) return;
  // Shared: the last worker may still be in count_down() when this thread goes on.
  const auto left = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(tasks.size()) - 1);
  std::vector<std::function<void()>> here;
  here.push_back(std::move(tasks.front()));
  for (std::size_t place = 1; place < tasks.size(); ++place) {
    auto task = std::make_shared<std::function<void()>>(std::move(tasks[place]));
    if (!workers || !workers->try_run([task, left] {
          (*task)();
          *task = nullptr;  // what it holds must not outlive the wait
          left->count_down();
        })) {
      here.push_back(std::move(*task));
      left->count_down();
    }
  }
  for (const auto& task : here) task();
  left->wait();  // each of them has its thread, so none waits for this one
}

}  // namespace mellea
