// A fixture that fires events at the tracing plugins and keeps what they record.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/hooks/hook.h"
#include "mellea/telemetry/memory_exporter.h"
#include "mellea/telemetry/tracer.h"
#include "mellea/telemetry/tracing_plugins.h"

namespace mellea::telemetry {

using namespace std::chrono_literals;

inline const Instant kStart = Instant(1000s);

// What an operation is after its opening event: the scope is what the runtime hands on.
template <class Opening>
struct Opened {
  std::shared_ptr<const Opening> opening{};
  Scope scope{};
};

class TracingTest : public testing::Test {
 protected:
  // Nothing may be left open, and nothing exported twice.
  void TearDown() override {
    EXPECT_EQ(tracer_->open_spans(), 0U);
    auto spans = memory_->spans();
    std::sort(spans.begin(), spans.end());
    EXPECT_EQ(std::adjacent_find(spans.begin(), spans.end()), spans.end());
  }

  template <class Opening>
  Opened<Opening> begin(Opening event) {
    static_cast<void>(hooks_.decide(event));
    auto opening = std::make_shared<const Opening>(std::move(event));
    hooks_.tell(*opening);
    return {opening, opening->scope.traced(opening->trace)};
  }

  Opened<SessionPreInit> session(Scope scope = Scope::root(Kind::session), bool span = true) {
    return begin(SessionPreInit{.scope = std::move(scope),
                                .at = kStart,
                                .backend = "openai",
                                .context = Context::Kind::chat,
                                .span = span,
                                .model = "granite"});
  }
  Opened<ComponentPreExecute> action(const Scope& scope) {
    return begin(ComponentPreExecute{.scope = scope, .at = kStart + 1ms, .component = "Message"});
  }
  Opened<GenerationPreCall> generation(const Scope& scope, Request request = {.model = "granite"},
                                       Target target = {.provider = "openai"}) {
    return begin(GenerationPreCall{.scope = scope,
                                   .at = kStart + 2ms,
                                   .target = std::make_shared<const Target>(std::move(target)),
                                   .request = std::move(request)});
  }

  void end(const Opened<SessionPreInit>& session, Ending ending = {}) {
    ending.at = kStart + 90ms;
    hooks_.tell(SessionCleanup{.opening = session.opening, .ending = std::move(ending)});
  }
  void end(const Opened<ComponentPreExecute>& action, Ending ending = {}, Reply reply = {}) {
    ending.at = kStart + 80ms;
    const bool good = ending.outcome == Outcome::ok || ending.outcome == Outcome::cancelled;
    if (good)
      hooks_.tell(ComponentPostSuccess{.opening = action.opening,
                                       .ending = std::move(ending),
                                       .reply = std::make_shared<const Reply>(std::move(reply)),
                                       .generations = 1});
    else
      hooks_.tell(ComponentPostError{.opening = action.opening, .ending = std::move(ending)});
  }
  void end(const Opened<GenerationPreCall>& generation, Ending ending = {}, Reply reply = {},
           Effort effort = {}) {
    ending.at = kStart + 70ms;
    auto shared = std::make_shared<const Reply>(std::move(reply));
    const bool good = ending.outcome == Outcome::ok || ending.outcome == Outcome::cancelled;
    if (good)
      hooks_.tell(GenerationPostCall{.opening = generation.opening,
                                     .ending = std::move(ending),
                                     .reply = std::move(shared),
                                     .effort = effort});
    else
      hooks_.tell(GenerationError{.opening = generation.opening,
                                  .ending = std::move(ending),
                                  .reply = std::move(shared),
                                  .effort = effort});
  }

  static Ending failed(Errc code, ErrorDetails details = {}) {
    const Outcome outcome = code == Errc::blocked ? Outcome::blocked : Outcome::error;
    return {.outcome = outcome,
            .error = std::make_shared<const Error>(code, "SECRET words", std::move(details))};
  }
  // A requirement that nobody asks here, and what was found of it.
  static Requirement requirement(std::string name, std::string_view kind = "function") {
    return Requirement({.name = std::move(name), .kind = kind, .check = [](auto&&...) {
                          return ValidationResult{};
                        }});
  }
  static Checked found(std::string name, bool passed) {
    return {requirement(std::move(name)), {.passed = passed, .reason = "SECRET reason"}};
  }

  static Ending cancelled(CancelReason reason) {
    return {.outcome = Outcome::cancelled, .reason = reason};
  }

  // The one span of that name.
  SpanPtr span(std::string_view name) const {
    SpanPtr found;
    for (const SpanPtr& span : memory_->spans()) {
      if (span->name != name) continue;
      EXPECT_EQ(found, nullptr) << "two spans are called " << name;
      found = span;
    }
    EXPECT_NE(found, nullptr) << "no span is called " << name;
    return found;
  }

  std::shared_ptr<MemoryExporter> memory_ = std::make_shared<MemoryExporter>();
  std::shared_ptr<Tracer> tracer_ =
      std::make_shared<Tracer>(Sampler{}, std::vector<std::shared_ptr<SpanExporter>>{memory_});
  Hooks hooks_{make_tracing_plugins(tracer_, false), nullptr};
};

// An attribute as text, for short expectations; empty if it is not set.
inline std::string text_of(const Value& value) {
  struct ToText {
    std::string operator()(std::string_view text) const { return std::string(text); }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const {
      std::string text = std::to_string(number);
      text.erase(text.find_last_not_of('0') + 1);
      return text;
    }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::span<const std::string_view> texts) const {
      std::string all;
      for (const std::string_view text : texts) all.append(text).append(";");
      return all;
    }
  };
  return std::visit(ToText(), value);
}
inline std::string at(const SpanPtr& span, Fact fact) {
  const Value* value = span ? span->find(fact) : nullptr;
  return value ? text_of(*value) : std::string();
}
inline std::string at(const SpanPtr& span, std::string_view key) {
  for (const Attribute& attribute : span->attributes())
    if (name_of(attribute.key) == key) return text_of(attribute.value);
  return {};
}
// All that a span says, for what must not be in it.
inline std::string all_of(const SpanPtr& span) {
  std::string all(span->name);
  all.append(" ").append(span->description);
  const auto add = [&](std::span<const Attribute> attributes) {
    for (const Attribute& attribute : attributes)
      all.append(" ").append(name_of(attribute.key)).append("=").append(text_of(attribute.value));
  };
  add(span->attributes());
  for (const SpanEvent& event : span->events()) {
    all.append(" ").append(event.name);
    add(event.attributes);
  }
  return all;
}
inline std::string at(const SpanEvent& event, Fact fact) {
  for (const Attribute& attribute : event.attributes)
    if (attribute.key == Key(fact)) return text_of(attribute.value);
  return {};
}

}  // namespace mellea::telemetry
