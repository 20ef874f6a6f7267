#include "mellea/programs/program_run.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>

#include "mellea/core/described.h"
#include "mellea/core/error.h"
#include "mellea/core/signals.h"
#include "mellea/core/text.h"
#include "mellea/runtime/turn.h"
#include "mellea/runtime/usage_sum.h"

namespace mellea {
namespace {

// An agent's answer in a format is JSON, or a text if that is what the format says.
Json value_of(const std::string& answer) {
  nlohmann::json value = nlohmann::json::parse(answer, nullptr, /*allow_exceptions=*/false);
  return Json(value.is_discarded() ? nlohmann::json(answer) : std::move(value));
}

// Asks for a stop at a time, too: a tool knows of no other clock.
class StopAt {
 public:
  StopAt(std::optional<Instant> until, std::stop_token stop)
      : forward_(std::move(stop), Forward{source_}) {
    if (!until) return;
    const SignalsBlocked blocked;
    timer_ = std::jthread([this, until](const std::stop_token& done) { wait(*until, done); });
  }

  std::stop_token token() const noexcept { return source_.get_token(); }
  // The time has come before anything else.
  bool late() const noexcept { return late_; }

 private:
  struct Forward {
    std::stop_source& source;
    void operator()() const noexcept { source.request_stop(); }
  };

  void wait(Instant until, const std::stop_token& done) {
    std::unique_lock lock(mutex_);
    done_.wait_until(lock, done, until, [] { return false; });
    lock.unlock();
    if (done.stop_requested() || source_.stop_requested()) return;
    late_ = true;
    source_.request_stop();
  }

  std::stop_source source_;
  std::stop_callback<Forward> forward_;
  std::atomic<bool> late_ = false;
  std::mutex mutex_;
  std::condition_variable_any done_;
  std::jthread timer_;  // last, so that it ends first
};

// Runs the steps of one program. Used by one thread.
class ProgramRun {
 public:
  ProgramRun(const Program& program, const Session& session, const RunOptions& options)
      : program_(program),
        session_(session),
        options_(options),
        variables_(program.variables),
        answers_(program.steps.size()) {}

  ProgramResult run() && {
    ProgramResult result;
    for (place_ = 0; place_ < program_.steps.size(); ++place_) {
      if (options_.on_begin) options_.on_begin(step());
      const StepResult outcome = run_step();
      if (options_.on_step) options_.on_step(step(), outcome);
      if (outcome.error) ++result.failed;
      if (!outcome.error && !outcome.ok()) ++result.unmet;
      if (outcome.error && (!options_.keep_going || options_.stop.stop_requested())) break;
    }
    return result;
  }

 private:
  const ProgramStep& step() const { return program_.steps[place_]; }
  bool is_chat() const { return std::holds_alternative<ChatStep>(step().what); }

  StepResult run_step() {
    const Instant begun = Instant::clock::now();
    StepResult result{.number = place_ + 1,
                      .id = step().id,
                      .kind = kind_of(step()),
                      .trace = session_.scope().trace()};
    try {
      if (options_.stop.stop_requested()) throw Error(Errc::cancelled, "cancelled");
      std::visit([&](const auto& what) { run(what, result); }, step().what);
    } catch (const CallbackFailed& failed) {
      std::rethrow_exception(failed.reason);
    } catch (const Error& error) {
      take(error, result);
    }
    result.took = Instant::clock::now() - begun;
    keep_text(result);
    return result;
  }

  // What the caller's function threw is no failure of the step.
  struct CallbackFailed {
    std::exception_ptr reason;
  };

  void run(const InstructStep& step, StepResult& result) {
    Instruction::Parts parts{.description = filled(step.text),
                             .examples = filled(step.examples),
                             .prefix = filled(step.prefix),
                             .output_prefix = filled(step.output_prefix),
                             .images = step.how.images};
    for (const auto& [key, text] : step.grounding) parts.grounding.emplace_back(key, filled(text));
    Instruction instruction(std::move(parts));
    CallOptions call = call_options(step.how);
    if (step.how.stream)
      stream(std::make_shared<const Instruction>(std::move(instruction)), step.how, std::move(call),
             result);
    else
      answer(session_.instruct(std::move(instruction), std::move(call)), step.how.format, result);
  }

  void run(const ChatStep& step, StepResult& result) {
    Message message{.text = filled(step.text), .images = step.how.images};
    CallOptions call = call_options(step.how);
    if (step.how.stream)
      stream(std::make_shared<const Turn>(std::move(message)), step.how, std::move(call), result);
    else
      answer(session_.chat(std::move(message), std::move(call)), step.how.format, result);
  }

