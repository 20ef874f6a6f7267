// Everything about a model in this process but the model.
#include "mellea/backends/llama_backend.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "mellea/backends/read_for_test.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

// What the test and the model know of each other.
class Script {
 public:
  std::vector<std::string> says;  // pieces; then the answer ends
  std::size_t context = 1000;
  std::vector<std::string> prompts;      // that were read
  std::vector<LlamaSampling> samplings;  // for them
  int loads = 0;
  bool loads_well = true;

  // With this, each token waits for let().
  void hold() { held_ = true; }
  void let(int tokens) {
    const std::lock_guard lock(mutex_);
    allowed_ += tokens;
    changed_.notify_all();
  }
  // Blocks until `tokens` were asked for.
  void wait_for(int tokens) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_ >= tokens; });
  }

  void ask(const LlamaModel::Cancelled& cancelled) {
    std::unique_lock lock(mutex_);
    ++asked_;
    changed_.notify_all();
    while (held_ && allowed_ < asked_ && !cancelled()) changed_.wait_for(lock, 1ms);
    if (cancelled()) throw Error(Errc::cancelled, "local: cancelled");
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;  // set before there is a model
  int asked_ = 0;      // guarded by mutex_
  int allowed_ = 0;    // guarded by mutex_
};

// A token is a byte.
class FakeModel final : public LlamaModel {
 public:
  explicit FakeModel(Script& script) : script_(script) {}

  std::size_t context() const override { return script_.context; }
  std::string prompt_of(const std::vector<LlamaTurn>& turns) override {
    std::string prompt;
    for (const LlamaTurn& turn : turns) prompt += turn.role + ": " + turn.text + '\n';
    return prompt;
  }
  std::vector<Token> tokens_of(const std::string& text) override {
    return {text.begin(), text.end()};
  }
  std::size_t read(const std::vector<Token>& prompt, const LlamaSampling& sampling,
                   const Cancelled&) override {
    script_.prompts.emplace_back(prompt.begin(), prompt.end());
    script_.samplings.push_back(sampling);
    next_ = 0;
    return 1;
  }
  std::optional<std::string> next(const Cancelled& cancelled) override {
    script_.ask(cancelled);
    if (next_ == script_.says.size()) return {};
    return script_.says[next_++];
  }
  std::vector<float> embed(const std::vector<Token>& text, const Cancelled&) override {
    return {static_cast<float>(text.size())};
  }

 private:
  Script& script_;
  std::size_t next_ = 0;
};

class LlamaBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    script_.says = {"Hel", "lo", " you"};
    backend_ = make_llama_backend(
        {.model = "tiny",
         .chat_template = "<tool_call>",
         .load = [this](const LlamaModel::Cancelled&) -> std::unique_ptr<LlamaModel> {
           ++script_.loads;
           if (!script_.loads_well) throw Error(Errc::server_error, "local: no such luck");
           return std::make_unique<FakeModel>(script_);
         }});
  }

  static Request chat(bool stream = false) {
    return {.messages = {{.text = "Hi"}}, .stream = stream};
  }
  // The options that are.
  std::vector<std::string> ignored(Request request) {
    std::vector<std::string> names;
    for (const Notice& notice : ask(std::move(request)).notices) names.push_back(notice.name);
    return names;
  }
  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop = {}) {
    return backend_->start(std::move(request), std::move(stop));
  }
  Read ask(Request request) { return mellea::read(*start(std::move(request))); }
  // The texts of its chunks.
  std::vector<std::string> pieces(Request request) {
    const auto stream = start(std::move(request));
    std::vector<std::string> texts;
    Chunk chunk;
    for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
      if (next == Next::pending)
        stream->wait(Instant::max());
      else if (const auto* text = std::get_if<std::string>(&chunk.what))
        texts.push_back(*text);
    }
    return texts;
  }

  Script script_;
  std::shared_ptr<Backend> backend_;
};

TEST_F(LlamaBackendTest, AnswersAndCountsTokens) {
  const Read all = ask(chat());
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "Hello you");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"stop"});
  EXPECT_EQ(all.reply.response.model, "tiny");
  EXPECT_EQ(all.reply.usage->input_tokens, 9);  // "user: Hi\n"
  EXPECT_EQ(all.reply.usage->output_tokens, 4);
  EXPECT_EQ(all.reply.usage->cache_read_tokens, 1);
  EXPECT_EQ(script_.prompts, std::vector<std::string>{"user: Hi\n"});
}

TEST_F(LlamaBackendTest, EachTokenIsAChunkWhereItStreams) {
  EXPECT_EQ(pieces(chat(true)), (std::vector<std::string>{"Hel", "lo", " you"}));
  EXPECT_EQ(pieces(chat(false)), std::vector<std::string>{"Hello you"});
}

TEST_F(LlamaBackendTest, TheModelIsLoadedOnceAndWithTheFirstRequest) {
  EXPECT_EQ(script_.loads, 0);
  ask(chat());
  ask(chat());
  EXPECT_EQ(script_.loads, 1);
}

