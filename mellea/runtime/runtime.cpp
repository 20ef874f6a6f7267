#include "mellea/runtime/runtime.h"

#include <utility>
#include <vector>

#include "mellea/runtime/session_state.h"

namespace mellea {
namespace {

// Gives diagnostics to a function of the user.
class DiagnosticRelay : public Plugin {
 public:
  explicit DiagnosticRelay(std::function<void(const Notice&)> hear) : hear_(std::move(hear)) {}
  std::string_view name() const override { return "on_diagnostic"; }
  void subscribe(Subscriber& hooks) override {
    hooks.observe<Diagnostic>([this](const Diagnostic& event) { hear_(event.notice); });
  }

 private:
  std::function<void(const Notice&)> hear_;
};

Plugins all_plugins(const RuntimeOptions& options) {
  Plugins all = options.plugins;
  if (options.on_diagnostic)
    all.push_back(std::make_shared<DiagnosticRelay>(options.on_diagnostic));
  return all;
}

}  // namespace

RuntimeState::RuntimeState(RuntimeOptions given)
    : options(std::move(given)),
      workers(std::make_shared<Workers>(Workers::Options{.most = options.workers})),
      hooks(all_plugins(options), workers) {
  // A worker is there from the start. In a process of one thread, libstdc++ 12 does not note
  // that a callback of request_stop() has returned; a stop_callback that is destroyed by a thread
  // made later would wait for that for ever.
  workers->post([] {});
}

void RuntimeState::refuse_if_over() const {
  if (fork_mark.inherited())
    throw Error(Errc::after_fork,
                "this Runtime belongs to the parent process: make a new one after fork()");
  std::lock_guard lock(mutex);
  if (over) throw Error(Errc::shutdown, "the Runtime has ended");
}

std::shared_ptr<Network> RuntimeState::shared_network() {
  std::lock_guard lock(mutex);
  // What the loop thread tells is passed on by a worker: it runs no plugin code itself.
  if (!network)
    network = make_network([told = hooks](const Notice& notice) {
      told.workers()->post([told, notice] { told.report(Scope(), notice); });
    });
  return network;
}

void RuntimeState::add(const std::shared_ptr<SessionState>& session) {
  std::lock_guard lock(mutex);
  if (over) throw Error(Errc::shutdown, "the Runtime has ended");
  sessions.emplace(session.get(), session);
}

void RuntimeState::remove(const SessionState* session) noexcept {
  {
    std::lock_guard lock(mutex);
    sessions.erase(session);
  }
  session_ended.notify_all();
}

void RuntimeState::shut_down() {
  const Instant until = later(std::chrono::steady_clock::now(), options.shutdown);
  workers->lend_this_thread();
  std::unique_lock lock(mutex);
  over = true;
  const auto open = sessions;
  lock.unlock();
  for (const auto& [key, weak] : open)
    if (const auto session = weak.lock())
      session->close(CancelReason::shutdown, SessionState::Teller::worker);
  lock.lock();
  const bool all_told = session_ended.wait_until(lock, until, [&] { return sessions.empty(); });
  const std::shared_ptr<Network> last = network;
  lock.unlock();
  const bool all_returned = workers->stop(until);
  const bool all_ended = all_told && all_returned;
  // Before the network's thread sees that there are no workers: it must not be the last to let go.
  if (!all_ended)
    for (const auto& [key, weak] : open)
      if (const auto session = weak.lock()) session->leave_behind();
  if (last) stop(*last);
  if (!all_ended) report_left_behind();
}

void RuntimeState::report_left_behind() const noexcept {
  if (!options.on_diagnostic) return;
  try {
    options.on_diagnostic(
        {.kind = Notice::Kind::left_behind,
         .text = "a handler had not returned when the Runtime ended: it is left behind"});
  } catch (...) {  // nobody is left to be told
  }
}

Runtime::Runtime(RuntimeOptions options)
    : state_(std::make_shared<RuntimeState>(std::move(options))) {}

Runtime::~Runtime() {
  if (!state_->fork_mark.inherited())
    state_->shut_down();
  else
    new std::shared_ptr<RuntimeState>(std::move(state_));  // its threads are not in this process
}

Session Runtime::start_session(BackendOptions backend, SessionOptions options) {
  state_->refuse_if_over();
  return start_session(this->backend(backend), model_name(backend), std::move(options));
}

Session Runtime::start_session(std::shared_ptr<Backend> backend, std::string model,
                               SessionOptions options) {
  state_->refuse_if_over();
  if (model.empty())
    throw Error(Errc::invalid_request,
                std::string(backend->provider()) + ": no model given: name one");
  options.labels.insert(state_->options.labels.begin(), state_->options.labels.end());
  const Hooks hooks = state_->hooks.with(options.plugins);
  return Session::begin(state_, std::move(backend), std::move(model), std::move(options), hooks);
}

std::shared_ptr<Backend> Runtime::backend(const BackendOptions& options) {
  state_->refuse_if_over();
  return make_backend(options, state_->shared_network());
}

bool Runtime::drain(Instant until) { return state_->workers->drain(until); }

}  // namespace mellea
