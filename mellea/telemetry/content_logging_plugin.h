// Logs what was said in each request to a model and its reply.
#pragma once

#include <memory>
#include <string_view>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/content.h"
#include "mellea/telemetry/error_text.h"
#include "mellea/telemetry/logger.h"
#include "mellea/telemetry/pricing.h"

namespace mellea::telemetry {

inline constexpr std::string_view kOperationDetails = "gen_ai.client.inference.operation.details";

// One record of that name when a generation or a batch has ended,
// whether its span is sampled or not: all that the span says, with what was said as structure.
// Does nothing unless `content` is shown in events. `pricing` null: it does not say what it cost.
// The logger has to want Severity::debug: a console that shows less leaves these out itself.
std::shared_ptr<Plugin> make_content_logging_plugin(std::shared_ptr<Logger> logger,
                                                    std::shared_ptr<const Content> content,
                                                    std::shared_ptr<const Pricing> pricing);

}  // namespace mellea::telemetry
