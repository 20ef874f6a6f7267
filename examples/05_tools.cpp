// Functions of yours that the model may call. One throws: the model reads the error and goes on.
//
//   05_tools [BASE_URL [MODEL]]
#include <mellea/mellea.h>
#include <mellea/typed.h>

#include <iostream>
#include <stdexcept>

struct Place {
  std::string city;
};
MELLEA_DESCRIBE(Place, city)

int main(int argc, char** argv) {
  const auto weather =
      mellea::tool<Place>("get_weather", "The weather in a city", [](const Place& place) {
        return place.city == "Boston" ? std::string("22 C, windy")
                                      : throw std::runtime_error("no station in " + place.city);
      });
  mellea::Runtime runtime;
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"},
                              {.context = mellea::Context::chat()});
    auto answer = session.chat("What is the weather in Boston?", {.tools = {weather}});
    for (int turn = 0; turn < 4 && !answer.tool_calls().empty(); ++turn) {
      for (const auto& result : session.call_tools(answer, {.add_results = true}))
        std::cout << result.call.name << ": " << result.text << '\n';
      answer = session.chat("Go on.", {.tools = {weather}});
    }
    std::cout << answer.text() << '\n';
  } catch (const mellea::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
