// The values that travel to a model and back. Plain aggregates: every field has a default, so that
// {.model = "granite4:micro"} is a whole request.
#pragma once

#include "mellea/core/message.h"
#include "mellea/core/options.h"
#include "mellea/core/reply.h"
#include "mellea/core/request.h"
