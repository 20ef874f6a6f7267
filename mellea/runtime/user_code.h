// Code of the user's, run where it can be seen.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "mellea/core/call.h"
#include "mellea/hooks/hook.h"
#include "mellea/runtime/cancellation.h"
#include "mellea/runtime/operation.h"

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

// What it threw. Where nobody cancelled the call that it is part of, some other call of its was
// cancelled: that is a failure of ours.
inline Error caught_in_user_code(std::string_view where, const Cancellation& ours) {
  Error error = caught_error(where);
  const bool is_an_end = error.code() == Errc::cancelled || error.code() == Errc::shutdown;
  if (!is_an_end || ours.reason() != CancelReason::none) return error;
  return Error(Errc::unknown, std::string(where) + ": " + error.what(), error.details());
}

}  // namespace mellea
