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

// The completion of the call that a typed one is.
template <class T>
Completion<Result> untyped(Completion<Typed<T>> done) {
  if (!done) return nullptr;
  return [done = std::move(done)](std::exception_ptr error, std::optional<Result> result) {
    std::optional<Typed<T>> typed;
    if (result) typed.emplace(*std::move(result));
    done(std::move(error), std::move(typed));
  };
}

template <class T>
void Session::instruct_async(Instruction instruction, CallOptions options,
                             Completion<Typed<T>> done) const {
  options.format = format_of<T>();
  instruct_async(std::move(instruction), std::move(options), untyped(std::move(done)));
}

template <class T>
void Session::chat_async(std::string text, CallOptions options, Completion<Typed<T>> done) const {
  options.format = format_of<T>();
  chat_async(std::move(text), std::move(options), untyped(std::move(done)));
}

}  // namespace mellea
