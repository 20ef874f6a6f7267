#include "mellea/asio.h"

#include <gtest/gtest.h>

#if defined(MELLEA_STANDALONE_ASIO)
#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#if defined(MELLEA_ASIO_CANCELS)
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#endif
#else
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#if defined(MELLEA_ASIO_CANCELS)
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#endif
#endif

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/hooks/testing/recorder.h"
#include "mellea/mellea.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;
using scripted::Line;

class AsioTest : public ::testing::Test {
 protected:
  void TearDown() override {
    runtime_.reset();
    EXPECT_EQ(recorder_->problems(), std::vector<std::string>{});
  }
  Session start() { return runtime_->start_session(backend_, "demo"); }
  void script(Line line) { backend_->add(std::move(line)); }

  // The code of what is thrown there.
  static Errc code_of(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const Error& thrown) {
      return thrown.code();
    }
  }

  const std::shared_ptr<testing::Recorder> recorder_ = std::make_shared<testing::Recorder>();
  const std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  std::unique_ptr<Runtime> runtime_ =
      std::make_unique<Runtime>(RuntimeOptions{.plugins = {recorder_}});
  asio::io_context context_;
  CallOptions options_{.stream = true};
};

TEST_F(AsioTest, ACallbackRunsOnItsExecutorWhichHasWorkUntilThen) {
  script(Line().text("Par").delay(2ms).text("is.").finish());
  Session session = start();
  std::string text;
  std::thread::id ran;
  async_chat(session, "The capital of France?", options_,
             asio::bind_executor(context_, [&](std::exception_ptr error, const Result& result) {
               EXPECT_FALSE(error);
               text = result.text();
               ran = std::this_thread::get_id();
             }));
  EXPECT_EQ(text, "");
  context_.run();
  EXPECT_EQ(text, "Paris.");
  EXPECT_EQ(ran, std::this_thread::get_id());
}

TEST_F(AsioTest, AFutureHasTheResultOrTheError) {
  script(scripted::say("one"));
  script(scripted::fail(Errc::server_error, "scripted: 500"));
  Session session = start();
  EXPECT_EQ(async_chat(session, "1", options_, asio::use_future).get().text(), "one");
  std::future<Result> broken = async_instruct(session, "2", options_, asio::use_future);
  EXPECT_THROW(broken.get(), Error);
}

TEST_F(AsioTest, ACallThatIsRefusedAtOnceCompletesLater) {
  Session session = start();
  session.end();
  Errc code = Errc::unknown;
  async_chat(session, "hi", options_,
             asio::bind_executor(context_, [&](std::exception_ptr error, const Result& result) {
               code = code_of(error);
               EXPECT_EQ(result.text(), "");
             }));
  EXPECT_EQ(code, Errc::unknown);
  context_.run();
  EXPECT_EQ(code, Errc::shutdown);
}

TEST_F(AsioTest, TheCallersStopTokenStillCancels) {
  script(Line().hang());
  Session session = start();
  std::stop_source stop;
  options_.stop = stop.get_token();
  std::future<Result> answer = async_chat(session, "hi", options_, asio::use_future);
  stop.request_stop();
  EXPECT_THROW(answer.get(), Error);
  EXPECT_EQ(recorder_->count("generation_error"), 0U);  // cancelled is none
}

TEST_F(AsioTest, ChunksAreReadByCallbacks) {
  script(Line().text("a").delay(1ms).text("b").delay(1ms).text("c").finish());
  Output output = start().start_chat("hi", options_);
  std::string text;
  bool over = false;
  std::function<void(std::exception_ptr, std::optional<Chunk>)> take =
      [&](std::exception_ptr error, std::optional<Chunk> chunk) {
        EXPECT_FALSE(error);
        over = !chunk;
        if (over) return;
        if (const auto* piece = std::get_if<std::string>(&chunk->what)) text += *piece;
        async_next(output, asio::bind_executor(context_, std::ref(take)));
      };
  async_next(output, asio::bind_executor(context_, std::ref(take)));
  context_.run();
  EXPECT_EQ(text, "abc");
  EXPECT_TRUE(over);
}

