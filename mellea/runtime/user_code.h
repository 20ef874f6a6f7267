// Code of the user's, run where it can be seen.
#pragma once

#include <utility>

#include "mellea/core/call.h"
#include "mellea/hooks/hook.h"

namespace mellea {

// Tells that a tool, a check or a callback runs next on this thread, within `scope`, and releases
// what plugins hold for it when it has returned or thrown.
class UserCode {
 public:
  UserCode(const Hooks& hooks, const Scope& scope) : event_{.scope = scope} {
    if (!hooks.wanted<UserCodeBegin>()) return;
    (void)hooks.decide(event_);  // can't be stopped
    hooks.tell(event_);
  }
  ~UserCode() {
    while (!event_.held.empty()) event_.held.pop_back();
  }
  UserCode(const UserCode&) = delete;
  UserCode& operator=(const UserCode&) = delete;

 private:
  UserCodeBegin event_;
};

}  // namespace mellea
