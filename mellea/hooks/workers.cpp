#include "mellea/hooks/workers.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "mellea/core/fork.h"
#include "mellea/core/signals.h"

namespace mellea {
namespace {

constexpr std::chrono::seconds kBetweenDropReports{60};
constexpr std::chrono::milliseconds kPatience{5};  // with a line that does not move

thread_local const void* state_of_this_thread = nullptr;  // null: not a worker

}  // namespace

struct Workers::State {
  using Task = std::function<void()>;
  using Later = std::function<void(std::stop_token)>;
  using Lock = std::unique_lock<std::mutex>;

  struct Thread {
    std::thread handle{};
    bool ended = false;
  };

  explicit State(Options chosen) : options{std::max(chosen.most, 1), chosen.background} {}

  // What a thread does from its start to its end. `self` keeps the State.
  static void work(const std::shared_ptr<State>& self, Thread& thread);
  static void look_out(const std::shared_ptr<State>& self, Thread& thread);

  // These expect `mutex` to be held.
  // Threads that wait and have no task promised to them; negative if tasks wait for threads.
  std::ptrdiff_t free() const noexcept { return idle - std::ssize(tasks); }
  using Life = void (*)(const std::shared_ptr<State>&, Thread&);
  bool start_thread(const std::shared_ptr<State>& self, Life life);
  bool add_thread(const std::shared_ptr<State>& self);
  bool ensure_free(const std::shared_ptr<State>& self);
  void add_or_watch(const std::shared_ptr<State>& self);
  bool calm() const noexcept;

  void run_line();

  Options options;  // `most` may grow: guarded by mutex
  const int processors = static_cast<int>(std::max(std::thread::hardware_concurrency(), 2U));
  const ForkMark mark;
  std::stop_source stop_source;

  std::mutex mutex;
  std::condition_variable work_came;
  std::condition_variable work_done;
  std::condition_variable line_stands;  // for the lookout, where it rests
  // All guarded by mutex:
  std::list<Thread> threads;    // all that were ever started; references stay valid
  int alive = 0;                // of them, without the lookout
  int idle = 0;                 // of those; one that is just starting is idle
  std::deque<Task> tasks;       // not begun
  std::uint64_t begun = 0;      // tasks, ever
  bool watched = false;         // there is a lookout
  bool lookout_rests = false;   // until line_stands
  std::deque<Later> line;       // of the background, not begun
  bool line_runs = false;       // a task that works it off is running or among `tasks`
  std::thread::id line_runner;  // while it runs
  bool stopping = false;
  std::int64_t drops_reported = 0;
  std::optional<Instant> last_drop_report;

