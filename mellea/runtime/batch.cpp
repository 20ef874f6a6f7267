#include "mellea/runtime/batch.h"

#include <algorithm>
#include <utility>

#include "mellea/runtime/usage_sum.h"

namespace mellea {
namespace {

// A batch on its way, read by one thread.
class Batch {
 public:
  Batch(const Model& model, const Operation<GenerationBatchPreCall>& operation)
      : model_(model),
        operation_(operation),
        replies_(operation.opening()->request->prompts.size()) {
    Times& times = effort_.times;
    times.started = operation.opening()->at;
    times.began = std::chrono::system_clock::now() -
                  std::chrono::duration_cast<std::chrono::system_clock::duration>(
                      std::chrono::steady_clock::now() - times.started);
  }

  void run() {
    const GenerationBatchPreCall& opening = *operation_.opening();
    Request request = *opening.request;
    replace(request.headers, opening.headers);
    limit(request.limits, model_.until);
    const auto stream = model_.backend->start(std::move(request), model_.cancellation->token());
    try {
      read(*stream);
    } catch (...) {
      note(stream->times());
      throw;
    }
    note(stream->times());
  }

  // What had come until now.
  std::shared_ptr<const std::vector<Reply>> replies() const {
    return std::make_shared<const std::vector<Reply>>(replies_);
  }
  std::optional<Usage> usage() const {
    if (of_all_) return of_all_;
    UsageSum sum;
    for (const Reply& reply : replies_) sum.add(reply.usage);
    return sum.sum();
  }
  const Effort& effort() const noexcept { return effort_; }

 private:
  void read(ReplyStream& stream) {
    for (Chunk chunk;;) {
      switch (stream.try_next(chunk)) {
        case Next::end: return;
        case Next::pending: stream.wait(Instant::max()); break;
        case Next::chunk: take(std::move(chunk)); break;
      }
    }
  }

  void take(Chunk chunk) {
    if (const auto* notice = std::get_if<Notice>(&chunk.what)) return tell(chunk, *notice);
    Times& times = effort_.times;
    if (times.first_chunk == Instant{}) times.first_chunk = chunk.at;
    if (const auto* usage = std::get_if<Usage>(&chunk.what); usage && chunk.index < 0) {
      of_all_ = updated(of_all_.value_or(Usage{}), *usage);
      return;
    }
    ++effort_.chunks;
    const auto place = static_cast<std::size_t>(std::max(chunk.index, 0));
    if (chunk.index < 0) {  // of all of them
      for (Reply& reply : replies_) add(reply, {.at = chunk.at, .what = chunk.what});
    } else if (place < replies_.size()) {
      chunk.index = 0;
      add(replies_[place], chunk);
    }
  }

  void tell(const Chunk& chunk, const Notice& notice) {
    const Hooks& hooks = operation_.hooks();
    const Scope& scope = operation_.scope();
    const auto& target = operation_.opening()->target;
    if (notice.kind != Notice::Kind::retry)
      return hooks.tell(Diagnostic{.scope = scope, .notice = notice, .target = target});
    ++effort_.retries;
    hooks.tell(GenerationRetry{
        .scope = scope, .at = chunk.at, .notice = notice, .target = target, .index = chunk.index});
  }

  void note(const StreamTimes& times) {
    effort_.times.sent = times.sent;
    effort_.times.paused = times.paused;
    effort_.times.ended = times.ended;
  }

  const Model& model_;
  const Operation<GenerationBatchPreCall>& operation_;
  std::vector<Reply> replies_;
  std::optional<Usage> of_all_;
  Effort effort_;
};

}  // namespace

BatchResult run_batch(const Model& model, BatchJob job) {
  if (job.options.choices && *job.options.choices > 1)
    throw Error(Errc::invalid_request, "a batch gives one answer a prompt: choices is " +
                                           std::to_string(*job.options.choices) +
                                           ": ask with the prompt so many times");
  const std::string_view provider = model.backend->provider();
  Operation<GenerationBatchPreCall> operation(
      model.hooks,
      {.scope = job.parent.child(Kind::batch, job.entry.options()),
       .at = std::chrono::steady_clock::now(),
       .target = std::make_shared<const Target>(Target{.provider = provider,
                                                       .endpoint = model.backend->endpoint(),
                                                       .conversation = model.conversation}),
       .request = Request{.kind = job.kind,
                          .model = model.name,
                          .prompts = std::move(job.prompts),
                          .options = std::move(job.options),
                          .format = std::move(job.format),
                          .limits = model.limits}});
  Batch batch(model, operation);
  const auto ended = [&](Ending ending) {
    if (batch.effort().times.ended != Instant{}) ending.at = batch.effort().times.ended;
    return operation.end(
        std::move(ending),
        {.replies = batch.replies(), .usage = batch.usage(), .effort = batch.effort()});
  };
  try {
    if (operation.block()) throw blocked_error(*operation.block());
    batch.run();
  } catch (...) {
    Error error = caught_error(provider);
    if (error.code() == Errc::cancelled && model.cancellation->reason() != CancelReason::none)
      error = model.cancellation->error();
    ended(ended_with(error, model.cancellation->reason()));
    throw error;
  }
  if (const auto block = ended(ended_ok())) throw blocked_error(*block);
  return {.replies = *batch.replies(),
          .usage = batch.usage(),
          .times = batch.effort().times,
          .scope = operation.scope()};
}

}  // namespace mellea
