// What was said to a model and by it, as telemetry shows it. It gets there here and nowhere else.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/message.h"
#include "mellea/core/outcome.h"
#include "mellea/core/prompt.h"
#include "mellea/core/requirement.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/span.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {

// Off unless it was asked for: who shows something asks first where it may. All that is shown went
// through the redactor and is cut to the limits, so that what waits for an exporter is bounded.
// What is JSON stays JSON, of the shapes that the GenAI conventions have schemas of. Any thread may
// call anything; the redactor runs on the thread that records, and no lock is held.
class Content {
 public:
  static constexpr std::size_t kShort = 500;  // code points, where the contract knows a limit
  static constexpr std::string_view kWithheld = "[withheld]";

  Content() = default;  // off
  // `warnings` may be null. It is told once if the redactor throws.
  Content(ContentOptions options, std::shared_ptr<Warnings> warnings);

  bool in_spans() const noexcept { return includes(options_.mode, ContentMode::span); }
  bool in_events() const noexcept { return includes(options_.mode, ContentMode::event); }

  // What the redactor made of it, in valid UTF-8; kWithheld if it threw.
  std::string redacted(std::string_view text) const;
  // The same, of at most `most` code points; what is longer ends in "...".
  std::string text(std::string_view said, std::size_t most = kShort) const;

  // Messages, instructions, prompts and tools.
  void set_request(SpanRecord& record, const Request& request) const;
  // The template that a prompt was made from, and what was put in.
  void set_prompt(SpanRecord& record, const Prompt& prompt) const;
  // What came of it, one message a choice or a prompt. `outcome` is how it ended that has no reason
  // of its own. Nothing if nothing was said.
  void set_replies(SpanRecord& record, std::span<const Reply> replies, Outcome outcome) const;
  void set_response(SpanRecord& record, std::string_view text) const;  // of an action
  void set_arguments(SpanRecord& record, std::string_view written) const;
  void set_result(SpanRecord& record, std::string_view output) const;
  void set_reasons(SpanRecord& record, const std::vector<Checked>& checks) const;  // of failures
  void set_goal(SpanRecord& record, std::string_view goal) const;                  // of an agent
  void set_answer(SpanRecord& record, std::string_view answer) const;

 private:
  const ContentOptions options_{};
  const std::shared_ptr<Warnings> warnings_{};
  mutable std::atomic<bool> warned_{false};
};

}  // namespace mellea::telemetry
