// Structs of yours as what a model answers, and as what it writes for your functions. A JSON
// library stands behind this header, and behind no other.
#pragma once

#include "mellea/core/described.h"
#include "mellea/core/typed_tool.h"
#include "mellea/runtime/session.h"
#include "mellea/runtime/typed_result.h"

namespace mellea {

template <class T>
Typed<T> Session::instruct(Instruction instruction, CallOptions options) const {
  options.format = format_of<T>();
  return Typed<T>(instruct(std::move(instruction), std::move(options)));
}

template <class T>
Typed<T> Session::chat(std::string text, CallOptions options) const {
  options.format = format_of<T>();
  return Typed<T>(chat(std::move(text), std::move(options)));
}

template <class T>
Typed<T> Session::query(std::string object, std::string question, CallOptions options) const {
  options.format = format_of<T>();
  return Typed<T>(query(std::move(object), std::move(question), std::move(options)));
}

}  // namespace mellea
