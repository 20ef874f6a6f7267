#include "mellea/backends/llama_backend.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "mellea/backends/alarm.h"
#include "mellea/backends/llama_grammar.h"
#include "mellea/backends/llama_text.h"
#include "mellea/backends/reply_decoder.h"
#include "mellea/backends/request_checks.h"
#include "mellea/core/fork.h"
#include "mellea/core/scope.h"
#include "mellea/core/signals.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr RequestChecks kChecks("local");

// What of a request is fixed before the model sees it.
struct Job {
  Request request{};
  LlamaSampling sampling{};
  std::vector<LlamaTurn> turns{};  // of a chat
  std::vector<Notice> notices{};
  int choices = 1;
};

class JobWriter {
 public:
  JobWriter(Request request, const std::string& chat_template)
      : chat_template_(chat_template), request_(std::move(request)), options_(request_.options) {}

  Job write() && {
    kChecks.extra(options_);
    kChecks.tool_choice(request_);
    sample();
    ignore();
    switch (request_.kind) {
      case Request::Kind::chat:
        if (request_.messages.empty()) kChecks.refuse("no messages given");
        job_.turns = llama_turns(request_, chat_template_);
        check_turns();
        force_tool();
        break;
      case Request::Kind::completion:
      case Request::Kind::embedding:
        for (std::size_t i = 0; i < request_.prompts.size(); ++i)
          kChecks.text(request_.prompts[i], {"prompt", i + 1});
        if (!request_.tools.empty()) ignored("tools", "completions and embeddings have none");
        break;
    }
    if (request_.format) force_format();
    job_.choices = kChecks.choices(options_);
    job_.request = std::move(request_);
    return std::move(job_);
  }

 private:
  // libllama takes texts of messages that end at their first zero.
  void check_turns() const {
    for (std::size_t i = 0; i < job_.turns.size(); ++i)
      if (job_.turns[i].text.find('\0') != std::string::npos)
        kChecks.refuse("message " + std::to_string(i + 1) +
                       " has a U+0000: a chat template can't take it in this process");
  }

  void sample() {
    LlamaSampling& sampling = job_.sampling;
    const auto take = [](auto& into, const auto& option, const char* name) {
      if (option) into = kChecks.number(*option, name);
    };
    take(sampling.temperature, options_.temperature, "temperature");
    take(sampling.top_p, options_.top_p, "top_p");
    take(sampling.min_p, options_.min_p, "min_p");
    take(sampling.frequency_penalty, options_.frequency_penalty, "frequency_penalty");
    take(sampling.presence_penalty, options_.presence_penalty, "presence_penalty");
    if (options_.top_k) sampling.top_k = *options_.top_k;
    sampling.seed = static_cast<std::uint32_t>(
        options_.seed ? static_cast<std::uint64_t>(*options_.seed) : Id::random().high);
  }

  void ignore() {
    if (options_.logprobs || options_.top_logprobs)
      ignored("logprobs", "a model in this process does not tell them");
    if (options_.think) ignored("think", "its chat template is not asked for it in this process");
    if (options_.parallel_tool_calls) ignored("parallel_tool_calls", "it is for the model to say");
    if (options_.service_tier) ignored("service_tier", "a local model has none");
    if (options_.context_window)
      ignored("context_window", "the model was loaded with its own: LocalOptions::context");
    if (options_.user) ignored("user", "a local model asks for none");
    if (request_.kind == Request::Kind::embedding) ignore_sampling();
    if (options_.extra)
      for (const auto& [name, value] : options_.extra->items())
        ignored(one_line(name, 60), "a model in this process takes no other options");
  }

