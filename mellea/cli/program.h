// The program: what is typed, taken apart, and the command that it names.
#pragma once

namespace mellea::cli {

// Returns the exit code. Throws nothing.
int run(int argc, char** argv);

}  // namespace mellea::cli
