// Runs a program with a model of this machine, which is none: a file that looks like one, and a
// server that says something. What the program prints goes to standard output; its exit code is
// ours.
//
//   run_local_example SERVER PROGRAM
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <filesystem>
#include <string>

#include "mellea/backends/gguf_for_test.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::string folder = std::filesystem::temp_directory_path() / "mellea-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 2;
  std::string model = folder + "/model.gguf";
  mellea::GgufForTest().uint32("llama.context_length", 4096).write(model);
  ::setenv("MELLEA_LLAMA_SERVER", argv[1], 1);
  char* const arguments[] = {argv[2], model.data(), nullptr};
  pid_t program = 0;
  int status = 1;
  if (::posix_spawn(&program, argv[2], nullptr, nullptr, arguments, environ) == 0)
    ::waitpid(program, &status, 0);
  std::filesystem::remove_all(folder);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
