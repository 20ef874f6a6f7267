// What is known when a call is over.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mellea/core/chat.h"
#include "mellea/core/scope.h"

namespace mellea {

// A value: copies share the reply. Any thread may read it.
class Result {
 public:
  Result(std::shared_ptr<const Reply> reply, Scope scope, Times times)
      : reply_(std::move(reply)), scope_(std::move(scope)), times_(times) {}

  const std::string& text() const& noexcept { return reply_->text; }
  std::string text() && { return reply_->text; }
  const Reply& reply() const noexcept { return *reply_; }
  const std::vector<ToolCall>& tool_calls() const noexcept { return reply_->tool_calls; }
  const std::optional<Usage>& usage() const noexcept { return reply_->usage; }
  const Times& times() const noexcept { return times_; }  // of the generation
  const Scope& scope() const noexcept { return scope_; }  // of the generation
  // W3C ids of the span that traced it, for late evaluations, links and logs; zero if none did.
  TraceRef trace_ref() const noexcept { return scope_.trace(); }

 private:
  std::shared_ptr<const Reply> reply_;  // never null
  Scope scope_;
  Times times_;
};

}  // namespace mellea