  void ignore_sampling() {
    const auto tell = [this](const auto& option, const char* name) {
      if (option) ignored(name, "nothing is sampled for an embedding");
    };
    tell(options_.temperature, "temperature");
    tell(options_.max_tokens, "max_tokens");
    tell(options_.top_p, "top_p");
    tell(options_.top_k, "top_k");
    tell(options_.min_p, "min_p");
    tell(options_.seed, "seed");
    tell(options_.frequency_penalty, "frequency_penalty");
    tell(options_.presence_penalty, "presence_penalty");
    tell(options_.stop, "stop");
    tell(options_.choices, "choices");
  }

  void force_tool() {
    const ToolChoice& choice = request_.tool_choice;
    const bool one_of_all = choice.mode == ToolChoice::Mode::required;
    if (!one_of_all && choice.mode != ToolChoice::Mode::named) return;
    if (request_.format)
      kChecks.refuse("a format and a tool that must be called exclude each other");
    std::vector<LlamaTool> tools;
    for (const ToolSpec& tool : request_.tools)
      if (one_of_all || tool.name == choice.name)
        tools.push_back({.name = tool.name, .parameters = tool.parameters});
    force(llama_tool_grammar(tools));
  }

  void force_format() {
    if (request_.kind == Request::Kind::embedding)
      ignored("format", "embeddings have none");
    else
      force(llama_grammar(request_.format->schema));
  }

  void force(LlamaGrammar grammar) {
    job_.sampling.grammar = std::move(grammar.text);
    std::string keywords;
    for (const std::string& keyword : grammar.not_forced)
      keywords.append(keywords.empty() ? "" : ", ").append(keyword);
    if (!keywords.empty()) ignored("format", "the grammar does not force " + keywords);
  }

  void ignored(std::string_view option, std::string_view why) {
    job_.notices.push_back(kChecks.ignored(option, why));
  }

  const std::string& chat_template_;
  Request request_;
  const ModelOptions& options_;
  Job job_;
};

// What the reader and the worker share of one request.
class Delivery {
 public:
  bool cancelled() const noexcept { return cancelled_; }

  void put(std::vector<Chunk> chunks) {
    if (chunks.empty()) return;
    change([&] {
      if (failure_) return;
      for (Chunk& chunk : chunks) chunks_.push_back(std::move(chunk));
    });
  }
  void begin() {
    const std::lock_guard lock(mutex_);
    times_.sent = Instant::clock::now();
  }
  void end() {
    change([&] {
      ended_ = true;
      times_.ended = Instant::clock::now();
    });
  }
  // The first that is told stays. The worker stops.
  void fail(const Error& error) {
    cancelled_ = true;
    change([&] {
      if (failure_ || ended_) return;
      failure_ = error;
      times_.ended = Instant::clock::now();
    });
  }
  // The reader has gone.
  void leave() {
    cancelled_ = true;
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
  }

  Next try_next(Chunk& chunk) {
    if (fork_mark_.inherited())
      throw Error(Errc::after_fork, "local: this reply belongs to the parent process");
    const std::lock_guard lock(mutex_);
    if (!chunks_.empty()) {
      chunk = std::move(chunks_.front());
      chunks_.pop_front();
      return Next::chunk;
    }
    if (failure_) throw Error(*failure_);
    return ended_ ? Next::end : Next::pending;
  }
  void wait(Instant until) {
    if (fork_mark_.inherited()) return;
    std::unique_lock lock(mutex_);
    const auto news = [this] { return has_news(); };
    if (until == Instant::max())
      changed_.wait(lock, news);
    else
      changed_.wait_until(lock, until, news);
  }
  bool when_ready(std::function<void()> wake) {
    if (fork_mark_.inherited()) return false;
    const std::lock_guard lock(mutex_);
    if (has_news()) return false;
    wake_ = std::move(wake);
    return true;
  }
  StreamTimes times() const {
    const std::lock_guard lock(mutex_);
    return times_;
  }

 private:
  bool has_news() const { return !chunks_.empty() || failure_ || ended_; }

  template <class Change>
  void change(const Change& make) {
    std::function<void()> wake;
    {
      const std::lock_guard lock(mutex_);
      make();
      if (has_news()) wake.swap(wake_);
    }
    changed_.notify_all();
    if (wake) wake();
  }

