#include "mellea/runtime/stream.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/runtime/checks.h"
#include "mellea/runtime/stream_state.h"
#include "mellea/runtime/validation.h"

namespace mellea {
namespace {

bool has(const Requirements& all, const Requirement& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

StreamingStart opening_event(const StreamJob& job) {
  Requirements requirements;
  for (const StreamCheck& check : job.options.checks)
    if (!has(requirements, check.requirement)) requirements.push_back(check.requirement);
  for (const Requirement& requirement : job.options.requirements)
    if (!has(requirements, requirement)) requirements.push_back(requirement);
  return {.scope = job.question.parent.child(Kind::stream, job.entry.options()),
          .at = std::chrono::steady_clock::now(),
          .chunking = job.options.chunking.name,
          .component = job.question.component,
          .conversation = job.model.conversation,
          .requirements = std::move(requirements)};
}

// What can be said without asking anybody.
StreamJob checked(StreamJob job) {
  if (job.options.retries < 0)
    throw Error(Errc::invalid_request,
                "a stream can't be asked for again a negative number of times");
  if (job.options.retries > 0 && job.options.checks.empty())
    throw Error(Errc::invalid_request,
                "a stream is asked for again only after one of its checks: it has none");
  return job;
}

StreamJob with_cancellation(StreamJob job, std::shared_ptr<const Cancellation> cancellation) {
  job.model.cancellation = std::move(cancellation);
  return job;
}

std::vector<Checked> failed(const std::vector<Checked>& checks) {
  std::vector<Checked> failed;
  std::copy_if(checks.begin(), checks.end(), std::back_inserter(failed),
               [](const Checked& checked) { return !checked.result.passed; });
  return failed;
}

std::string reason_of(const Checked& checked) {
  return checked.result.reason.empty() ? std::string(checked.requirement.title())
                                       : checked.result.reason;
}

// Those of one chunk, which `alone` is made of.
std::vector<ToCheck> checks_of(const std::vector<StreamCheck>& checks, const PartialAnswer& answer,
                               const Reply& alone) {
  std::vector<ToCheck> all;
  for (const StreamCheck& one : checks) {
    ToCheck& check = all.emplace_back(ToCheck{.requirement = one.requirement});
    if (one.check)
      check.check = [&one, answer](const Call& call) {
        return one.check(answer, call)
            .value_or(ValidationResult{.passed = true, .code = "unknown"});
      };
    else if (!one.requirement.judged())
      check.check = [&one, answer, &alone](const Call& call) {
        return one.requirement.check()({.reply = alone, .context = answer.context}, call);
      };
  }
  return all;
}

}  // namespace

class Stream::Handle {
 public:
  explicit Handle(std::shared_ptr<StreamState> of) : state(std::move(of)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  ~Handle() {
    state->cancel(CancelReason::consumer);
    // What it waits on lives in the parent process: it can't be taken apart here.
    if (state->fork_mark().inherited()) new std::shared_ptr<StreamState>(std::move(state));
  }

  std::shared_ptr<StreamState> state;  // never null
};

Stream start_stream(StreamJob job) { return StreamState::start(std::move(job)); }

StreamState::StreamState(StreamJob job)
    : cancellation_(std::make_shared<Cancellation>(job.model.cancellation)),
      job_(with_cancellation(checked(std::move(job)), cancellation_)),
      chunker_(job_.options.chunking),
      operation_(job_.model.hooks, opening_event(job_)) {}

Stream StreamState::start(StreamJob job) {
  const std::shared_ptr<StreamState> state(new StreamState(std::move(job)));
  state->begin();
  if (const auto runs = std::exchange(state->job_.runs, nullptr)) runs(state);
  return Stream(std::make_shared<Stream::Handle>(state));
}

void StreamState::begin() {
  try {
    if (operation_.block()) throw blocked_error(*operation_.block());
    leave_out_what_plugins_took();
    ask();
  } catch (...) {
    const Error error = caught_error(job_.model.backend->provider());
    operation_.end(ended_with(error, cancellation_->reason()));
    throw error;
  }
  on_cancel_.emplace(cancellation_->token(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->see_to_the_end();
  });
}

// What they added is checked at the end: what it would find in a part is not known.
void StreamState::leave_out_what_plugins_took() {
  const Requirements& left = operation_.opening()->requirements;
  auto& [chunking, checks, requirements, retries] = job_.options;
  std::erase_if(checks, [&](const StreamCheck& check) { return !has(left, check.requirement); });
  std::erase_if(requirements, [&](const Requirement& one) { return !has(left, one); });
  for (const Requirement& one : left) {
    const bool on_the_way = std::any_of(
        checks.begin(), checks.end(), [&](const auto& check) { return check.requirement == one; });
    if (!on_the_way && !has(requirements, one)) requirements.push_back(one);
  }
}

void StreamState::refuse_after_fork() const {
  if (fork_mark_.inherited())
    throw Error(Errc::after_fork, "this stream belongs to the parent process: make a new Runtime");
}

// What readers do

std::optional<std::string> StreamState::next() {
  refuse_after_fork();
  Lock lock(mutex_);
  std::optional<std::string> chunk;
  if (take_turn(lock)) {
    lock.unlock();
    chunk = advance();
    lock.lock();
    end_turn(lock);
  }
  if (!chunk && error_) throw *error_;
  return chunk;
}

Result StreamState::wait() {
  while (next()) {
  }
  const Lock lock(mutex_);
  return *result_;
}

int StreamState::attempt() const {
  refuse_after_fork();
  const Lock lock(mutex_);
  return attempt_;
}

bool StreamState::done() const noexcept {
  if (fork_mark_.inherited()) return true;
  const Lock lock(mutex_);
  return over_;
}

bool StreamState::ok() const {
  refuse_after_fork();
  const Lock lock(mutex_);
  return result_ && result_->ok();
}

std::vector<Failure> StreamState::failures() const {
  refuse_after_fork();
  const Lock lock(mutex_);
  return result_ ? result_->failures() : std::vector<Failure>();
}

void StreamState::cancel(CancelReason reason) noexcept {
  if (!fork_mark_.inherited()) cancellation_->request(reason);
}

void StreamState::leave_behind() noexcept {
  const Lock lock(mutex_);
  left_behind_ = true;
  changed_.notify_all();
}

// Whose turn it is to drive

// False if it is over. Throws if it never will be.
bool StreamState::take_turn(Lock& lock) {
  changed_.wait(lock, [&] { return over_ || !driven_ || left_behind_; });
  if (over_) return false;
  if (driven_) throw Error(Errc::shutdown, "the Runtime ended before the stream did");
  driven_ = true;
  return true;
}

void StreamState::end_turn(Lock& lock) {
  driven_ = false;
  changed_.notify_all();
  if (over_ || cancellation_->reason() == CancelReason::none) return;
  lock.unlock();
  see_to_the_end();  // the cancel came while this thread had its turn
  lock.lock();
}

// After a cancel. Whoever drives sees it; else a worker does.
void StreamState::see_to_the_end() noexcept {
  {
    const Lock lock(mutex_);
    if (driven_ || over_) return;
    driven_ = true;
  }
  const auto drive = [self = shared_from_this()] {
    self->advance();
    Lock lock(self->mutex_);
    self->end_turn(lock);
  };
  Workers* workers = operation_.hooks().workers();
  if (!workers || !workers->post(drive)) drive();  // nobody else would do it
}

// What whoever drives does

// The next chunk that passed; nothing at the end, which has been told then.
std::optional<std::string> StreamState::advance() {
  try {
    for (;;) {
      cancellation_->throw_if_requested();
      if (std::optional<TextChunk> chunk = chunker_.next()) {
        if (passes(*chunk)) {
          give(*chunk);
          return std::move(chunk->text);
        }
        if (!begin_again()) return std::nullopt;
      } else if (whole_) {
        end_well();
        return std::nullopt;
      } else {
        read();
      }
    }
  } catch (...) {
    fail(caught_error("the stream"));
  }
  return std::nullopt;
}

void StreamState::ask() {
  Question question = job_.question;
  question.parent = scope();
  question.stream = true;
  ++asked_;
  came_ = std::make_shared<Came>();
  generation_ = job_.model.ask(std::move(question), [came = came_](const Generated& generated) {
    *came = {.reply = generated.reply,
             .scope = generated.scope,
             .times = generated.times,
             .reason = generated.ending.reason};
    return std::optional<Error>();
  });
}

void StreamState::read() {
  const std::optional<Chunk> chunk = generation_->next();
  if (!chunk) {
    whole_ = true;
    chunker_.end();
  } else if (const auto* text = std::get_if<std::string>(&chunk->what); text && chunk->index == 0) {
    text_ += *text;
    chunker_.add(*text);
  }
}

bool StreamState::passes(const TextChunk& chunk) {
  if (job_.options.checks.empty()) return true;
  const Context& context = job_.question.context;
  const Reply alone{.text = chunk.text};
  Checks checks({.model = job_.model,
                 .within = scope(),
                 .answer = {.reply = alone, .context = context},
                 .options = job_.question.options,
                 .cancellation = cancellation_},
                checks_of(job_.options.checks,
                          {.chunk = chunk.text,
                           .text = std::string_view(text_).substr(0, chunk.end),
                           .index = chunks_,
                           .context = context},
                          alone));
  checks.run();
  std::vector<Checked> found = std::move(checks).found();
  const bool passed = all_passed(found);
  for (const Checked& one : found)
    if (!one.result.passed || one.result.judgement) found_.push_back(one);
  if (is_heard())
    tell(QuickCheck{
        .chunk = chunks_, .attempt = asked_, .passed = passed, .checks = std::move(found)});
  return passed;
}

void StreamState::give(const TextChunk& chunk) {
  if (is_heard()) tell(StreamedChunk{.index = chunks_, .text = chunk.text});
  given_ = chunk.end;
  ++chunks_;
  const Lock lock(mutex_);
  attempt_ = asked_;
}

// After a check that failed. False if that was the end.
bool StreamState::begin_again() {
  std::vector<Checked> unmet = failed(found_);
  stop_generation(CancelReason::requirement_failed);
  keep_attempt({});
  if (asked_ > job_.options.retries) {
    unmet_ = std::make_shared<const std::vector<Checked>>(std::move(unmet));
    finish(ended_ok(), std::nullopt);
    return false;
  }
  if (is_heard()) tell(StreamRetry{.attempt = asked_, .reason = reason_of(unmet.front())});
  text_.clear();
  whole_ = false;
  given_ = 0;
  chunks_ = 0;
  chunker_ = Chunker(job_.options.chunking);
  ask();
  return true;
}

void StreamState::end_well() {
  if (is_heard()) tell(StreamingDone{.length = code_points(text_)});
  std::vector<Checked> checks;
  if (!job_.options.requirements.empty()) {
    checks = validate(job_.model, {.parent = scope(),
                                   .evaluated = came_->scope,
                                   .reply = came_->reply,
                                   .context = job_.question.context,
                                   .requirements = job_.options.requirements,
                                   .options = job_.question.options,
                                   .cancellation = cancellation_})
                 .checks;
    if (is_heard()) tell(FullValidation{.passed = all_passed(checks), .checks = checks});
  }
  given_ = text_.size();
  keep_attempt(std::move(checks));
  finish(ended_ok(), std::nullopt);
}

void StreamState::fail(Error error) {
  CancelReason reason = cancellation_->reason();
  if (reason != CancelReason::none) error = cancellation_->error();  // whatever came of it
  stop_generation(reason == CancelReason::none ? CancelReason::parent : reason);
  // The session may have cancelled what was on its way before it said why.
  if (reason == CancelReason::none && generation_->done()) reason = came_->reason;
  if (reason == CancelReason::none) reason = CancelReason::parent;
  const Ending ending = ended_with(error, reason);
  if (ending.error && is_heard()) tell(StreamFailure{.error = ending.error});
  finish(ending,
         error.with_partial_text(job_.options.checks.empty() ? text_ : text_.substr(0, given_)));
}

// Returns when its end has been told.
void StreamState::stop_generation(CancelReason reason) {
  generation_->cancel(reason);
  try {
    (void)generation_->wait({});
  } catch (const Error&) {  // which was announced, or is why it is stopped
  }
}

// The answer ends with what was given out.
void StreamState::keep_attempt(std::vector<Checked> last) {
  auto reply = std::make_shared<Reply>(*came_->reply);
  reply->text.resize(std::min(reply->text.size(), given_));
  found_.insert(found_.end(), std::make_move_iterator(last.begin()),
                std::make_move_iterator(last.end()));
  attempts_.push_back({.iteration = asked_,
                       .said = job_.question.message,
                       .reply = std::move(reply),
                       .scope = generation_->scope(),
                       .times = came_->times,
                       .checks = std::exchange(found_, {})});
}

void StreamState::finish(const Ending& ending, std::optional<Error> error) {
  const bool success = ending.outcome == Outcome::ok && !unmet_;
  const std::size_t length = code_points(std::string_view(text_).substr(0, given_));
  if (is_heard()) tell(StreamCompleted{.success = success, .length = length});
  operation_.end(ending, {.success = success,
                          .failures = unmet_,
                          .length = length,
                          .generation = generation_->opening()});
  std::optional<Result> result;
  if (!error) {
    const Attempt& last = attempts_.back();
    result.emplace(Result::Parts{.reply = last.reply,
                                 .scope = last.scope,
                                 .times = last.times,
                                 .attempts = std::make_shared<const Attempts>(attempts_),
                                 .chosen = attempts_.size() - 1,
                                 .tools = job_.tools});
  }
  if (job_.on_end) job_.on_end(success ? attempts_.back().reply : nullptr);
  job_.on_end = nullptr;
  const Lock lock(mutex_);
  over_ = true;
  result_ = std::move(result);
  error_ = std::move(error);
}

bool StreamState::is_heard() const noexcept { return operation_.hooks().wanted<StreamingEvent>(); }

void StreamState::tell(StreamingEvent::What what) const {
  operation_.hooks().tell(
      StreamingEvent{.scope = scope(),
                     .at = std::chrono::steady_clock::now(),
                     .what = std::make_shared<const StreamingEvent::What>(std::move(what))});
}

// The handle

Stream::Stream(std::shared_ptr<Handle> handle) : handle_(std::move(handle)) {}

std::optional<std::string> Stream::next() { return handle_->state->next(); }
Result Stream::wait() { return handle_->state->wait(); }
int Stream::attempt() const { return handle_->state->attempt(); }
bool Stream::done() const noexcept { return handle_->state->done(); }
bool Stream::ok() const { return handle_->state->ok(); }
std::vector<Failure> Stream::failures() const { return handle_->state->failures(); }
void Stream::cancel(CancelReason reason) noexcept { handle_->state->cancel(reason); }
const Scope& Stream::scope() const noexcept { return handle_->state->scope(); }

}  // namespace mellea
