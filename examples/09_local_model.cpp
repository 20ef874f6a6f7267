// A model of this machine, a GGUF file: run in this process where the library was built with
// libllama, else by a llama-server that comes and goes with the program. The same program as
// 01_hello but for two strings. And an answer that can only be what its schema says.
//
//   09_local_model FILE.gguf     or ORG/REPO:Q4_K_M, as in the Hub cache
#include <mellea/mellea.h>
#include <mellea/typed.h>

#include <iostream>
#include <string>

struct Harbour {
  std::string name;
  int berths = 0;
};
MELLEA_DESCRIBE(Harbour, name, berths)

int main(int argc, char** argv) {
  mellea::Runtime runtime;
  try {
    auto session = runtime.start_session(
        {.backend = "local", .model = argc > 1 ? argv[1] : "ibm-granite/granite-4.0-micro-GGUF"});
    const auto haiku = session.instruct("Write a haiku about the sea.");
    std::cout << haiku.text() << '\n';
    const auto harbour = session.chat<Harbour>("Think of a harbour.").value();
    std::cout << harbour.name << " has " << harbour.berths << " berths\n";
  } catch (const mellea::Error& error) {  // local: there is no llama-server: install llama.cpp ...
    std::cerr << error.what() << '\n';
    return 1;
  }
}
