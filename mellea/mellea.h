// The library. Telemetry is beside it: mellea/telemetry.h.
#pragma once

#include "mellea/runtime/query.h"
#include "mellea/runtime/requirements.h"
#include "mellea/runtime/runtime.h"
#include "mellea/runtime/template.h"
#include "mellea/runtime/turn.h"