  const ForkMark fork_mark_{};
  std::atomic<bool> cancelled_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  // As many as its answers have tokens, which the model's context bounds for each. It does not wait
  // for its reader: that may read another first, for which the model would not be free.
  std::deque<Chunk> chunks_;
  std::optional<Error> failure_;
  bool ended_ = false;
  StreamTimes times_;
  std::function<void()> wake_;
};

class LlamaReply final : public ReplyStream {
 public:
  LlamaReply(std::shared_ptr<Delivery> delivery, std::stop_token stop)
      : delivery_(std::move(delivery)), on_stop_(std::move(stop), Cancel{this}) {}
  ~LlamaReply() override { delivery_->leave(); }

  Next try_next(Chunk& chunk) override { return delivery_->try_next(chunk); }
  void wait(Instant until) override { delivery_->wait(until); }
  bool when_ready(std::function<void()> wake) override {
    return delivery_->when_ready(std::move(wake));
  }
  void cancel() noexcept override { delivery_->fail(Error(Errc::cancelled, "local: cancelled")); }
  StreamTimes times() const override { return delivery_->times(); }

 private:
  struct Cancel {
    LlamaReply* reply;
    void operator()() const noexcept { reply->cancel(); }
  };

  const std::shared_ptr<Delivery> delivery_;
  const std::stop_callback<Cancel> on_stop_;  // last, so that it goes first
};

// One request, on the model's thread.
class Answering {
 public:
  Answering(LlamaModel& model, const std::string& name, const Job& job, Delivery& delivery)
      : model_(model),
        name_(name),
        job_(job),
        options_(job.request.options),
        delivery_(delivery),
        cancelled_([&delivery] { return delivery.cancelled(); }) {}

  void run() {
    introduce();
    switch (job_.request.kind) {
      case Request::Kind::chat: answer(model_.prompt_of(job_.turns), 0); break;
      case Request::Kind::completion:
        for (std::size_t i = 0; i < job_.request.prompts.size(); ++i)
          answer(job_.request.prompts[i], static_cast<int>(i) * job_.choices);
        break;
      case Request::Kind::embedding:
        for (std::size_t i = 0; i < job_.request.prompts.size(); ++i)
          embed(job_.request.prompts[i], static_cast<int>(i));
        break;
    }
    put(chunks_, Instant::clock::now(), job_.request.prompts.size() > 1 ? -1 : 0, usage_);
    flush(true);
    delivery_.end();
  }

 private:
  void introduce() {
    put(chunks_, Instant::clock::now(), 0,
        ResponseInfo{.id = "local-" + Id::random().text(), .model = name_});
  }

  std::vector<LlamaModel::Token> read(const std::string& text) const {
    std::vector<LlamaModel::Token> tokens = model_.tokens_of(text);
    if (tokens.empty()) kChecks.refuse("the prompt is empty");
    if (tokens.size() >= model_.context())
      throw Error(Errc::context_length, "local: the prompt has " + std::to_string(tokens.size()) +
                                            " tokens, and the context " +
                                            std::to_string(model_.context()));
    return tokens;
  }

  // All choices for one prompt.
  void answer(const std::string& prompt, int index) {
    const std::vector<LlamaModel::Token> tokens = read(prompt);
    add(usage_.input_tokens, tokens.size());
    for (int choice = 0; choice < job_.choices; ++choice) {
      LlamaSampling sampling = job_.sampling;
      sampling.seed += static_cast<std::uint32_t>(choice);
      const std::size_t known = model_.read(tokens, sampling, cancelled_);
      if (choice == 0) add(usage_.cache_read_tokens, known);
      write(model_.context() - tokens.size(), index + choice);
    }
  }

