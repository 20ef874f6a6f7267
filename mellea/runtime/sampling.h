// Sampling answers until one is what it has to be.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "mellea/core/schema.h"
#include "mellea/core/strategy.h"
#include "mellea/runtime/component.h"
#include "mellea/runtime/model.h"

namespace mellea {

struct SamplingJob {
  const Component& component;
  Question question{};  // of the first attempt; its parent is where the sampling is
  Strategy strategy;
  Requirements requirements{};
  std::shared_ptr<const Schema> schema{};  // of the format; null: none was asked for
};

struct Sampled {
  std::shared_ptr<const Attempts> attempts{};  // never empty
  std::size_t chosen = 0;
  std::vector<Message> turns{};  // what was said on the way to the chosen answer, without that
  int generations = 0;           // judgements too
};

// Tells all events of the sampling, and makes attempts: those of the first candidate on this
// thread, of the others on workers. Throws Error if there is no answer at all: a generation failed,
// a check threw, a plugin stopped it, the call was cancelled. If none of the answers is of the
// format asked for, it throws that (Errc::parse_error).
Sampled sample(const Model& model, const SamplingJob& job);

// Whether an answer is of the format that was asked for: why not, or nothing. One that asks for
// tools need not be.
std::shared_ptr<const Error> unfit(const Reply& reply, const Schema& schema, std::string_view name);

// Tells that an answer is not of its format.
void tell_unfit(const Hooks& hooks, const Scope& generation,
                const std::shared_ptr<const Error>& error,
                const std::shared_ptr<const Reply>& reply);

// The turn that an answer is in a conversation.
Message said_by(const Reply& reply);

// What the model is told of requirements, and of what was wrong.
Told told(const Requirements& requirements);
// What a component says of them. Throws Error, whatever its render() throws.
Message rendered(const Component& component, const Requirements& requirements);
std::vector<std::string> reasons(const Attempt& attempt);

}  // namespace mellea
