// Where code of the user's runs.
#pragma once

#include <stop_token>

#include "mellea/core/remote_call.h"
#include "mellea/core/scope.h"

namespace mellea {

// Given to tools, checks and callbacks: which operation they are part of, and whether that is still
// wanted. Session::within() puts a call below it. Valid until the function has returned.
struct Call {
  const Scope& scope;
  std::stop_token stop;
  RemoteCall* remote = nullptr;  // where a tool that asks a server says how; null: nobody listens
};

}  // namespace mellea