  void write(std::size_t most, int index) {
    if (options_.max_tokens)
      most = static_cast<std::size_t>(
          std::clamp<std::int64_t>(*options_.max_tokens, 0, static_cast<std::int64_t>(most)));
    LlamaText text(
        {.stops = options_.stop ? *options_.stop : std::vector<std::string>(),
         .tool_calls = !job_.request.tools.empty() && job_.request.kind == Request::Kind::chat,
         .id_stem = "call_" + Id::random().text().substr(24) + '_'});
    bool ended = false;
    for (std::size_t written = 0; !ended && written < most; ++written) {
      const std::optional<std::string> bytes = model_.next(cancelled_);
      add(usage_.output_tokens, 1);
      ended = !bytes || !text.feed(*bytes, Instant::clock::now(), index, chunks_);
      flush(false);
    }
    text.end(Instant::clock::now(), index, chunks_);
    const char* reason = !ended ? "length" : text.calls() > 0 ? "tool_calls" : "stop";
    put(chunks_, Instant::clock::now(), index, Finish{.reason = reason});
    flush(false);
  }

  void embed(const std::string& prompt, int index) {
    const std::vector<LlamaModel::Token> tokens = read(prompt);
    add(usage_.input_tokens, tokens.size());
    put(chunks_, Instant::clock::now(), index,
        Embedding{.values = model_.embed(tokens, cancelled_)});
    flush(false);
  }

  static void add(std::optional<std::int64_t>& count, std::size_t more) {
    count = count.value_or(0) + static_cast<std::int64_t>(more);
  }

  // Gives out what there is; of an answer that does not stream, all at once in the end.
  void flush(bool last) {
    if (delivery_.cancelled()) throw Error(Errc::cancelled, "local: cancelled");
    if (job_.request.stream)
      delivery_.put(std::exchange(chunks_, {}));
    else if (last)
      delivery_.put(joined(std::exchange(chunks_, {})));
  }

  // With texts that follow each other in one.
  static std::vector<Chunk> joined(std::vector<Chunk> chunks) {
    std::vector<Chunk> joined;
    for (Chunk& chunk : chunks) {
      const bool same = !joined.empty() && joined.back().index == chunk.index &&
                        joined.back().what.index() == chunk.what.index();
      if (auto* text = std::get_if<std::string>(&chunk.what); same && text)
        std::get<std::string>(joined.back().what) += *text;
      else if (auto* thinking = std::get_if<Thinking>(&chunk.what); same && thinking)
        std::get<Thinking>(joined.back().what).text += thinking->text;
      else
        joined.push_back(std::move(chunk));
    }
    return joined;
  }

  LlamaModel& model_;
  const std::string& name_;
  const Job& job_;
  const ModelOptions& options_;
  Delivery& delivery_;
  const LlamaModel::Cancelled cancelled_;
  std::vector<Chunk> chunks_;  // not given out yet
  Usage usage_;
};

// The thread with the model.
class Worker {
 public:
  explicit Worker(LlamaBackendOptions options) : options_(std::move(options)) {}

  const LlamaBackendOptions& options() const noexcept { return options_; }
  bool inherited() const noexcept { return fork_mark_.inherited(); }

  static void add(const std::shared_ptr<Worker>& self, Job job,
                  std::shared_ptr<Delivery> delivery) {
    const std::lock_guard lock(self->mutex_);
    self->jobs_.emplace_back(std::move(job), std::move(delivery));
    if (!self->thread_.joinable()) {
      const SignalsBlocked blocked;
      self->thread_ = std::thread([self] { self->run(); });
    }
    self->changed_.notify_one();
  }

