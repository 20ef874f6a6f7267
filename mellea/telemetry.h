// Traces, metrics and log records of what a program does with language models: everything about
// telemetry in one include, but spdlog_sink.h.
#pragma once

#include "mellea/telemetry/telemetry.h"
