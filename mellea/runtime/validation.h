// Checking an answer.
#pragma once

#include <memory>
#include <vector>

#include "mellea/core/requirement.h"
#include "mellea/runtime/model.h"

namespace mellea {

struct ValidationJob {
  Scope parent{};
  Entry entry{};
  int iteration = 0;                     // of the sampling it belongs to, from 1
  Scope evaluated{};                     // the generation; nothing if none
  std::shared_ptr<const Reply> reply{};  // never null
  Context context = Context::simple();   // what was said before it
  Requirements requirements{};
  ModelOptions options{};                              // for those that a model judges
  std::shared_ptr<const Cancellation> cancellation{};  // never null
};

struct Validated {
  std::vector<Checked> checks{};  // one a requirement, in their order
  int generations = 0;            // judgements
};

// Tells both events and checks: what models judge is asked at once, up to a number; checks that are
// slow run on workers meanwhile, the others here, one after the other. Throws Error if one could
// not be checked, or a plugin stopped it; what still ran then has ended, too.
Validated validate(const Model& model, const ValidationJob& job);

}  // namespace mellea
