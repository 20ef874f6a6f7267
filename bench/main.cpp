// Prints mellea's numbers beside their floors: docs/performance.md.
//
//   mellea_bench [--quick] [--long] [--backend NAME] [GROUP...]
#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include "measure.h"
#include "mellea/version.h"
#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

void usage() {
  std::fputs("usage: mellea_bench [--quick] [--long] [--backend NAME] [GROUP...]\n\n", stderr);
  for (const Group& group : kGroups)
    std::fprintf(stderr, "  %-10s %s%s\n", group.name.data(), group.what.data(),
                 group.on_request ? " (by name, or with --long)" : "");
  std::fputs("  telemetry  tracing, metrics, otlp and down\n", stderr);
  std::fprintf(stderr,
               "\nWith --backend the groups that depend on the protocol, with that of NAME: %s\n",
               wire_names().c_str());
}

const Group* group_of(std::string_view name) {
  const auto found = std::find_if(kGroups.begin(), kGroups.end(),
                                  [name](const Group& group) { return group.name == name; });
  return found == kGroups.end() ? nullptr : &*found;
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  return "an unknown processor";
}

void print_machine() {
  utsname system{};
  ::uname(&system);
  std::array<double, 1> load{};
  ::getloadavg(load.data(), 1);
  char date[16];
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
  std::printf("mellea %s, %s: %s, %ld cores, Linux %s, %s, load %.1f before\n\n",
              MELLEA_VERSION_STRING, date, processor().c_str(), ::sysconf(_SC_NPROCESSORS_ONLN),
              system.release, MELLEA_BENCH_COMPILER, load[0]);
  if (load[0] > 0.5)
    std::fprintf(stderr, "mellea_bench: others are using this machine: read the ratios\n");
}

// Runs one group in this process.
int run_here(const Group& group, const Settings& settings) {
  try {
    allow_many_descriptors();
    pin_to_core(0);
    group.run(settings);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mellea_bench: %s: %s\n", group.name.data(), error.what());
    return 1;
  }
}

// Runs it in a process of its own.
bool run(const Group& group, const Settings& settings) {
  std::string name(group.name);
  std::string program = "mellea_bench";
  std::string here = settings.quick ? "--here-quick" : "--here";
  std::string option = "--backend";
  std::string backend(settings.wire->backend);
  const std::array<char*, 6> arguments = {program.data(), here.data(), option.data(),
                                          backend.data(), name.data(), nullptr};
  pid_t process = 0;
  int status = 0;
  if (::posix_spawn(&process, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ) != 0)
    return false;
  ::waitpid(process, &status, 0);
  if (WIFSIGNALED(status))
    std::fprintf(stderr, "mellea_bench: %s: ended by signal %d\n", name.c_str(), WTERMSIG(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace
}  // namespace mellea::bench

int main(int argc, char** argv) {
  using namespace mellea::bench;
  Settings settings;
  bool all = false;
  bool one_backend = false;
  bool here = false;
  std::vector<const Group*> groups;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    here = here || argument.starts_with("--here");
    if (argument == "--quick" || argument == "--here-quick")
      settings.quick = true;
    else if (argument == "--long")
      all = true;
    else if (argument == "--backend" && i + 1 < argc && (settings.wire = wire_of(argv[++i])))
      one_backend = true;
    else if (const Group* const group = group_of(argument))
      groups.push_back(group);
    else if (argument == "telemetry")
      for (const std::string_view name : kTelemetryGroups) groups.push_back(group_of(name));
    else if (argument != "--here")
      return usage(), 2;
  }
  if (here) return groups.size() == 1 ? run_here(*groups[0], settings) : 2;
  if (groups.empty())
    for (const Group& group : kGroups)
      if (one_backend ? group.of_wire : all || !group.on_request) groups.push_back(&group);
  print_machine();
  print_head();
  bool good = true;
  for (const Group* const group : groups) good = run(*group, settings) && good;
  return good ? 0 : 1;
}
