// All logging plugins: records of what an operator must hear of, with the ids of where it happened.
// What a provider, a plugin or a model said is in none of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mellea/core/instant.h"
#include "mellea/core/scope.h"
#include "mellea/hooks/hook.h"
#include "mellea/telemetry/logger.h"

namespace mellea::telemetry {

// `now` is the clock by which a slow plugin is told of once a minute.
Plugins make_logging_plugins(const std::shared_ptr<Logger>& logger,
                             std::function<Instant()> now = Instant::clock::now);

// What somebody found of an answer: a person, a test, a judge in another program. For
// Telemetry::record_evaluation().
struct Evaluation {
  std::string name{};             // of what was asked: "helpfulness"
  std::optional<double> score{};  // the more the better
  std::string label{};            // "pass", "fail", "4 of 5"; empty: none
  std::string explanation{};      // recorded as it is: leave out what is to stay secret
  std::string response_id{};      // the provider's, for an answer that was not traced
};
LogRecord record_of(const Evaluation& evaluation, const TraceRef& answer);

}  // namespace mellea::telemetry
