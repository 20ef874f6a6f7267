// A backend, and a program that does as llama-server does.
#include "mellea/backends/local_backend.h"

#include <nlohmann/json.hpp>

#include "mellea/backends/fake_llama_for_test.h"
#include "mellea/backends/read_for_test.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

class LocalBackendTest : public testing::Test {
 protected:
  void serve(const std::vector<std::string>& words) {
    options_.run = LocalOptions::Run::server;
    options_.server = FakeLlama::program();
    options_.server_arguments = fake_.arguments(words);
    backend_ =
        make_backend({.backend = "local", .model = fake_.model(), .local = options_}, network_);
  }

  static Request chat(bool stream = false) {
    return {.messages = {{.text = "Hello"}}, .stream = stream};
  }
  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop = {}) {
    return backend_->start(std::move(request), std::move(stop));
  }
  Read ask(Request request) { return read(*start(std::move(request))); }

  std::string refusal(BackendOptions options) const {
    options.backend = "local";
    try {
      make_backend(options, network_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  FakeLlama fake_;
  LocalOptions options_;
  const std::shared_ptr<Network> network_ = make_network();
  std::shared_ptr<Backend> backend_;
};

TEST_F(LocalBackendTest, AnswersPlainAndStreamed) {
  serve({});
  EXPECT_EQ(backend_->provider(), "huggingface");
  EXPECT_TRUE(backend_->endpoint().local);
  const Read plain = ask(chat());
  EXPECT_EQ(plain.what(), "");
  EXPECT_EQ(plain.reply.text, "Hello");
  EXPECT_EQ(plain.reply.response.model, "m.gguf");  // without its folder
  EXPECT_EQ(plain.reply.usage->input_tokens, 3);
  EXPECT_EQ(ask(chat(true)).reply.text, "Hello");
  EXPECT_TRUE(fake_.line().starts_with("run 1 "));
  EXPECT_EQ(fake_.line(), "asked 1 /v1/chat/completions");
}

TEST_F(LocalBackendTest, AKeyOfTheEnvironmentIsNotTheServers) {
  ::setenv("LLAMA_API_KEY", "theirs", 1);
  serve({});
  ::unsetenv("LLAMA_API_KEY");
  EXPECT_EQ(ask(chat()).reply.text, "Hello");
}

TEST_F(LocalBackendTest, ARequestWaitsUntilTheModelIsLoaded) {
  serve({"healthy=" + fake_.healthy()});
  const auto stream = start(chat());
  Chunk chunk;
  EXPECT_EQ(stream->try_next(chunk), Next::pending);
  EXPECT_TRUE(stream->when_ready([] {}));
  fake_.let_be_healthy();
  EXPECT_EQ(read(*stream).reply.text, "Hello");
}

TEST_F(LocalBackendTest, ARequestThatWaitsIsCancelledAtOnce) {
  serve({"unhealthy"});
  std::stop_source stop;
  const auto by_token = start(chat(), stop.get_token());
  const auto by_hand = start(chat());
  stop.request_stop();
  by_hand->cancel();
  EXPECT_EQ(read(*by_token).outcome(), "cancelled");
  EXPECT_EQ(read(*by_hand).outcome(), "cancelled");
  EXPECT_EQ(read(*start(chat(), stop.get_token())).outcome(), "cancelled");
}

TEST_F(LocalBackendTest, TheWaitCountsInTheLimitOfTheWhole) {
  serve({"unhealthy"});
  Request request = chat();
  request.limits.whole = 20ms;
  EXPECT_EQ(ask(request).what(), "local: no answer in time: llama-server is not ready yet");
  serve({"hang=9"});
  request.limits.whole = 300ms;
  EXPECT_EQ(ask(request).outcome(), "timeout");
}

TEST_F(LocalBackendTest, WhatHadNoAnswerYetIsSentToTheNextRun) {
  serve({"hang=1"});
  const auto stream = start(chat());
  Chunk chunk;
  EXPECT_EQ(stream->try_next(chunk), Next::pending);
  const WatchedProcess first = fake_.next_run();
  stream->wait(Instant::max());  // the server is there: the next call sends
  EXPECT_EQ(stream->try_next(chunk), Next::pending);
  EXPECT_EQ(fake_.line(), "asked 1 /v1/chat/completions");
  first.kill();
  const Read all = read(*stream);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "Hello");
  ASSERT_EQ(all.notices.size(), 2U);
  EXPECT_EQ(all.notices[0].kind, Notice::Kind::retry);
  EXPECT_EQ(all.notices[0].attempt, 1);
  EXPECT_EQ(all.notices[1].kind, Notice::Kind::server_restarted);
  EXPECT_TRUE(all.notices[1].text.starts_with(
      "local: llama-server was ended by signal 9 and was started again: "));
}

TEST_F(LocalBackendTest, WhatHadHalfAnAnswerFailsAndTheNextIsTold) {
  serve({"half=1"});
  const auto stream = start(chat(true));
  Reply half;
  Chunk chunk;
  for (Next next{}; half.text.empty() && (next = stream->try_next(chunk)) != Next::end;)
    if (next == Next::pending)
      stream->wait(Instant::max());
    else
      add(half, chunk);
  EXPECT_EQ(half.text, "He");
  fake_.next_run().kill();
  const Read rest = read(*stream);
  EXPECT_EQ(rest.outcome(), "transport_error");
  EXPECT_TRUE(rest.what().ends_with("the text above is incomplete")) << rest.what();
  const Read next = ask(chat(true));
  EXPECT_EQ(next.reply.text, "Hello");
  ASSERT_EQ(next.notices.size(), 1U);
  EXPECT_EQ(next.notices[0].kind, Notice::Kind::server_restarted);
}

TEST_F(LocalBackendTest, ASecondDeathIsAnErrorWithTheLastLines) {
  serve({"hang=9"});
  const auto stream = start(chat());
  for (int run = 1; run <= 2; ++run) {
    Chunk chunk;
    const WatchedProcess process = fake_.next_run();
    for (Next next = Next::chunk; fake_.told_nothing();) {
      next = stream->try_next(chunk);
      if (next == Next::pending) stream->wait(Instant::clock::now() + 10ms);
    }
    EXPECT_EQ(fake_.line(), "asked " + std::to_string(run) + " /v1/chat/completions");
    process.kill();
  }
  const Read all = read(*stream);
  EXPECT_EQ(all.outcome(), "server_error");
  EXPECT_TRUE(all.what().starts_with(
      "local: llama-server was ended by signal 9 a second time: srv load_model: loading "))
      << all.what();
}

TEST_F(LocalBackendTest, TokensOfABatchAreCountedForAllPrompts) {
  serve({});
  Request batch{.kind = Request::Kind::completion};
  for (int i = 1; i <= 20; ++i)
    batch.prompts.push_back(std::string(static_cast<std::size_t>(i), 'x'));
  Chunk chunk;
  std::vector<std::string> texts(20);
  Reply reply;
  const auto stream = start(batch);
  for (Next next{}; (next = stream->try_next(chunk)) != Next::end;) {
    if (next == Next::pending) {
      stream->wait(Instant::max());
      continue;
    }
    if (const auto* text = std::get_if<std::string>(&chunk.what))
      texts.at(static_cast<std::size_t>(chunk.index)) += *text;
    add(reply, chunk);
  }
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(texts[i], "after " + batch.prompts[i]);
  EXPECT_EQ(reply.usage->input_tokens, 210);
  EXPECT_EQ(reply.usage->output_tokens, 40);
}

TEST_F(LocalBackendTest, EmbeddingsHaveAServerOfTheirOwn) {
  serve({});
  EXPECT_EQ(ask(chat()).reply.text, "Hello");
  const Read embedded = ask({.kind = Request::Kind::embedding, .prompts = {"one"}});
  EXPECT_EQ(embedded.what(), "");
  ASSERT_EQ(embedded.reply.embeddings.size(), 1U);
  EXPECT_EQ(embedded.reply.embeddings[0].values, (std::vector<float>{1, 2}));
  EXPECT_TRUE(fake_.line().starts_with("run 1 "));
  EXPECT_EQ(fake_.line(), "asked 1 /v1/chat/completions");
  EXPECT_TRUE(fake_.line().starts_with("run 2 "));
  EXPECT_EQ(fake_.line(), "asked 2 /v1/embeddings");
}

TEST_F(LocalBackendTest, TheLogIsKeptWhereItIsWanted) {
  options_.log_file = fake_.log();
  serve({});
  EXPECT_EQ(ask(chat()).reply.text, "Hello");
  backend_.reset();
  std::ostringstream log;
  log << std::ifstream(fake_.log()).rdbuf();
  EXPECT_EQ(log.str(), "srv load_model: loading '" + fake_.model() + "'\n");
}

TEST_F(LocalBackendTest, ARequestThatCannotBeWrittenIsRefusedAtOnce) {
  serve({});
  Request request = chat();
  request.messages[0].text = "\xFF";
  EXPECT_THROW(start(request), Error);
}

TEST_F(LocalBackendTest, ItsEndLeavesNoStreamWaiting) {
  serve({"unhealthy"});
  const auto stream = start(chat());
  const WatchedProcess process = fake_.next_run();
  backend_.reset();
  EXPECT_FALSE(process.runs());
  EXPECT_EQ(read(*stream).outcome(), "shutdown");
}

TEST_F(LocalBackendTest, SaysAtOnceWhatIsMissing) {
  const LocalOptions with_server{
      .run = LocalOptions::Run::server, .server = FakeLlama::program(), .hub_cache = "/nowhere"};
  EXPECT_EQ(
      refusal({.model = fake_.model(), .local = LocalOptions{.run = LocalOptions::Run::server}}),
      "local: there is no llama-server: install llama.cpp, or set MELLEA_LLAMA_SERVER");
  EXPECT_EQ(refusal({.model = "/nowhere/m.gguf", .local = with_server}),
            "local: /nowhere/m.gguf: No such file or directory");
  EXPECT_EQ(refusal({.model = "org/repo:Q4_K_M", .local = with_server}),
            "local: org/repo:Q4_K_M: is not in /nowhere: hf download org/repo --include "
            "\"*Q4_K_M*.gguf\"");
}

TEST_F(LocalBackendTest, WithoutAModelItTellsWhichThereAre) {
  GgufForTest().write(fake_.in_folder("hub/models--org--repo/snapshots/abc/m.gguf"));
  const LocalOptions local{.run = LocalOptions::Run::server,
                           .server = FakeLlama::program(),
                           .hub_cache = fake_.in_folder("hub")};
  const auto backend = make_backend({.backend = "local", .local = local}, network_);
  EXPECT_EQ(backend->models({}), std::vector<std::string>{"org/repo"});
  EXPECT_THROW(backend->start(chat(), {}), Error);
  const auto named =
      make_backend({.backend = "local", .model = fake_.model(), .local = local}, network_);
  EXPECT_EQ(named->models({}), (std::vector<std::string>{fake_.model(), "org/repo"}));
}

TEST(NamesGgufFile, ByItsEnd) {
  EXPECT_TRUE(names_gguf_file("/models/m.gguf"));
  EXPECT_TRUE(names_gguf_file("org/repo:m.gguf"));
  EXPECT_FALSE(names_gguf_file("org/repo:cheapest"));
}

}  // namespace
}  // namespace mellea
