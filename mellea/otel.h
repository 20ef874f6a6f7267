// For a program that has opentelemetry-cpp: its tracing and ours as one. Needs mellea::otel.
#pragma once

#include "mellea/otel/bridge.h"
