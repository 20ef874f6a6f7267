#include "mellea/runtime/generation.h"

#include <algorithm>
#include <utility>

namespace mellea {
namespace {

GenerationPreCall opening_event(const GenerationOptions& options) {
  return {.scope = options.parent.child(Kind::generation, {.iteration = options.iteration}),
          .at = std::chrono::steady_clock::now(),
          .target = std::make_shared<const Target>(Target{.provider = options.backend->provider(),
                                                          .endpoint = options.backend->endpoint(),
                                                          .component = options.component,
                                                          .conversation = options.conversation,
                                                          .context_size = options.context_size,
                                                          .prompt = options.prompt}),
          .request = options.request};
}

}  // namespace

void limit(Limits& limits, std::optional<Instant> until) {
  if (!until || *until == Instant::max()) return;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(*until - std::chrono::steady_clock::now());
  if (left.count() <= 0) throw Error(Errc::timeout, "the time was up before the request was sent");
  if (limits.whole.count() == 0 || left < limits.whole) limits.whole = left;
}

Generation::Generation(GenerationOptions options)
    : backend_(options.backend),
      on_end_(std::move(options.on_end)),
      operation_(options.hooks, opening_event(options)) {
  Times& times = effort_.times;  // `began` is when it started, before any plugin was asked
  times.started = operation_.opening()->at;
  times.began = std::chrono::system_clock::now() -
                std::chrono::duration_cast<std::chrono::system_clock::duration>(
                    std::chrono::steady_clock::now() - times.started);
}

std::shared_ptr<Generation> Generation::start(GenerationOptions options) {
  const std::shared_ptr<const Cancellation> cancellation = options.cancellation;
  const std::optional<Instant> until = options.until;
  std::shared_ptr<Generation> generation(new Generation(std::move(options)));
  Operation<GenerationPreCall>& operation = generation->operation_;
  // The pump is held until all is set up, so a stop that comes at once ends nothing too early.
  if (cancellation)
    generation->cut_off_.emplace(cancellation->token(),
                                 [weak = generation->weak_from_this(), cancellation] {
                                   if (const auto self = weak.lock())
                                     self->cancel(cancellation->reason());
                                 });
  try {
    if (operation.block()) throw blocked_error(*operation.block());
    generation->send(until);
  } catch (const Error& error) {
    generation->cut_off_.reset();
    generation->effort_.times.ended = std::chrono::steady_clock::now();
    const CancelReason reason = cancellation ? cancellation->reason() : CancelReason::none;
    operation.end(reason == CancelReason::none ? ended_with(error) : ended_with(error, reason),
                  {.effort = generation->effort_});
    throw;
  }
  Lock lock(generation->mutex_);
  generation->release_pump(lock);
  return generation;
}

// Plugins may have taken their time, so what is left until the end is known only now.
void Generation::send(std::optional<Instant> until) {
  const GenerationPreCall& opening = *operation_.opening();
  Request request = *opening.request;
  replace(request.headers, opening.headers);
  limit(request.limits, until);
  try {
    stream_ = backend_->start(std::move(request), stop_.get_token());
  } catch (...) {
    throw caught_error(backend_->provider());
  }
}

std::optional<Chunk> Generation::next() {
  refuse_after_fork();
  Chunk chunk;
  Lock lock(mutex_);
  reading_ = true;
  for (;;) {
    if (take_unread(chunk)) return chunk;
    if (ended_) {
      throw_if_failed();
      return std::nullopt;
    }
    if (pumping_) {
      refuse_if_left_behind();
      changed_.wait(lock);
      continue;
    }
    acquire_pump(lock);
    const Next next = advance(chunk, Instant::max());
    lock.lock();
    release_pump(lock);
    if (next == Next::chunk) return chunk;
  }
}

Next Generation::try_next(Chunk& chunk) {
  refuse_after_fork();
  Lock lock(mutex_);
  reading_ = true;
  if (take_unread(chunk)) return Next::chunk;
  if (ended_) {
    throw_if_failed();
    return Next::end;
  }
  if (pumping_) {
    refuse_if_left_behind();
    return Next::pending;
  }
  acquire_pump(lock);
  Taken taken = take(chunk);
  if (taken.what == Next::chunk && is_heard(chunk)) {
    hand_over([this, chunk] { tell(chunk); });
    return Next::chunk;
  }
  if (taken.what == Next::end && has_listeners()) {
    hand_over([this, error = std::move(taken.error)] { finish(error); });
    return Next::pending;
  }
  if (taken.what == Next::end) finish(std::move(taken.error));
  lock.lock();
  release_pump(lock);
  if (taken.what == Next::end) throw_if_failed();
  return taken.what;
}

bool Generation::when_ready(std::function<void()> wake) {
  refuse_after_fork();
  Lock lock(mutex_);
  reading_ = true;
  if (!unread_.empty() || ended_ || (pumping_ && left_behind_)) return false;
  std::swap(wake_, wake);  // one that was there before is destroyed by this thread
  wake_on_release_ = pumping_;
  if (pumping_) return true;
  acquire_pump(lock);
  bool armed = false;
  try {
    armed = stream_->when_ready([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->wake_reader();
    });
  } catch (...) {  // the next read throws it too
  }
  lock.lock();
  if (!armed) wake = std::exchange(wake_, nullptr);
  release_pump(lock);
  return armed;
}

Result Generation::wait(std::optional<Instant> until) {
  refuse_after_fork();
  const Instant last = until.value_or(Instant::max());
  Lock lock(mutex_);
  while (!ended_) {
    if (std::chrono::steady_clock::now() >= last)
      throw Error(Errc::timeout, std::string(backend_->provider()) + ": no whole answer yet");
    if (pumping_) {
      refuse_if_left_behind();
      if (until)
        changed_.wait_until(lock, last);
      else
        changed_.wait(lock);
      continue;
    }
    acquire_pump(lock);
    Chunk chunk;
    while (advance(chunk, last) == Next::chunk) {
      keep_for_reader(std::move(chunk));
      if (until && std::chrono::steady_clock::now() >= last) break;
    }
    lock.lock();
    release_pump(lock);
  }
  throw_if_failed();
  return Result({.reply = reply_, .scope = scope(), .times = effort_.times});
}

void Generation::run(std::function<void()> over) {
  {
    Lock lock(mutex_);
    over_ = std::move(over);
  }
  pump_unread();
}

bool Generation::cancel(CancelReason reason) noexcept {
  if (fork_mark_.inherited()) return false;
  {
    Lock lock(mutex_);
    if (ended_ || reason_ != CancelReason::none) return false;
    reason_ = reason;
  }
  stop_.request_stop();
  see_to_the_end();
  return true;
}

void Generation::abandon() noexcept {
  if (fork_mark_.inherited()) return;
  std::function<void()> unheard;  // nobody is left to be woken
  {
    Lock lock(mutex_);
    unheard.swap(wake_);
  }
  cancel(CancelReason::consumer);
}

void Generation::leave_behind() noexcept {
  std::function<void()> over;  // let go of, with the mutex free
  {
    Lock lock(mutex_);
    if (ended_) return;
    left_behind_ = true;
    over.swap(over_);
    changed_.notify_all();
  }
  wake_reader();
}

bool Generation::done() const noexcept {
  if (fork_mark_.inherited()) return true;
  Lock lock(mutex_);
  return ended_;
}

bool Generation::runs() const noexcept {
  Lock lock(mutex_);
  return !ended_ && reason_ == CancelReason::none;
}

std::string Generation::partial_text() const {
  refuse_after_fork();
  Lock lock(mutex_);
  return reply_->text;
}

void Generation::refuse_after_fork() const {
  if (fork_mark_.inherited())
    throw Error(Errc::after_fork, "this answer belongs to the parent process: make a new Runtime");
}

// Takes one thing from the stream, and folds it into the reply.
Generation::Taken Generation::take(Chunk& chunk) {
  Taken taken;
  try {
    taken.what = stream_->try_next(chunk);
    if (taken.what == Next::chunk) fold(chunk);
  } catch (...) {
    return {.what = Next::end, .error = caught_error(backend_->provider())};
  }
  return taken;
}

void Generation::fold(const Chunk& chunk) {
  Lock lock(mutex_);
  if (const auto* notice = std::get_if<Notice>(&chunk.what)) {
    if (notice->kind == Notice::Kind::retry) ++effort_.retries;
    return;
  }
  ++events_;
  Times& times = effort_.times;
  if (times.first_chunk == Instant{}) times.first_chunk = chunk.at;
  if (is_content(chunk)) {
    if (times.first_content == Instant{}) times.first_content = chunk.at;
    ++effort_.chunks;
  }
  add(*reply_, chunk);
}

// For a thread that may block: the next chunk, with its event told; pending only after `until`; or
// the end, with that told.
Next Generation::advance(Chunk& chunk, Instant until) {
  for (;;) {
    Taken taken = take(chunk);
    if (taken.what == Next::chunk && is_heard(chunk)) tell(chunk);
    if (taken.what == Next::end) finish(std::move(taken.error));
    if (taken.what != Next::pending) return taken.what;
    if (std::chrono::steady_clock::now() >= until) return Next::pending;
    try {
      stream_->wait(until);
    } catch (...) {
      finish(caught_error(backend_->provider()));
      return Next::end;
    }
  }
}

bool Generation::is_heard(const Chunk& chunk) const noexcept {
  const Hooks& hooks = operation_.hooks();
  if (const auto* notice = std::get_if<Notice>(&chunk.what))
    return notice->kind == Notice::Kind::retry ? hooks.wanted<GenerationRetry>()
                                               : hooks.wanted<Diagnostic>();
  return hooks.wanted<GenerationEvent>();
}

void Generation::tell(const Chunk& chunk) const {
  const Hooks& hooks = operation_.hooks();
  const auto* notice = std::get_if<Notice>(&chunk.what);
  if (!notice)
    hooks.tell(GenerationEvent{
        .scope = scope(), .chunk = std::make_shared<const Chunk>(chunk), .index = events_ - 1});
  else if (notice->kind == Notice::Kind::retry)
    hooks.tell(GenerationRetry{
        .scope = scope(), .at = chunk.at, .notice = *notice, .target = opening()->target});
  else
    hooks.tell(Diagnostic{.scope = scope(), .notice = *notice, .target = opening()->target});
}

// Tells the end, and only then lets readers see it.
void Generation::finish(std::optional<Error> error) {
  const StreamTimes times = times_of_stream();
  Ending ending;
  Effort effort;
  {
    Lock lock(mutex_);
    ending = ending_of(error);
    effort_.times.sent = times.sent;
    effort_.times.paused = times.paused;
    effort_.times.ended = times.ended == Instant{} ? std::chrono::steady_clock::now() : times.ended;
    ending.at = effort_.times.ended;
    effort = effort_;
  }
  const std::shared_ptr<const Reply> reply = reply_;  // grows no more: this thread has the pump
  if (const auto block = operation_.end(ending, {.reply = reply, .effort = effort})) {
    ending = ended_with(blocked_error(*block));
    ending.at = effort.times.ended;
  }
  std::optional<Error> instead;
  if (on_end_)
    instead = on_end_({.ending = ending, .reply = reply, .scope = scope(), .times = effort.times});
  on_end_ = nullptr;
  cut_off_.reset();
  Lock lock(mutex_);
  if (ending.outcome != Outcome::ok)
    error_ = error_for_reader(ending, reply->text);
  else if (instead)
    error_ = instead->with_partial_text(reply->text);
  ended_ = true;
}

Ending Generation::ending_of(const std::optional<Error>& error) const {
  if (!error) return ended_ok();  // even if a cancel came too late
  return ended_with(*error, reason_ == CancelReason::none ? CancelReason::caller : reason_);
}

Error Generation::error_for_reader(const Ending& ending, const std::string& partial_text) const {
  if (ending.error) return ending.error->with_partial_text(partial_text);
  const std::string provider(backend_->provider());
  const Error error =
      ending.reason == CancelReason::shutdown
          ? Error(Errc::shutdown, provider + ": the Runtime ended before the answer was whole")
          : Error(Errc::cancelled,
                  provider + ": cancelled by " + std::string(to_string(ending.reason)));
  return error.with_partial_text(partial_text);
}

StreamTimes Generation::times_of_stream() const noexcept {
  try {
    return stream_->times();
  } catch (...) {
    return {};
  }
}

// On a worker, or here where that runs no code of others.
void Generation::see_to_the_end() {
  bool runs_by_itself = false;
  {
    Lock lock(mutex_);
    runs_by_itself = over_ != nullptr;
  }
  if (runs_by_itself || has_listeners())
    post([self = shared_from_this()] { self->pump_unread(); });
  else
    pump_unread();
}

// After run() or a cancel: what has arrived is told, and kept for a reader. After a cancel that is
// all, and the end is told.
void Generation::pump_unread() {
  Lock lock(mutex_);
  if (!ended_) {
    if (pumping_) {  // whoever lets go of the pump sees to it
      pump_again_ = true;
      return;
    }
    acquire_pump(lock);
    pump_what_is_there();
    lock.lock();
    release_pump(lock);
    if (!ended_) return;
  }
  std::function<void()> over = std::exchange(over_, nullptr);
  lock.unlock();
  if (!over) return;
  if (Workers::on_worker())
    over();
  else  // a cancel has seen to the end while run() was being called
    post([self = shared_from_this(), last = std::move(over)] { last(); });
}

void Generation::pump_what_is_there() {
  for (Chunk chunk;;) {
    Taken taken = take(chunk);
    if (taken.what == Next::chunk) {
      if (is_heard(chunk)) tell(chunk);
      keep_for_reader(std::move(chunk));
    } else if (taken.what == Next::end) {
      return finish(std::move(taken.error));
    } else if (is_cancelled()) {
      return finish(Error(Errc::cancelled, "nothing more is read"));
    } else if (come_again()) {
      return;
    }
  }
}

// Has pump_unread() called when there is more. False if there is now.
bool Generation::come_again() {
  try {
    return stream_->when_ready([self = shared_from_this()]() mutable {
      // Nothing is left to the network's thread, which must not be the last to let go. Without
      // workers the Runtime is gone, and leave_behind() was called.
      Workers* workers = self->operation_.hooks().workers();
      workers->post([self = std::move(self)] { self->pump_unread(); });
    });
  } catch (...) {
    finish(caught_error(backend_->provider()));
    return true;
  }
}

void Generation::keep_for_reader(Chunk chunk) {
  {
    Lock lock(mutex_);
    if (!reading_) return;
    unread_.push_back(std::move(chunk));
    changed_.notify_all();
  }
  wake_reader();
}

bool Generation::take_unread(Chunk& chunk) {
  if (unread_.empty()) return false;
  chunk = std::move(unread_.front());
  unread_.pop_front();
  return true;
}

// Takes the pump and leaves the mutex.
void Generation::acquire_pump(Lock& lock) noexcept {
  pumping_ = true;
  lock.unlock();
}

// Lets the pump go, with the mutex held before and after.
void Generation::release_pump(Lock& lock) {
  pumping_ = false;
  changed_.notify_all();
  const bool wake = wake_ && (wake_on_release_ || ended_ || !unread_.empty());
  const bool again = std::exchange(pump_again_, false) || reason_ != CancelReason::none;
  const bool unfinished = again && !ended_;
  if (!wake && !unfinished) return;
  lock.unlock();
  if (unfinished) see_to_the_end();
  if (wake) wake_reader();
  lock.lock();
}

bool Generation::is_cancelled() const noexcept {
  Lock lock(mutex_);
  return reason_ != CancelReason::none;
}

void Generation::throw_if_failed() const {
  if (error_) throw *error_;
}

void Generation::refuse_if_left_behind() const {
  if (left_behind_)
    throw Error(Errc::shutdown, std::string(backend_->provider()) +
                                    ": the Runtime ended before the answer was whole")
        .with_partial_text(reply_->text);
}

// Whether going to the end makes plugin code run.
bool Generation::has_listeners() const noexcept {
  const Hooks& hooks = operation_.hooks();
  return Closing<GenerationPreCall>::wanted(hooks) || Closing<ComponentPreExecute>::wanted(hooks) ||
         Closing<SessionPreInit>::wanted(hooks) || hooks.wanted<GenerationEvent>() ||
         hooks.wanted<GenerationRetry>() || hooks.wanted<Diagnostic>();
}

// Gives the pump to a worker, which does `work` and lets it go. Called with the mutex free. Who is
// a worker does it here: it may run plugin code, and might be the one that the work would wait for.
void Generation::hand_over(std::function<void()> work) {
  if (Workers::on_worker()) {
    work();
    Lock lock(mutex_);
    return release_pump(lock);
  }
  post([self = shared_from_this(), work = std::move(work)] {
    work();
    Lock lock(self->mutex_);
    self->release_pump(lock);
  });
}

// On a worker; or here, where there is none or the Runtime is gone: nobody else would do it.
void Generation::post(const std::function<void()>& task) {
  Workers* workers = operation_.hooks().workers();
  if (!workers || !workers->post(task)) task();
}

void Generation::wake_reader() {
  std::function<void()> wake;
  {
    Lock lock(mutex_);
    wake = std::exchange(wake_, nullptr);
  }
  if (wake) wake();
}

}  // namespace mellea
