// Keeping a conversation short enough for its model.
//
//   runtime.start_session({.backend = "ollama", .model = "granite4:micro"},
//                         {.context = Context::chat(), .compaction = {.window = 40}});
#pragma once

#include <cstddef>
#include <cstdint>

namespace mellea {

// When a conversation has become too long, what was said first is forgotten. The system messages
// that it begins with stay. What stays of the others begins where the user speaks, if the user does
// in what may stay; no result of a tool stays without the call that it answers.
//
// An agent keeps what it has said and done by the same rule, and never forgets its goal.
struct Compaction {
  // Messages that stay at most, besides the system messages at the front; 0: all.
  std::size_t window = 0;
  // Tokens that an answer may take, thinking not counted; 0: any number. If the provider counted
  // more, three quarters stay, each message reckoned by its share of the text; and of them the
  // newest turn in any case.
  std::int64_t tokens = 0;
  // What would be forgotten is summed up by the model, in an action of its own that the next call
  // waits for: one for all calls at once, and those that begin meanwhile go on with everything.
  // Half of the window, or of the tokens, then stays in its own words beside the two messages that
  // the summary is. If there is none to be had, a Diagnostic says why, and nothing is forgotten;
  // nor is it where only the last summary would go.
  bool summarise = false;
};

}  // namespace mellea
