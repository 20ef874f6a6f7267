#include "mellea/backends/llama_server.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <future>

#include "mellea/backends/fake_llama_for_test.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

class LlamaServerTest : public testing::Test {
 protected:
  void serve(const std::vector<std::string>& words, LlamaServerOptions options = {}) {
    options.start = {.program = FakeLlama::program(),
                     .arguments = fake_.arguments(words),
                     .environment = environment_without("LLAMA_API_KEY")};
    for (const std::string& word :
         {std::string("--model"), fake_.model(), std::string("--alias"), std::string("tiny")})
      options.start.arguments.push_back(word);
    server_.emplace(std::move(options), network_);
  }

  // Waits until it is known, and says what.
  static std::string outcome(LlamaServerWait& wait) {
    wait.wait(Instant::clock::now() + 20s);
    try {
      const auto address = wait.try_get();
      return !address ? "nothing"
                      : "run " + std::to_string(address->run) +
                            (address->notice ? ": " + address->notice->text : "");
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + ": " + error.what();
    }
  }
  std::string outcome(int lost = 0, Instant until = Instant::max()) {
    return outcome(*server_->up(lost, until));
  }

  // What it prints first, as it stands in messages.
  std::string greeting() const {
    return "main: binding port with default address family / srv load_model: loading '" +
           fake_.model() + '\'';
  }

  FakeLlama fake_;
  const std::shared_ptr<Network> network_ = std::make_shared<Network>();
  std::optional<LlamaServer> server_;
};

TEST_F(LlamaServerTest, StartsWithTheFirstWaitAndIsThereForAll) {
  serve({});
  EXPECT_EQ(outcome(), "run 1");
  EXPECT_EQ(outcome(), "run 1");
  EXPECT_TRUE(fake_.line().starts_with("run 1 "));
}

TEST_F(LlamaServerTest, APortThatIsTakenMeanwhileIsGivenUp) {
  serve({"no-port=2"});
  EXPECT_EQ(outcome(), "run 3");
}

TEST_F(LlamaServerTest, WithoutAPortItFailsInTheEnd) {
  serve({"no-port=1000"});
  EXPECT_EQ(outcome(), "server_error: local: llama-server ended with code 1 before it was ready: " +
                           greeting() + " / srv start: couldn't bind HTTP server socket");
}

TEST_F(LlamaServerTest, AServerThatDoesNotKnowTheKeyIsNotOurs) {
  serve({"not-mine"});
  const auto wait = server_->up(0, Instant::clock::now() + 200ms);
  EXPECT_EQ(outcome(*wait), "timeout: local: no answer in time: llama-server is not ready yet");
}

TEST_F(LlamaServerTest, AModelThatCannotBeLoadedFailsAllWaits) {
  serve({"no-model=1"});
  const std::string failure =
      "server_error: local: llama-server ended with code 1 before it was ready: " + greeting() +
      " / srv load_model: failed to load model";
  const auto first = server_->up(0, Instant::max());
  const auto second = server_->up(0, Instant::max());
  EXPECT_EQ(outcome(*first), failure);
  EXPECT_EQ(outcome(*second), failure);
  EXPECT_EQ(outcome(), failure);
  EXPECT_TRUE(fake_.line().starts_with("run 1 "));
  EXPECT_TRUE(fake_.told_nothing()) << "it was tried once";
}

TEST_F(LlamaServerTest, AServerThatIsNotReadyInTimeIsEnded) {
  serve({"unhealthy"}, {.start_limit = 500ms});
  const std::string failure = "timeout: local: llama-server was not ready within 500 ms";
  EXPECT_TRUE(outcome().starts_with(failure));
  EXPECT_TRUE(fake_.next_run().ends());
  EXPECT_TRUE(outcome().starts_with(failure)) << "the next wait is for another run";
  EXPECT_TRUE(fake_.line().starts_with("run 2 "));
}

TEST_F(LlamaServerTest, WhatLacksADescriptorIsTriedAgainWithTheNextWait) {
  serve({});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 3, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::string without = outcome();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(without.ends_with("Too many open files")) << without;
  EXPECT_EQ(outcome(), "run 1");
}

