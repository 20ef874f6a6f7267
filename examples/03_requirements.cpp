// What an answer has to be: checked by an expression, by a function and by a model, and mended.
//
//   03_requirements [BASE_URL [MODEL]]
#include <mellea/mellea.h>

#include <iostream>

int main(int argc, char** argv) {
  mellea::Runtime runtime;
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    const auto haiku = session.instruct(
        "Write a haiku about the sea.",
        {.requirements = {mellea::regex("has three lines", R"(^[^\n]+\n[^\n]+\n[^\n]+$)"),
                          mellea::function("is calm",
                                           [](const std::string& text) {
                                             return text.find('!') == std::string::npos;
                                           }),
                          "mentions water"},
         .strategy = mellea::repair(3)});

    for (const mellea::Attempt& attempt : haiku.attempts()) {
      std::cout << "attempt " << attempt.iteration << (attempt.ok() ? ": ok" : ": not yet");
      if (attempt.reply->usage && attempt.reply->usage->output_tokens)
        std::cout << ", " << *attempt.reply->usage->output_tokens << " tokens";
      std::cout << '\n';
      for (const mellea::Checked& checked : attempt.checks)
        if (!checked.result.passed) std::cout << "  " << checked.result.reason << '\n';
    }
    std::cout << haiku.text() << '\n';
    for (const mellea::Failure& failure : haiku.failures())
      std::cout << "still not: " << failure.requirement << '\n';
    return haiku.ok() ? 0 : 3;
  } catch (const mellea::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
