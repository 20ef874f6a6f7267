// The smallest program: one answer, what it took, and what a failure looks like.
//
//   01_hello [BASE_URL [MODEL]]     traced by MELLEA_TRACES_FILE=x.jsonl
#include <mellea/mellea.h>
#include <mellea/telemetry.h>

#include <iostream>

int main(int argc, char** argv) {
  auto telemetry = mellea::Telemetry::from_env();
  mellea::Runtime runtime({.plugins = telemetry.plugins()});
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    const auto haiku = session.instruct("Write a haiku about the sea.");
    std::cout << haiku.text() << '\n';
    if (haiku.usage() && haiku.usage()->output_tokens)
      std::cout << "(" << *haiku.usage()->output_tokens << " tokens)\n";
  } catch (const mellea::Error& error) {  // openai: connect to 127.0.0.1:8080: refused ...
    std::cerr << error.what() << '\n';
    return 1;
  }
}