  void run(const CallToolsStep& step, StepResult& result) {
    const std::optional<Result>& asked = answers_[step.of];
    if (!asked) throw Error(Errc::invalid_request, "call_tools: the step before failed");
    result.tool_results = in_time(planned({}), [&](std::stop_token stop) {
      return session_.call_tools(
          *asked, {.parallel = step.parallel, .add_results = true, .stop = std::move(stop)});
    });
    result.text.emplace();
    for (const ToolResult& one : result.tool_results)
      result.text->append(result.text->empty() ? "" : "\n").append(one.text);
  }

  void run(const ValidateStep& step, StepResult& result) {
    const std::optional<Result>& answer = answers_[step.of];
    if (!answer) throw Error(Errc::invalid_request, "validate: the step it checks gave no answer");
    const std::vector<Checked> checks =
        session_.validate(*answer, made(step.requirements), call_options(step.call));
    UsageSum usage;
    for (const Checked& checked : checks) {
      if (!checked.result.passed) result.failures.push_back(failure_of(checked));
      if (checked.result.judgement) usage.add(checked.result.judgement->usage);
    }
    result.usage = usage.sum();
  }

  void run(const RawStep& step, StepResult& result) {
    const BatchResult batch = session_.generate_raw(filled(step.prompts), call_options(step.call));
    for (const Reply& reply : batch.replies) result.texts.push_back(reply.text);
    take_batch(batch, result);
  }

  void run(const EmbedStep& step, StepResult& result) {
    const BatchResult batch = session_.embed(filled(step.texts), call_options(step.call));
    for (const Reply& reply : batch.replies)
      result.vectors.insert(result.vectors.end(), reply.embeddings.begin(), reply.embeddings.end());
    take_batch(batch, result);
  }

  void run(const ReactStep& step, StepResult& result) {
    const CallPlan plan = planned(step.call);
    const AgentResult agent = in_time(plan, [&](std::stop_token stop) {
      return session_.react(filled(step.goal), {.tools = step.tools,
                                                .max_steps = step.max_steps,
                                                .format = step.format,
                                                .options = plan.options,
                                                .parallel = step.parallel,
                                                .until = until(plan),
                                                .limits = options_.limits,
                                                .stop = std::move(stop)});
    });
    for (const AgentResult::Step& turn : agent.steps)
      result.tool_results.insert(result.tool_results.end(), turn.tools.begin(), turn.tools.end());
    result.usage = agent.total_usage();
    take_trace(agent.scope.trace(), result);
    if (!agent.answer) {
      result.failures.push_back(
          {.requirement = "max_steps",
           .reason = "no answer after " + std::to_string(agent.steps.size()) + " steps",
           .code = "out_of_steps"});
      return;
    }
    result.text = *agent.answer;
    if (step.format) result.value = value_of(*agent.answer);
    const Result& last = agent.steps.back().said;
    answers_[place_] = Result({.reply = std::make_shared<const Reply>(Reply{.text = *agent.answer}),
                               .scope = last.scope(),
                               .times = last.times()});
  }

  void stream(std::shared_ptr<const Component> component, const AnswerPlan& how, CallOptions call,
              StepResult& result) {
    StreamOptions options{.chunking = how.stream->chunking, .retries = how.stream->retries};
    for (Requirement& requirement : made(how.stream->checks))
      options.checks.push_back({.requirement = std::move(requirement)});
    Stream pieces = session_.stream(std::move(component), std::move(options), std::move(call));
    while (const auto piece = pieces.next())
      if (options_.on_piece) call_back([&] { options_.on_piece(*piece, pieces.attempt()); });
    answer(pieces.wait(), {}, result);
    result.failures = pieces.failures();
    result.attempts = std::max(pieces.attempt(), 1);
  }

  void answer(Result said, const std::optional<Format>& format, StepResult& result) {
    const std::string& refusal = said.reply().refusal;
    result.text = said.text();
    result.tool_calls = said.tool_calls();
    result.failures = said.failures();
    result.attempts = static_cast<int>(said.attempts().size());
    result.usage = said.total_usage();
    take_trace(said.trace_ref(), result);
    if (!refusal.empty())
      throw Error(Errc::content_policy, "the model refused: \"" + one_line(refusal) + '"');
    answers_[place_] = said;
    if (format && said.tool_calls().empty()) result.value = Json(read_answer(said.text()));
  }

