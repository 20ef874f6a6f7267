// Who sends: the same for all spans of one Telemetry.
#pragma once

#include <string>

#include "mellea/telemetry/config.h"

namespace mellea::telemetry {

struct Resource {
  // `more` wins over what is added here: service.instance.id (random) and what this library is.
  Resource(const std::string& service_name, const ResourceAttributes& more);

  ResourceAttributes attributes{};  // each key once
  std::string library_version{};
};

}  // namespace mellea::telemetry
