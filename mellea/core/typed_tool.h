// Functions of the program as tools: what a model writes arrives as a struct.
//
//   struct Where { std::string city; int days = 1; };
//   MELLEA_DESCRIBE_WITH(Where, (city, "by its English name"), (days, "from today"))
//
//   const Tool weather = tool<Where>("get_weather", "Weather in a city",
//                                    [](const Where& where) { return forecast(where.city); });
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "mellea/core/described.h"
#include "mellea/core/tool.h"

namespace mellea {

// What a model is told that a tool returned: text as it is, nothing as "done", and all else that
// MELLEA_DESCRIBE knows as JSON.
template <class T>
std::string to_tool_result(const T& value) {
  if constexpr (std::convertible_to<const T&, std::string_view>)
    return std::string(std::string_view(value));
  else if constexpr (std::same_as<T, Json>)
    return value.text();
  else
    return to_json(value).text();
}

// The schema of an object; one that contains itself stands at the front, and not behind a $ref, as
// providers want it.
Json parameters_of(const Json& schema);

template <class Function, class... Given>
concept RunsWith = std::invocable<const Function&, const Given&...>;

namespace described {

template <class Function, class... Given>
std::string run(const Function& function, const Given&... given) {
  if constexpr (std::is_void_v<std::invoke_result_t<const Function&, const Given&...>>) {
    function(given...);
    return "done";
  } else {
    return to_tool_result(function(given...));
  }
}

}  // namespace described

// A tool that takes an Args: see MELLEA_DESCRIBE. `function` may take a Call too. What it throws
// the model is told; several threads may call it at once.
template <DescribedStruct Args, class Function>
requires(RunsWith<Function, Args> || RunsWith<Function, Args, Call>) Tool
    tool(std::string name, std::string description, Function function) {
  return Tool({.name = std::move(name),
               .description = std::move(description),
               .parameters = parameters_of(schema_of<Args>())},
              [function = std::move(function)](const Json& arguments, const Call& call) {
                Args args{};
                described::Reader::read(*arguments, args);
                if constexpr (RunsWith<Function, Args, Call>)
                  return described::run(function, args, call);
                else
                  return described::run(function, args);
              });
}

// A tool that takes nothing, but maybe a Call.
template <class Function>
requires(RunsWith<Function> || RunsWith<Function, Call>) Tool
    tool(std::string name, std::string description, Function function) {
  return Tool({.name = std::move(name), .description = std::move(description)},
              [function = std::move(function)](const Json&, const Call& call) {
                if constexpr (RunsWith<Function, Call>)
                  return described::run(function, call);
                else
                  return described::run(function);
              });
}

}  // namespace mellea
