#include "mellea/runtime/output.h"

#include <utility>

#include "mellea/runtime/output_state.h"

namespace mellea {

Output::Output(std::shared_ptr<OutputState> state) : state_(std::move(state)) {}

Result Output::wait(std::optional<Instant> until) const {
  return state_->action->completed(state_->generation->wait(until));
}

std::optional<Chunk> Output::next() { return state_->generation->next(); }

Next Output::try_next(Chunk& chunk) { return state_->generation->try_next(chunk); }

bool Output::when_ready(std::function<void()> wake) {
  return state_->generation->when_ready(std::move(wake));
}

bool Output::done() const noexcept { return state_->generation->done(); }

std::string Output::partial_text() const { return state_->generation->partial_text(); }

void Output::cancel(CancelReason reason) noexcept { state_->generation->cancel(reason); }

const Scope& Output::scope() const noexcept { return state_->generation->scope(); }

}  // namespace mellea