  void stop() {
    std::vector<std::shared_ptr<Delivery>> open;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      for (const auto& [job, delivery] : std::exchange(jobs_, {})) open.push_back(delivery);
      if (current_) open.push_back(current_);
    }
    changed_.notify_one();
    for (const std::shared_ptr<Delivery>& delivery : open)
      delivery->fail(Error(Errc::shutdown, "local: the backend is gone"));
    if (!thread_.joinable()) return;
    if (thread_.get_id() == std::this_thread::get_id())
      thread_.detach();  // a reader that was woken held the last of us
    else
      thread_.join();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
      if (stopped_) break;
      auto [job, delivery] = std::move(jobs_.front());
      jobs_.pop_front();
      current_ = delivery;
      lock.unlock();
      answer(job, *delivery);
      lock.lock();
      current_.reset();
    }
    lock.unlock();
    model_.reset();  // on the thread that loaded it
  }

  void answer(const Job& job, Delivery& delivery) noexcept {
    if (delivery.cancelled()) return;
    try {
      delivery.begin();
      if (failure_) throw Error(*failure_);
      if (!model_) load(delivery);
      Answering(*model_, options_.model, job, delivery).run();
    } catch (const Error& error) {
      delivery.fail(error);
    } catch (const std::exception& error) {
      delivery.fail(Error(Errc::server_error, "local: " + one_line(error.what())));
    }
  }

  // What goes wrong will go wrong again.
  void load(const Delivery& delivery) {
    try {
      model_ = options_.load([&delivery] { return delivery.cancelled(); });
    } catch (const Error& error) {
      if (error.code() != Errc::cancelled) failure_.emplace(error);
      throw;
    }
  }

  const ForkMark fork_mark_{};
  const LlamaBackendOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<Job, std::shared_ptr<Delivery>>> jobs_;  // guarded by mutex_
  std::shared_ptr<Delivery> current_;                           // guarded by mutex_
  bool stopped_ = false;                                        // guarded by mutex_
  std::thread thread_;                 // guarded by mutex_ until it is stopped
  std::unique_ptr<LlamaModel> model_;  // of the thread; null before the first request
  std::optional<Error> failure_;       // of the thread; of loading it
};

class LlamaBackend final : public Backend {
 public:
  explicit LlamaBackend(LlamaBackendOptions options)
      : worker_(std::make_shared<Worker>(std::move(options))) {}
  ~LlamaBackend() override {
    if (worker_->inherited())  // its thread is not in this process
      new std::shared_ptr<Worker>(std::move(worker_));
    else
      worker_->stop();
  }

  std::string_view provider() const override { return "huggingface"; }
  Endpoint endpoint() const override { return {.local = true}; }
  std::vector<std::string> models(std::stop_token) override { return {worker_->options().model}; }

  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override {
    if (worker_->inherited())
      throw Error(Errc::after_fork,
                  "local: this backend belongs to the parent process: make a new one after fork()");
    const Limits limits = request.limits;
    Job job = JobWriter(std::move(request), worker_->options().chat_template).write();
    auto delivery = std::make_shared<Delivery>();
    std::vector<Chunk> told;
    for (Notice& notice : job.notices) put(told, Instant::clock::now(), 0, std::move(notice));
    delivery->put(std::move(told));
    auto reply = std::make_unique<LlamaReply>(delivery, std::move(stop));
    limit(limits, delivery);
    Worker::add(worker_, std::move(job), std::move(delivery));
    return reply;
  }

 private:
  // No thread waits for the end of a limit but the alarm's.
  void limit(const Limits& limits, const std::shared_ptr<Delivery>& delivery) {
    if (limits.whole.count() <= 0) return;
    alarm_.at(later(Instant::clock::now(), limits.whole),
              [weak = std::weak_ptr(delivery), whole = limits.whole] {
                if (const auto late = weak.lock())
                  late->fail(Error(Errc::timeout, "local: the answer took more than " +
                                                      std::to_string(whole.count()) + " ms"));
              });
  }

  std::shared_ptr<Worker> worker_;
  Alarm alarm_;
};

}  // namespace

std::shared_ptr<Backend> make_llama_backend(LlamaBackendOptions options) {
  return std::make_shared<LlamaBackend>(std::move(options));
}

}  // namespace mellea
