// What is known when a call is over.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mellea/core/chat.h"
#include "mellea/core/error.h"
#include "mellea/core/scope.h"
#include "mellea/core/strategy.h"
#include "mellea/core/tool.h"

namespace mellea {

// A requirement that was not met.
struct Failure {
  std::string requirement{};  // what it is known by: Requirement::title()
  std::string reason{};
  std::string code{};  // for programs; may be empty
};

Failure failure_of(const Checked& checked);

// A value: copies share what they hold. Any thread may read it.
class Result {
 public:
  struct Parts {
    std::shared_ptr<const Reply> reply{};        // never null
    Scope scope{};                               // of the generation
    Times times{};                               // of the generation
    std::shared_ptr<const Attempts> attempts{};  // null: no strategy sampled
    std::size_t chosen = 0;                      // of the attempts
    std::shared_ptr<const Tools> tools{};        // that the model was told of; null: none
  };
  explicit Result(Parts parts) : parts_(std::move(parts)) {}

  const std::string& text() const& noexcept { return parts_.reply->text; }
  std::string text() && { return parts_.reply->text; }
  const Reply& reply() const noexcept { return *parts_.reply; }
  const std::shared_ptr<const Reply>& share_reply() const noexcept { return parts_.reply; }
  const std::vector<ToolCall>& tool_calls() const noexcept { return parts_.reply->tool_calls; }
  const std::optional<Usage>& usage() const noexcept { return parts_.reply->usage; }
  const Times& times() const noexcept { return parts_.times; }
  const Scope& scope() const noexcept { return parts_.scope; }
  // W3C ids of the span that traced it, for late evaluations, links and logs; zero if none did.
  TraceRef trace_ref() const noexcept { return parts_.scope.trace(); }

  // Whether it meets all its requirements; true if it had none.
  bool ok() const noexcept;
  // Those that it does not meet.
  std::vector<Failure> failures() const;
  // All that was tried, in the order in which it ended, this answer too; nothing if no strategy
  // sampled.
  const Attempts& attempts() const noexcept;
  // Of all attempts, and of what models said to judge them. A count that one of them lacks is
  // absent.
  std::optional<Usage> total_usage() const;
  // The tools that the model could ask for.
  const Tools& tools() const noexcept;

 private:
  Parts parts_;
};

// What came of one call. A tool that failed is no Error of the program's: the model is told.
struct ToolResult {
  ToolCall call{};                       // as plugins left it
  std::string text{};                    // what the model is told
  std::shared_ptr<const Error> error{};  // why it has no result; null: it has one
  std::chrono::nanoseconds took{0};      // the tool alone
  Scope scope{};

  bool ok() const noexcept { return error == nullptr; }
  Message message() const;  // of role `tool`, for the model
};

// What came of several prompts at once. A value.
struct BatchResult {
  std::vector<Reply> replies{};  // one a prompt, in their order
  std::optional<Usage> usage{};  // of all of them; each reply has its own where the provider tells
  Times times{};
  Scope scope{};
};

}  // namespace mellea