  std::atomic<std::int64_t> dropped{0};
};

// Sees to it that a task put in line now is begun at once. False if none can be started.
bool Workers::State::ensure_free(const std::shared_ptr<State>& self) {
  if (free() > 0) return true;
  return alive < options.most && add_thread(self);
}

// One that is free. False if there is none to be had.
bool Workers::State::add_thread(const std::shared_ptr<State>& self) {
  if (!start_thread(self, &work)) return false;
  ++alive;
  ++idle;
  return true;
}

// False if the system has no more threads to give.
bool Workers::State::start_thread(const std::shared_ptr<State>& self, Life life) {
  Thread& thread = threads.emplace_back();
  try {
    const SignalsBlocked blocked;
    thread.handle = std::thread([self, &thread, life] { life(self, thread); });
  } catch (const std::system_error&) {
    threads.pop_back();
    return false;
  }
  return true;
}

// Sees to it that a task put in line now is begun, be it that all threads block for ever.
void Workers::State::add_or_watch(const std::shared_ptr<State>& self) {
  if (free() > 0 || alive >= options.most) return;
  if (alive < processors && add_thread(self)) return;
  if (!watched) {
    watched = start_thread(self, &look_out);
  } else if (lookout_rests) {
    line_stands.notify_one();
  }
}

// Adds a thread whenever the line stands still.
void Workers::State::look_out(const std::shared_ptr<State>& self, Thread& thread) {
  State& state = *self;
  Lock lock(state.mutex);
  while (!state.stopping || !state.tasks.empty()) {
    if (!state.stopping && (state.free() >= 0 || state.alive >= state.options.most)) {
      state.lookout_rests = true;
      state.line_stands.wait(lock);
      state.lookout_rests = false;
      continue;
    }
    const std::uint64_t before = state.begun;
    const bool stands = state.line_stands.wait_for(lock, kPatience) == std::cv_status::timeout &&
                        state.begun == before && state.free() < 0;
    if (stands && state.alive < state.options.most) state.add_thread(self);
  }
  state.watched = false;
  thread.ended = true;
  state.work_done.notify_all();
}

void Workers::State::work(const std::shared_ptr<State>& self, Thread& thread) {
  state_of_this_thread = self.get();
  State& state = *self;
  Lock lock(state.mutex);
  while (true) {
    state.work_came.wait(lock, [&] { return state.stopping || !state.tasks.empty(); });
    if (state.tasks.empty()) break;
    Task task = std::move(state.tasks.front());
    state.tasks.pop_front();
    --state.idle;
    ++state.begun;
    lock.unlock();
    task();
    task = nullptr;  // what it holds may be the user's, and goes before the lock is taken
    lock.lock();
    ++state.idle;
    state.work_done.notify_all();
  }
  --state.idle;
  --state.alive;
  thread.ended = true;
  state.work_done.notify_all();
}

// Works off the line of the background. Runs as a task of which there is at most one.
void Workers::State::run_line() {
  Lock lock(mutex);
  line_runner = std::this_thread::get_id();
  while (!line.empty()) {
    Later task = std::move(line.front());
    line.pop_front();
    lock.unlock();
    task(stop_source.get_token());
    task = nullptr;
    lock.lock();
  }
  line_runner = {};
  line_runs = false;
}

// Whether nothing is running or in line, but for what the calling thread itself is doing.
bool Workers::State::calm() const noexcept {
  const int own = state_of_this_thread == this ? 1 : 0;
  const bool own_line = line_runner == std::this_thread::get_id();
  return alive - idle == own && tasks.empty() && (line.empty() || own_line);
}

Workers::Workers(Options options) : state_(std::make_shared<State>(options)) {}

Workers::~Workers() {
  // In a child of fork() the threads' own references keep the State, whose mutex may be locked for
  // ever: it is left alone.
  if (!state_->mark.inherited()) stop(Instant{});
}

// A task may have run, and have let go of this Workers, before the three that follow return.

bool Workers::try_run(std::function<void()> task) {
  const std::shared_ptr<State> state = state_;
  if (state->mark.inherited()) return false;
  {
    const std::lock_guard lock(state->mutex);
    if (state->stopping || !state->ensure_free(state)) return false;
    state->tasks.push_front(std::move(task));  // so that no other gets its thread
  }
  state->work_came.notify_one();
  return true;
}

bool Workers::post(std::function<void()> task) {
  const std::shared_ptr<State> state = state_;
  if (state->mark.inherited()) return false;
  {
    const std::lock_guard lock(state->mutex);
    if (state->stopping) return false;
    state->add_or_watch(state);
    if (state->alive == 0) return false;
    state->tasks.push_back(std::move(task));
  }
  state->work_came.notify_one();
  return true;
}

bool Workers::background(std::function<void(std::stop_token)> task) {
  const std::shared_ptr<State> state = state_;
  if (state->mark.inherited()) return false;
  {
    const std::lock_guard lock(state->mutex);
    const bool accepts = !state->stopping && state->line.size() < state->options.background &&
                         (state->line_runs || state->ensure_free(state) || state->alive > 0);
    if (!accepts) {
      state->dropped.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    state->line.push_back(std::move(task));
    if (std::exchange(state->line_runs, true)) return true;
    state->tasks.emplace_back([&line = *state] { line.run_line(); });
  }
  state->work_came.notify_one();
  return true;
}

std::int64_t Workers::dropped() const noexcept {
  return state_->dropped.load(std::memory_order_relaxed);
}

std::int64_t Workers::drops_to_report() {
  if (dropped() == 0 || state_->mark.inherited()) return 0;
  const std::lock_guard lock(state_->mutex);
  State& state = *state_;
  const Instant now = std::chrono::steady_clock::now();
  const std::int64_t count = dropped() - state.drops_reported;
  if (count == 0) return 0;
  if (state.last_drop_report && now - *state.last_drop_report < kBetweenDropReports) return 0;
  state.last_drop_report = now;
  state.drops_reported += count;
  return count;
}

bool Workers::drain(Instant until) {
  if (state_->mark.inherited()) return false;
  State::Lock lock(state_->mutex);
  return state_->work_done.wait_until(lock, until, [&] { return state_->calm(); });
}

bool Workers::stop(Instant until) {
  if (state_->mark.inherited()) return false;
  const std::shared_ptr<State> state = state_;  // the last task to end may let go of this Workers
  State::Lock lock(state->mutex);
  state->stopping = true;
  lock.unlock();
  state->work_came.notify_all();
  state->line_stands.notify_all();
  state->stop_source.request_stop();  // runs callbacks of the handlers'

  lock.lock();
  const int own = state_of_this_thread == state.get() ? 1 : 0;
  state->work_done.wait_until(lock, until, [&] { return state->alive == own && !state->watched; });
  // One that had merely not come to leave yet holds nothing.
  const bool all = state->alive - state->idle == own && state->tasks.empty();
  const std::deque<State::Task> not_run = std::exchange(state->tasks, {});
  const std::deque<State::Later> not_told = std::exchange(state->line, {});
  state->dropped.fetch_add(std::ssize(not_told), std::memory_order_relaxed);
  std::vector<std::thread> ended;
  for (State::Thread& thread : state->threads) {
    if (!thread.handle.joinable()) continue;
    if (thread.ended)
      ended.push_back(std::move(thread.handle));
    else
      thread.handle.detach();
  }
  lock.unlock();
  for (std::thread& thread : ended) thread.join();
  return all;
}

void Workers::lend_this_thread() {
  const std::shared_ptr<State> state = state_;
  if (state_of_this_thread != state.get()) return;
  const std::lock_guard lock(state->mutex);
  ++state->options.most;
  if (!state->tasks.empty()) state->ensure_free(state);
}

bool Workers::on_worker() noexcept { return state_of_this_thread != nullptr; }

int Workers::threads() const noexcept {
  if (state_->mark.inherited()) return 0;
  const std::lock_guard lock(state_->mutex);
  return state_->alive + (state_->watched ? 1 : 0);
}

}  // namespace mellea