TEST_F(LlamaBackendTest, AModelThatCannotBeLoadedIsNotTriedAgain) {
  script_.loads_well = false;
  EXPECT_EQ(ask(chat()).what(), "local: no such luck");
  EXPECT_EQ(ask(chat()).what(), "local: no such luck");
  EXPECT_EQ(script_.loads, 1);
}

TEST_F(LlamaBackendTest, EndsAtTheMostTokensAtAStopTextAndAtTheEndOfTheContext) {
  Request request = chat();
  request.options.max_tokens = 2;
  Read all = ask(request);
  EXPECT_EQ(all.reply.text, "Hello");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"length"});
  EXPECT_EQ(all.reply.usage->output_tokens, 2);
  request = chat();
  request.options.stop = std::vector<std::string>{"o y"};
  all = ask(request);
  EXPECT_EQ(all.reply.text, "Hell");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"stop"});
  EXPECT_EQ(all.reply.usage->output_tokens, 3);
  script_.context = 10;
  EXPECT_EQ(ask(chat()).reply.text, "Hel");
  script_.context = 9;
  EXPECT_EQ(ask(chat()).outcome(), "context_length");
}

TEST_F(LlamaBackendTest, IsCancelledBetweenTwoTokens) {
  script_.hold();
  const auto stream = start(chat(true));
  script_.let(1);
  script_.wait_for(2);
  stream->cancel();
  const Read all = mellea::read(*stream);
  EXPECT_EQ(all.reply.text, "Hel");
  EXPECT_EQ(all.outcome(), "cancelled");
  script_.let(100);
  EXPECT_EQ(ask(chat()).reply.text, "Hello you");
}

TEST_F(LlamaBackendTest, AStopRequestCancelsAlsoWhatWaits) {
  script_.hold();
  std::stop_source stop;
  const auto first = start(chat(true));
  script_.wait_for(1);
  const auto second = start(chat(), stop.get_token());
  stop.request_stop();
  EXPECT_EQ(mellea::read(*second).outcome(), "cancelled");
  script_.let(100);
  EXPECT_EQ(mellea::read(*first).reply.text, "Hello you");
  EXPECT_EQ(script_.prompts.size(), 1U);
}

TEST_F(LlamaBackendTest, AReaderThatLeavesFreesTheModel) {
  script_.hold();
  start(chat(true)).reset();
  script_.let(100);
  EXPECT_EQ(ask(chat()).reply.text, "Hello you");
}

TEST_F(LlamaBackendTest, TheLimitOfTheWholeHoldsForTheWaitToo) {
  script_.hold();
  const auto first = start(chat(true));
  Request late = chat();
  late.limits.whole = 20ms;
  EXPECT_EQ(ask(late).what(), "local: the answer took more than 20 ms");
  script_.let(100);
  EXPECT_EQ(mellea::read(*first).reply.text, "Hello you");
}

TEST_F(LlamaBackendTest, WakesItsReader) {
  script_.hold();
  const auto stream = start(chat(true));
  Chunk chunk;
  while (stream->try_next(chunk) == Next::chunk) {  // who answers
  }
  script_.wait_for(1);
  while (stream->try_next(chunk) == Next::chunk) {
  }
  std::promise<void> woken;
  ASSERT_TRUE(stream->when_ready([&] { woken.set_value(); }));
  script_.let(1);
  woken.get_future().wait();
  EXPECT_EQ(stream->try_next(chunk), Next::chunk);
  script_.let(100);
}

TEST_F(LlamaBackendTest, AnswersEachPromptAsOftenAsWanted) {
  Request request{.kind = Request::Kind::completion,
                  .prompts = {"ab", "cde"},
                  .options = {.seed = 7, .choices = 2}};
  const auto stream = start(request);
  std::vector<std::string> texts(4);
  Reply reply;
  int counted = 0;  // the index of the counts
  Chunk chunk;
  for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
    if (next == Next::pending) {
      stream->wait(Instant::max());
      continue;
    }
    if (const auto* text = std::get_if<std::string>(&chunk.what))
      texts.at(static_cast<std::size_t>(chunk.index)) += *text;
    if (std::holds_alternative<Usage>(chunk.what)) counted = chunk.index;
    add(reply, chunk);
  }
  EXPECT_EQ(texts, std::vector<std::string>(4, "Hello you"));
  EXPECT_EQ(script_.prompts, (std::vector<std::string>{"ab", "ab", "cde", "cde"}));
  EXPECT_EQ(script_.samplings[0].seed, 7U);
  EXPECT_EQ(script_.samplings[1].seed, 8U);
  EXPECT_EQ(reply.usage->input_tokens, 5);
  EXPECT_EQ(reply.usage->output_tokens, 16);
  EXPECT_EQ(counted, -1) << "of all prompts";
}

TEST_F(LlamaBackendTest, EmbedsEachText) {
  const Read all = ask({.kind = Request::Kind::embedding, .prompts = {"ab", "cde"}});
  ASSERT_EQ(all.reply.embeddings.size(), 2U);
  EXPECT_EQ(all.reply.embeddings[1].values, std::vector<float>{3});
  EXPECT_EQ(all.reply.usage->input_tokens, 5);
  EXPECT_FALSE(all.reply.usage->output_tokens);
}

