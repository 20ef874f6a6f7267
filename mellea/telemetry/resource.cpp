#include "mellea/telemetry/resource.h"

#include <algorithm>
#include <string_view>

#include "mellea/core/scope.h"

namespace mellea::telemetry {

Resource::Resource(const std::string& service_name, const ResourceAttributes& more)
    : library_version(MELLEA_VERSION) {
  const auto add = [this](std::string_view key, const std::string& value) {
    const bool is_there =
        std::any_of(attributes.begin(), attributes.end(),
                    [&](const auto& attribute) { return attribute.first == key; });
    if (!is_there) attributes.emplace_back(key, value);
  };
  add("service.name", service_name);
  for (const auto& [key, value] : more) add(key, value);
  add("service.instance.id", Id::random().text());
  add("telemetry.sdk.name", "mellea");
  add("telemetry.sdk.language", "cpp");
  add("telemetry.sdk.version", library_version);
  add("telemetry.distro.name", "mellea");
  add("telemetry.distro.version", library_version);
}

}  // namespace mellea::telemetry
