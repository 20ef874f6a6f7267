// What a model is given to read.
#pragma once

#include <string>

namespace mellea {

struct Document {
  std::string text{};
  std::string title{};
  std::string id{};  // by which an answer can cite it
};
// "[Document ID]", and on the next line "TITLE: TEXT"; what is empty is left out.
std::string to_string(const Document& document);

}  // namespace mellea
