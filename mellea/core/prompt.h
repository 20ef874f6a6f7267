// Where a prompt comes from.
#pragma once

#include <map>
#include <string>

namespace mellea {

// A template that was rendered, as plugins are told of it.
struct Prompt {
  std::string name{};
  std::string version{};
  std::string text{};  // of the template, before anything was put in
  std::map<std::string, std::string, std::less<>> variables{};
};

}  // namespace mellea
