// Traces and metrics of what a program does with language models: everything about telemetry in one
// include.
#pragma once

#include "mellea/telemetry/telemetry.h"
