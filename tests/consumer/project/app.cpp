// What somebody else's first program looks like to the compiler and the linker. Says nothing to any
// network: a backend's misspelt name is refused before.
#include <mellea/mellea.h>
#include <mellea/telemetry.h>
#include <mellea/typed.h>
#include <mellea/version.h>

#include <cstdio>
#include <string>
#include <string_view>

struct Where {
  std::string city;
};
MELLEA_DESCRIBE(Where, city)

int main() {
  if (mellea::kVersion != std::string_view(EXPECTED_VERSION)) return 1;
  const auto weather = mellea::tool<Where>("weather", "Weather in a city",
                                           [](const Where& where) { return where.city; });
  if (weather.arguments(R"({"city":"Rome"})").text() != R"({"city":"Rome"})") return 4;
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
