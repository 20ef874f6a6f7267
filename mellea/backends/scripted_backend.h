// A provider that answers from a script, in this process: for tests, property tests and examples.
//
//   auto backend = std::make_shared<mellea::ScriptedBackend>();
//   backend->add(mellea::scripted::say({"Hel", "lo"}));
//   backend->add(mellea::scripted::Line().text("Hel").delay(5ms).cut());
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mellea/backends/backend.h"

namespace mellea {
namespace scripted {

// One answer, step by step. An answer that ends in neither an error nor a cut nor a hang ends well.
class Line {
 public:
  struct Delay {
    std::chrono::milliseconds time{0};
  };
  struct Hang {};
  using Step = std::variant<Chunk, Delay, Error, Hang>;

  Line& chunk(Chunk chunk);  // as it is, but for the time of its arrival
  Line& text(std::string text);
  Line& thinking(std::string text);
  Line& tool_call(ToolCall call, int at = 0);  // the whole of it, as the answer's call number `at`
  Line& usage(Usage usage);
  Line& finish(std::string reason = "stop");
  // Before the next step. Without delays everything is ready at once.
  Line& delay(std::chrono::milliseconds time);

  // The stream throws here. Steps after these three are never reached.
  Line& fail(Error error);
  // The connection closes before the end mark.
  Line& cut();
  // Nothing more comes, until a limit or a cancel ends it.
  Line& hang();

  // Thrown by start() itself; the steps do not matter then.
  Line& refuse(Error error);

  const std::vector<Step>& steps() const noexcept { return steps_; }
  const std::optional<Error>& refusal() const noexcept { return refusal_; }

 private:
  std::vector<Step> steps_;
  std::optional<Error> refusal_;
};

// An answer of that text, in one piece or in several, that finishes with "stop".
Line say(std::string text);
Line say(std::initializer_list<std::string> pieces);
// An answer that asks for one call and finishes with "tool_calls".
Line call(ToolCall call);
Line fail(Errc code, const std::string& what, ErrorDetails details = {});

}  // namespace scripted

struct ScriptedOptions {
  bool echo = false;  // with no line left, the last user message comes back; else that is an error
  std::vector<std::string> models = {"scripted"};
};

// Answers each request with the next line. Honours the limits of a Request but `connect`, which
// needs a connection. May be called from several threads at once; its streams may outlive it.
class ScriptedBackend final : public Backend {
 public:
  // Called on the thread that starts the request, under no lock. What it throws, start() throws.
  using Answer = std::function<scripted::Line(const Request&)>;

  explicit ScriptedBackend(ScriptedOptions options = {});
  explicit ScriptedBackend(Answer answer);
  ~ScriptedBackend() override;
  ScriptedBackend(const ScriptedBackend&) = delete;
  ScriptedBackend& operator=(const ScriptedBackend&) = delete;

  void add(scripted::Line line);
  std::vector<Request> requests() const;  // those that it got, in order

  std::string_view provider() const override { return "scripted"; }
  Endpoint endpoint() const override { return {.local = true}; }
  // Throws Error (Errc::invalid_request) if no line is left.
  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override;
  std::vector<std::string> models(std::stop_token stop) override;

 private:
  struct Script;
  std::unique_ptr<Script> script_;  // never null
};

}  // namespace mellea
