// The library. Beside it: telemetry (mellea/telemetry.h), and structs of yours as answers and as
// arguments of tools (mellea/typed.h).
#pragma once

#include "mellea/runtime/instruction.h"
#include "mellea/runtime/query.h"
#include "mellea/runtime/requirements.h"
#include "mellea/runtime/runtime.h"
#include "mellea/runtime/template.h"
#include "mellea/runtime/turn.h"
