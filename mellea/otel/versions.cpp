#include "mellea/otel/versions.h"

#include <string>

#include "mellea/core/error.h"

namespace mellea::otel {

void require_same_version(const Versions& versions) {
  if (versions.library == versions.headers) return;
  throw Error(Errc::invalid_request, "opentelemetry-cpp: compiled with the headers of " +
                                         std::string(versions.headers) + ", but the library is " +
                                         std::string(versions.library));
}

}  // namespace mellea::otel
