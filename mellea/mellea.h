// The library. Telemetry is beside it: mellea/telemetry.h.
#pragma once

#include "mellea/runtime/runtime.h"
