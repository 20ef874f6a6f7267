// What `#include <mellea/mellea.h>` costs each file that has it, against the standard headers that
// it needs anyway.
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

namespace fs = std::filesystem;

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = fs::temp_directory_path() / "mellea-bench-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder: " + name);
    path_ = name;
  }
  ~ScratchFolder() { fs::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// Runs the compiler and returns the CPU time it took, in milliseconds.
double compile(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), MELLEA_BENCH_CXX);
  arguments.insert(arguments.end(), {"-std=c++20", "@" MELLEA_BENCH_INCLUDES});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_t process = 0;
  int status = -1;
  rusage usage{};
  if (::posix_spawnp(&process, pointers[0], nullptr, nullptr, pointers.data(), environ) == 0)
    ::wait4(process, &status, 0, &usage);
  if (status != 0) throw std::runtime_error("the compiler failed");
  const auto milliseconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
}

// #include lines for the standard headers that our own ask for, once `file` includes them.
std::string standard_headers(const fs::path& file, const fs::path& scratch) {
  compile({"-M", "-o", scratch, file});
  std::set<std::string> includes;
  std::istringstream dependencies(text_of(scratch));
  for (std::string name; dependencies >> name;) {
    if (name.find("/mellea/") == name.npos || !name.ends_with(".h")) continue;
    std::istringstream lines(text_of(name));
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("#include <") && line.find('/') == line.npos) includes.insert(line);
  }
  std::string text;
  for (const std::string& include : includes) text += include + '\n';
  return text;
}

double lines_behind(const fs::path& file, const fs::path& scratch) {
  compile({"-E", "-P", "-o", scratch, file});
  const std::string text = text_of(scratch);
  return static_cast<double>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

void include_rows(const Settings& settings) {
  const ScratchFolder folder;
  const fs::path ours = folder / "ours.cpp";
  const fs::path floor = folder / "floor.cpp";
  const fs::path scratch = folder / "scratch";
  std::ofstream(ours) << "#include <mellea/mellea.h>\n";
  std::ofstream(floor) << standard_headers(ours, scratch);
  const auto cost = [&](const fs::path& file) {
    return std::array{compile({"-c", "-o", scratch, file})};
  };
  const auto [us, std_headers] = in_turn(
      settings.rounds(), [&] { return cost(ours); }, [&] { return cost(floor); });
  print({"#include <mellea/mellea.h>, compiler's CPU", "ms", us[0], std_headers[0],
         Bar::ratio_at_most(1.5)});
  print({"  lines behind it", "", Series(lines_behind(ours, scratch)),
         Series(lines_behind(floor, scratch))});
}

}  // namespace mellea::bench
