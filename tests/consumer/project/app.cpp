// What somebody else's first program looks like to the compiler and the linker. Says nothing to any
// network: a backend's misspelt name is refused before.
#include <cstdio>
#include <string_view>

#include <mellea/mellea.h>
#include <mellea/telemetry.h>
#include <mellea/version.h>

int main() {
  if (mellea::kVersion != std::string_view(EXPECTED_VERSION)) return 1;
  auto telemetry = mellea::Telemetry::from_env();
  mellea::Runtime runtime({.plugins = telemetry.plugins()});
  try {
    auto session = runtime.start_session({.backend = "opnai", .model = "m"});
  } catch (const mellea::Error& error) {
    std::puts(error.what());
    return error.code() == mellea::Errc::invalid_request ? 0 : 2;
  }
  return 3;
}
