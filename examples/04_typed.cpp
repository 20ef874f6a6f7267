// Answers that are structs, and one that is not: the error says where.
//
//   04_typed [BASE_URL [MODEL]]
#include <mellea/mellea.h>
#include <mellea/typed.h>

#include <iostream>

struct Step {
  std::string text;
  int minutes = 0;
};
MELLEA_DESCRIBE(Step, text, minutes)

struct Recipe {
  std::string title;
  std::vector<Step> steps;
  std::optional<std::string> note;
};
MELLEA_DESCRIBE_WITH(Recipe, (title, "as on a menu"), (steps, "in their order"), (note, ""))

int main(int argc, char** argv) {
  mellea::Runtime runtime;
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    const auto recipe = session.instruct<Recipe>("A recipe for tea.").value();
    std::cout << recipe.title << '\n';
    for (const Step& step : recipe.steps)
      std::cout << "  " << step.minutes << " min: " << step.text << '\n';
    session.chat<Recipe>("And one for toast.");
  } catch (const mellea::Error& error) {  // the answer is no Recipe: steps[0].minutes must be ...
    std::cout << error.what() << '\n';
    return error.code() == mellea::Errc::parse_error ? 0 : 1;
  }
}