asio::awaitable<std::string> talk(Session session) {
  CallOptions options{.stream = true};
  const Result first = co_await async_chat(session, "1", options, asio::use_awaitable);
  Message message{.text = "2"};
  const Result second = co_await async_chat(session, message, options, asio::use_awaitable);
  std::string text = first.text() + second.text();
  Output output = session.start_chat("3", options);
  while (const auto chunk = co_await async_next(output, asio::use_awaitable)) {
    if (const auto* piece = std::get_if<std::string>(&chunk->what)) text += *piece;
  }
  try {
    co_await async_instruct(session, "4", options, asio::use_awaitable);
  } catch (const Error& error) {
    text += error.partial_text();
  }
  co_return text;
}

TEST_F(AsioTest, ACoroutineAwaitsCallsAndChunks) {
  script(Line().text("a").delay(1ms).text("b").finish());
  script(scripted::say("c"));
  script(Line().text("d").delay(1ms).text("e").finish());
  script(Line().text("f").fail(Error(Errc::server_error, "scripted: 500")));
  std::future<std::string> text = asio::co_spawn(context_, talk(start()), asio::use_future);
  context_.run();
  EXPECT_EQ(text.get(), "abcdef");
}

TEST_F(AsioTest, ManyCoroutinesRunOnOneThread) {
  constexpr int kTalks = 100;
  std::vector<std::future<std::string>> texts;
  for (int talks = 0; talks < kTalks; ++talks) {
    for (int call = 0; call < 3; ++call) script(Line().text("a").delay(1ms).text("b").finish());
    script(scripted::say("c"));
  }
  for (int talks = 0; talks < kTalks; ++talks)
    texts.push_back(asio::co_spawn(context_, talk(start()), asio::use_future));
  context_.run();
  for (auto& text : texts) EXPECT_GE(text.get().size(), 3U);
}

TEST_F(AsioTest, ARuntimeThatEndsCompletesWhatIsInFlight) {
  script(Line().hang());
  script(Line().hang());
  Session session = start();
  std::vector<Errc> codes;
  async_chat(session, "hi", options_,
             asio::bind_executor(context_, [&](std::exception_ptr error, const Result&) {
               codes.push_back(code_of(error));
             }));
  Output output = session.start_chat("hi", options_);
  async_next(output, asio::bind_executor(
                         context_, [&](std::exception_ptr error, const std::optional<Chunk>&) {
                           codes.push_back(code_of(error));
                         }));
  runtime_.reset();
  context_.run();
  EXPECT_EQ(codes, (std::vector<Errc>{Errc::shutdown, Errc::shutdown}));
}

#if defined(MELLEA_ASIO_CANCELS)
TEST_F(AsioTest, ACancellationSlotCancelsTheCall) {
  script(Line().hang());
  script(Line().hang());
  Session session = start();
  asio::cancellation_signal signals[2];
  std::vector<Errc> codes;
  async_chat(session, "hi", options_,
             asio::bind_cancellation_slot(
                 signals[0].slot(),
                 asio::bind_executor(context_, [&](std::exception_ptr error, const Result&) {
                   codes.push_back(code_of(error));
                 })));
  Output output = session.start_chat("hi", options_);
  async_next(output,
             asio::bind_cancellation_slot(
                 signals[1].slot(), asio::bind_executor(context_, [&](std::exception_ptr error,
                                                                      const std::optional<Chunk>&) {
                   codes.push_back(code_of(error));
                 })));
  asio::post(context_, [&] {
    for (auto& signal : signals) signal.emit(asio::cancellation_type::terminal);
  });
  context_.run();
  EXPECT_EQ(codes, (std::vector<Errc>{Errc::cancelled, Errc::cancelled}));
}
#endif

}  // namespace
}  // namespace mellea