TEST_F(LlamaServerTest, IsStartedOnceMoreAndThatIsToldOnce) {
  serve({});
  EXPECT_EQ(outcome(), "run 1");
  fake_.next_run().kill();
  EXPECT_EQ(outcome(1), "run 2: local: llama-server was ended by signal 9 and was started again: " +
                            greeting());
  EXPECT_EQ(outcome(), "run 2");
  fake_.next_run().kill();
  EXPECT_TRUE(outcome(2).starts_with(
      "server_error: local: llama-server was ended by signal 9 a second time: "));
}

TEST_F(LlamaServerTest, WhatRanForLongIsStartedAgainAnew) {
  serve({}, {.steady = 0ms});
  for (int run = 1; run < 5; ++run) {
    EXPECT_TRUE(outcome(run - 1).starts_with("run " + std::to_string(run)));
    fake_.next_run().kill();
  }
  EXPECT_TRUE(outcome(4).starts_with("run 5: "));
}

TEST_F(LlamaServerTest, AServerThatDiesWhileItIsStartedAgainIsGivenUp) {
  serve({"no-model=2"});
  EXPECT_EQ(outcome(), "run 1");
  fake_.next_run().kill();
  EXPECT_TRUE(outcome(1).starts_with(
      "server_error: local: llama-server ended with code 1 before it was ready: "));
}

TEST_F(LlamaServerTest, WhoeverLostAConnectionToALiveServerGetsTheSame) {
  serve({});
  EXPECT_EQ(outcome(), "run 1");
  EXPECT_EQ(outcome(1), "run 1");
}

TEST_F(LlamaServerTest, AWaitIsCancelledOrTimedOutAlone) {
  serve({"healthy=" + fake_.healthy()});
  const auto cancelled = server_->up(0, Instant::max());
  const auto late = server_->up(0, Instant::clock::now() + 20ms);
  const auto patient = server_->up(0, Instant::max());
  std::promise<void> woken;
  EXPECT_TRUE(cancelled->when_ready([&] { woken.set_value(); }));
  cancelled->cancel();
  woken.get_future().wait();
  EXPECT_EQ(outcome(*cancelled), "cancelled: local: cancelled");
  EXPECT_FALSE(cancelled->when_ready([] {}));
  EXPECT_EQ(outcome(*late), "timeout: local: no answer in time: llama-server is not ready yet");
  EXPECT_FALSE(patient->try_get());
  fake_.let_be_healthy();
  EXPECT_EQ(outcome(*patient), "run 1");
}

TEST_F(LlamaServerTest, EndsWithItsObject) {
  serve({});
  EXPECT_EQ(outcome(), "run 1");
  const WatchedProcess process = fake_.next_run();
  server_.reset();
  EXPECT_FALSE(process.runs());
}

TEST_F(LlamaServerTest, AWaitEndsWithTheServer) {
  serve({"unhealthy"});
  const auto wait = server_->up(0, Instant::max());
  const WatchedProcess process = fake_.next_run();
  server_.reset();
  EXPECT_EQ(outcome(*wait), "shutdown: local: the backend is gone");
  EXPECT_FALSE(process.runs());
}

TEST_F(LlamaServerTest, IsEndedByForceIfItWillNotEnd) {
  serve({"deaf"}, {.end_limit = 20ms});
  EXPECT_EQ(outcome(), "run 1");
  const WatchedProcess process = fake_.next_run();
  server_.reset();
  EXPECT_FALSE(process.runs());
}

TEST_F(LlamaServerTest, AProgramThatIsNotThereFailsAllWaits) {
  server_.emplace(LlamaServerOptions{.start = {.program = "/nowhere/llama-server"}}, network_);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(
        outcome(),
        "not_found: local: /nowhere/llama-server: can't be started: No such file or directory");
}

TEST_F(LlamaServerTest, WithoutANetworkItFails) {
  serve({});
  network_->stop();
  EXPECT_TRUE(outcome().starts_with("shutdown: "));
}

TEST_F(LlamaServerTest, AChildOfForkTouchesNothing) {
  serve({});
  EXPECT_EQ(outcome(), "run 1");
  const WatchedProcess process = fake_.next_run();
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 1;
    try {
      server_->up(0, Instant::max());
    } catch (const Error& error) {
      code = error.code() == Errc::after_fork ? 0 : 2;
    }
    server_.reset();
    ::_exit(code);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(process.runs());
  EXPECT_EQ(outcome(), "run 1");
}

}  // namespace
}  // namespace mellea