  // An answer that came, and is not of its format, is as one that does not meet a requirement.
  void take(const Error& error, StepResult& result) {
    const bool is_unfit = error.details().unfit && format_of(step());
    if (!error.partial_text().empty()) result.text = error.partial_text();
    if (!is_unfit) {
      result.error = std::make_shared<const Error>(error);
      return;
    }
    result.failures.push_back({.requirement = "format " + format_of(step())->name,
                               .reason = error.what(),
                               .code = "schema_mismatch"});
    if (!answers_[place_])
      answers_[place_] =
          Result({.reply = std::make_shared<const Reply>(Reply{.text = error.partial_text()})});
  }

  static const Format* format_of(const ProgramStep& step) {
    const std::optional<Format>* format = nullptr;
    if (const auto* instruct = std::get_if<InstructStep>(&step.what))
      format = &instruct->how.format;
    if (const auto* chat = std::get_if<ChatStep>(&step.what)) format = &chat->how.format;
    return format && *format ? &**format : nullptr;
  }

  void keep_text(const StepResult& result) {
    if (step().id.empty()) return;
    const std::string name = step().id + ".text";
    if (!result.error && result.text) variables_.insert_or_assign(name, *result.text);
  }

  static void take_batch(const BatchResult& batch, StepResult& result) {
    result.usage = batch.usage;
    take_trace(batch.scope.trace(), result);
  }

  static void take_trace(const TraceRef& trace, StepResult& result) {
    if (trace) result.trace = trace;
  }

  template <class Function>
  static void call_back(const Function& function) {
    try {
      function();
    } catch (...) {
      throw CallbackFailed{std::current_exception()};
    }
  }

  // A step's plan, with what wins over it and what it wins over.
  CallPlan planned(const CallPlan& plan) const {
    CallPlan whole{.options = merged(options_.call.options, plan.options),
                   .timeout = options_.call.timeout};
    if (!whole.timeout) whole.timeout = plan.timeout;
    if (!whole.timeout) whole.timeout = program_.call.timeout;
    return whole;
  }

  static std::optional<Instant> until(const CallPlan& plan) {
    if (!plan.timeout) return {};
    return later(Instant::clock::now(), *plan.timeout);
  }

  // What `call` returns, which runs tools: they are stopped at the end of the step's time.
  template <class Call>
  std::invoke_result_t<const Call&, std::stop_token> in_time(const CallPlan& plan,
                                                             const Call& call) const {
    const StopAt stop(until(plan), options_.stop);
    try {
      return call(stop.token());
    } catch (const Error& error) {
      if (error.code() != Errc::cancelled || !stop.late()) throw;
      throw Error(Errc::timeout,
                  "the step did not end within " + std::to_string(plan.timeout->count()) + " ms");
    }
  }

  CallOptions call_options(const CallPlan& plan) const {
    CallPlan whole = planned(plan);
    return {.options = std::move(whole.options),
            .until = until(whole),
            .limits = options_.limits,
            .stop = options_.stop};
  }

  CallOptions call_options(const AnswerPlan& how) const {
    CallOptions call = call_options(how.call);
    call.tools = how.tools;
    call.format = how.format;
    call.requirements = made(how.requirements);
    call.strategy = how.strategy;
    // One answer, and it is checked.
    if (!how.requirements.empty() && !how.stream && (how.strategy.is_off() || is_chat()))
      call.strategy = how.strategy.is_set() ? how.strategy : rejection(1);
    call.system = filled(how.system.value_or(program_.system));
    return call;
  }

  Requirements made(const ProgramRequirements& requirements) const {
    Requirements all;
    for (const ProgramRequirement& requirement : requirements)
      all.push_back(requirement.make(variables_));
    return all;
  }

  std::string filled(const std::string& text) const {
    for (const Placeholder& one : placeholders(text))
      if (!one.name.empty() && !variables_.contains(one.name))
        throw Error(Errc::invalid_request, "{{" + one.name + "}}: that step gave no text");
    return fill(text, variables_, "step");
  }
  std::vector<std::string> filled(const std::vector<std::string>& texts) const {
    std::vector<std::string> all;
    for (const std::string& text : texts) all.push_back(filled(text));
    return all;
  }

  const Program& program_;
  const Session& session_;
  const RunOptions& options_;
  Variables variables_;                         // and the texts of steps
  std::vector<std::optional<Result>> answers_;  // one a step
  std::size_t place_ = 0;                       // of the step that runs
};

}  // namespace

SessionOptions session_options(const Program& program) {
  return {.options = program.call.options,
          .context = program.context,
          .compaction = program.compaction};
}

ProgramResult run_program(const Program& program, const Session& session,
                          const RunOptions& options) {
  return ProgramRun(program, session, options).run();
}

}  // namespace mellea