TEST_F(LlamaBackendTest, SamplesAsItIsTold) {
  Request request = chat();
  request.options = {.temperature = 0.5,
                     .top_p = 0.6,
                     .top_k = 7,
                     .min_p = 0.1,
                     .frequency_penalty = 0.2,
                     .presence_penalty = 0.3,
                     .seed = 9};
  ask(request);
  const LlamaSampling& sampling = script_.samplings.at(0);
  EXPECT_EQ(sampling.temperature, 0.5);
  EXPECT_EQ(sampling.top_p, 0.6);
  EXPECT_EQ(sampling.top_k, 7);
  EXPECT_EQ(sampling.min_p, 0.1);
  EXPECT_EQ(sampling.frequency_penalty, 0.2);
  EXPECT_EQ(sampling.presence_penalty, 0.3);
  EXPECT_EQ(sampling.seed, 9U);
  EXPECT_EQ(sampling.grammar, "");
}

TEST_F(LlamaBackendTest, TellsThatItsContextAndItsUserAreNotForARequestToSay) {
  Request request = chat();
  request.options.context_window = 4096;
  request.options.user = std::string("ann");
  EXPECT_EQ(ignored(request), (std::vector<std::string>{"context_window", "user"}));
}

TEST_F(LlamaBackendTest, TellsThatNothingIsSampledForAnEmbedding) {
  EXPECT_EQ(ignored({.kind = Request::Kind::embedding,
                     .prompts = {"ab"},
                     .options = {.temperature = 0.5, .max_tokens = 3, .seed = 9}}),
            (std::vector<std::string>{"temperature", "max_tokens", "seed"}));
}

TEST_F(LlamaBackendTest, AsManyChoicesAsCannotBeAreRefused) {
  for (const std::int64_t choices : {0, -1, 1025}) {
    Request request = chat();
    request.options.choices = choices;
    EXPECT_THROW(start(request), Error) << choices;
  }
}

TEST_F(LlamaBackendTest, AMessageThatATemplateWouldCutIsRefused) {
  Request request = chat();
  request.messages[0].text = std::string("a\0b", 3);
  EXPECT_THROW(start(request), Error);
}

TEST_F(LlamaBackendTest, TellsWhatItIgnores) {
  Request request = chat();
  request.options.think = std::string("low");
  request.options.logprobs = true;
  request.options.extra = Json::parse(R"({"mirostat":2})");
  request.format = Format{.schema = Json::parse(R"({"type":"string","pattern":"x"})")};
  const Read all = ask(request);
  std::vector<std::string> names;
  for (const Notice& notice : all.notices) {
    EXPECT_EQ(notice.kind, Notice::Kind::option_ignored);
    names.push_back(notice.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"logprobs", "think", "mirostat", "format"}));
  EXPECT_TRUE(script_.samplings.at(0).grammar.starts_with("root ::= "));
}

TEST_F(LlamaBackendTest, TakesToolCallsOutOfTheText) {
  script_.says = {"<tool_", "call>{\"name\":\"now\",", "\"arguments\":{}}</tool_call>"};
  Request request = chat();
  request.tools = {{.name = "now"}};
  const Read all = ask(request);
  ASSERT_EQ(all.reply.tool_calls.size(), 1U) << all.what();
  EXPECT_EQ(all.reply.tool_calls[0].name, "now");
  EXPECT_EQ(all.reply.text, "");
  EXPECT_EQ(all.reply.finish_reasons, std::vector<std::string>{"tool_calls"});
  EXPECT_EQ(script_.samplings.at(0).grammar, "");
  request.tool_choice = {.mode = ToolChoice::Mode::named, .name = "now"};
  ask(request);
  EXPECT_NE(script_.samplings.at(1).grammar.find("now"), std::string::npos);
}

TEST_F(LlamaBackendTest, RefusesAtOnceWhatItCannotAnswer) {
  EXPECT_THROW(start({}), Error);
  Request request = chat();
  request.messages[0].text = "\xFF";
  EXPECT_THROW(start(request), Error);
  request = chat();
  request.format = Format{.schema = Json::parse("false")};
  EXPECT_THROW(start(request), Error);
  EXPECT_EQ(script_.loads, 0);
}

TEST_F(LlamaBackendTest, ItsEndLeavesNoReaderWaiting) {
  script_.hold();
  const auto first = start(chat());
  const auto second = start(chat());
  script_.wait_for(1);
  backend_.reset();
  EXPECT_EQ(mellea::read(*first).outcome(), "shutdown");
  EXPECT_EQ(mellea::read(*second).outcome(), "shutdown");
}

TEST_F(LlamaBackendTest, AChildOfForkTouchesNothing) {
  script_.hold();
  const auto open = start(chat());
  script_.wait_for(1);
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 1;
    try {
      start(chat());
    } catch (const Error& error) {
      code =
          error.code() == Errc::after_fork && mellea::read(*open).outcome() == "after_fork" ? 0 : 2;
    }
    backend_.reset();
    ::_exit(code);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  script_.let(100);
  EXPECT_EQ(mellea::read(*open).reply.text, "Hello you");
}

}  // namespace
}  // namespace mellea
