// Joins the two worlds in the thread: finds the host's current span, and makes ours current.
#pragma once

#include <memory>

#include "mellea/hooks/hook.h"

namespace mellea::otel {

// See through().
std::shared_ptr<Plugin> make_host_context_plugin();

}  // namespace mellea::otel
