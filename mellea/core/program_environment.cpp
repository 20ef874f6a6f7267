#include "mellea/core/program_environment.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

bool can_be_run(const std::filesystem::path& file) {
  std::error_code none;
  return std::filesystem::is_regular_file(file, none) && ::access(file.c_str(), X_OK) == 0;
}

}  // namespace

std::vector<std::string> plain_environment(std::map<std::string, std::string> more) {
  for (const char* name :
       {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"})
    if (const char* value = std::getenv(name)) more.emplace(name, value);
  std::vector<std::string> environment;
  for (const auto& [name, value] : more) environment.push_back(name + '=' + value);
  return environment;
}

std::string find_program(const std::string& program, const std::vector<std::string>& environment) {
  if (program.find('/') != program.npos) return program;
  constexpr std::string_view kPath = "PATH=";
  const auto path = std::find_if(environment.begin(), environment.end(),
                                 [&](const auto& one) { return one.starts_with(kPath); });
  std::string_view folders =
      path == environment.end() ? std::string_view() : std::string_view(*path).substr(kPath.size());
  while (!program.empty() && !folders.empty()) {
    const auto end = std::min(folders.find(':'), folders.size());
    const std::filesystem::path found = std::filesystem::path(folders.substr(0, end)) / program;
    // It may run in another folder than ours.
    if (end > 0 && can_be_run(found)) return std::filesystem::absolute(found);
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  throw Error(Errc::not_found, one_line(program, 200) + ": can't be started: " +
                                   std::generic_category().message(ENOENT));
}

}  // namespace mellea
