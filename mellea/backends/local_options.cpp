#include "mellea/backends/local_options.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace mellea {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path& file) {
  std::error_code none;
  return fs::is_regular_file(file, none) && ::access(file.c_str(), X_OK) == 0;
}

// Empty if no folder of `path` has it. An empty folder would be the current one, which is no place
// to take programs from.
std::string program_in(std::string_view path, std::string_view name) {
  while (!path.empty()) {
    const auto colon = std::min(path.find(':'), path.size());
    const fs::path folder = path.substr(0, colon);
    if (folder.is_absolute() && is_program(folder / name)) return folder / name;
    path.remove_prefix(std::min(colon + 1, path.size()));
  }
  return {};
}

std::string hub_cache_of(const LocalOptions::Variables& variable) {
  const auto folder = [&](const char* name) { return fs::path(variable(name).value_or("")); };
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (fs::path cache = folder(name); !cache.empty()) return cache;
  if (const fs::path home = folder("HF_HOME"); !home.empty()) return home / "hub";
  if (const fs::path caches = folder("XDG_CACHE_HOME"); !caches.empty())
    return caches / "huggingface" / "hub";
  if (const fs::path home = folder("HOME"); !home.empty())
    return home / ".cache" / "huggingface" / "hub";
  return {};
}

}  // namespace

LocalOptions LocalOptions::from_env() {
  return from([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value ? std::optional<std::string>(value) : std::nullopt;
  });
}

LocalOptions LocalOptions::from(const Variables& variable) {
  LocalOptions options;
  options.server = variable("MELLEA_LLAMA_SERVER").value_or("");
  if (!options.server.empty()) {
    options.run = Run::server;
    if (options.server.find('/') == std::string::npos)
      if (std::string found = program_in(variable("PATH").value_or(""), options.server);
          !found.empty())
        options.server = std::move(found);
  } else {
    options.server = program_in(variable("PATH").value_or(""), "llama-server");
  }
  options.hub_cache = hub_cache_of(variable);
  options.log_file = variable("MELLEA_LLAMA_LOG").value_or("");
  return options;
}

}  // namespace mellea
