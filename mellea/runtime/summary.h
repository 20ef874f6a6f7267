// What was said, summed up by the model instead of forgotten. For the sources of sessions and
// agents.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "mellea/core/context.h"
#include "mellea/core/scope.h"
#include "mellea/runtime/compaction_rule.h"
#include "mellea/runtime/component.h"

namespace mellea {

struct MadeCall;
struct SessionState;

// Asks for a summary. What was said is fenced, so that it can't pose as part of the question.
class Summary : public Component {
 public:
  explicit Summary(const Context::Turns& said);
  std::string_view name() const override { return "Summary"; }
  Message render(const Told& told) const override;

 private:
  const std::string text_;
};

// `before` with a summary in place of what `division` would forget: a question of the user's and
// the model's answer. Made by an action within `scope`; tells context_compacted. Nothing if there
// is none to be had: a Diagnostic says why. Throws Error if `call` was cancelled.
std::optional<Context> sum_up(const std::shared_ptr<SessionState>& session, const MadeCall& call,
                              const Scope& scope, const Context& before, const Division& division);

// What `call` goes on from: what was said before it, which is summed up if the session's rule says
// so, for the session too. Throws as sum_up() does.
Context context_of(const std::shared_ptr<SessionState>& session, const MadeCall& call,
                   const Scope& scope);

}  // namespace mellea
