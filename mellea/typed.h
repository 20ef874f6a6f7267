// Structs of yours as what a model answers, and as what it writes for your functions. A JSON
// library stands behind this header, and behind no other.
#pragma once

#include "mellea/core/described.h"
#include "mellea/core/typed_tool.h"
#include "mellea/runtime/typed_result.h"
