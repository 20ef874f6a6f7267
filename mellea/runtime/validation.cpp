#include "mellea/runtime/validation.h"

#include <utility>

#include "mellea/runtime/checks.h"

namespace mellea {
namespace {

// Those that plugins left.
std::vector<ToCheck> checks_of(const ValidationPreCheck& opening) {
  std::vector<ToCheck> checks;
  for (const Requirement& requirement : opening.requirements) {
    ToCheck& one = checks.emplace_back(ToCheck{.requirement = requirement});
    if (!requirement.judged())
      one.check = [&](const Call& call) {
        return requirement.check()({.reply = *opening.reply, .context = opening.context}, call);
      };
  }
  return checks;
}

}  // namespace

Validated validate(const Model& model, const ValidationJob& job) {
  Operation<ValidationPreCheck> operation(
      model.hooks, {.scope = job.parent.child(Kind::validation, job.entry.options(job.iteration)),
                    .at = std::chrono::steady_clock::now(),
                    .evaluated = job.evaluated,
                    .reply = job.reply,
                    .context = job.context,
                    .conversation = model.conversation,
                    .requirements = job.requirements,
                    .options = job.options});
  const ValidationPreCheck& opening = *operation.opening();
  Checks found({.model = model,
                .within = operation.scope(),
                .answer = {.reply = *opening.reply, .context = opening.context},
                .options = *opening.options,
                .cancellation = job.cancellation},
               checks_of(opening));
  const auto checks = std::make_shared<std::vector<Checked>>();
  try {
    if (operation.block()) throw blocked_error(*operation.block());
    found.run();
  } catch (const Error& error) {
    *checks = std::move(found).found();
    operation.end(ended_with(error, job.cancellation->reason()), {.checks = checks});
    throw;
  }
  *checks = std::move(found).found();
  const int generations = found.generations();
  if (const auto block = operation.end(ended_ok(), {.checks = checks})) throw blocked_error(*block);
  return {.checks = std::move(*checks), .generations = generations};
}

}  // namespace mellea
