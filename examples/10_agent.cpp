// An agent: it works towards a goal with tools, step by step, and leaves a trace of all it did.
//
//   10_agent [BASE_URL [MODEL]]     the trace goes to standard error
#include <mellea/mellea.h>
#include <mellea/telemetry.h>
#include <mellea/typed.h>

#include <iostream>

struct Sum {
  double a = 0;
  double b = 0;
};
MELLEA_DESCRIBE(Sum, a, b)

int main(int argc, char** argv) {
  mellea::Telemetry telemetry(
      {.exporters = {mellea::telemetry::TreeText{.write = [](auto text) { std::cerr << text; }}}});
  mellea::Runtime runtime({.plugins = telemetry.plugins()});
  const auto add = mellea::tool<Sum>("add", "The sum of two numbers",
                                     [](const Sum& sum) { return sum.a + sum.b; });
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    const auto work = session.react("What is 19.5 + 22.5?", {.tools = {add}, .max_steps = 5});
    for (const auto& step : work.steps)
      for (const auto& call : step.tools)
        std::cout << call.call.name << call.call.arguments << " = " << call.text << '\n';
    std::cout << work.answer.value_or("no answer in 5 steps") << '\n';
    return work.ok() ? 0 : 3;
  } catch (const mellea::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
