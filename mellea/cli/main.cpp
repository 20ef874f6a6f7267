#include "mellea/cli/program.h"

int main(int argc, char** argv) { return mellea::cli::run(argc, argv); }
