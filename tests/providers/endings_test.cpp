// How answers are left before they are over: cancels, stop requests, deadlines, a network that
// goes; and that many at once do not disturb one another.
#include <algorithm>
#include <future>
#include <thread>

#include "provider_test.h"

namespace mellea::providers {
namespace {

using namespace std::chrono_literals;

TEST_P(Provider, ACancelAtAnyChunkEndsTheStream) {
  const std::string whole_text = "a-textb-textc-text";
  const std::vector<std::string> said = pieces(says({"a-text", "b-text", "c-text"}));
  for (std::size_t count = 0; count < said.size(); ++count) {
    Script script = begun();
    for (std::size_t i = 0; i < count; ++i) script.chunk(said[i]);
    serve({script.hang()});
    const auto stream = start(chat(true));
    ASSERT_TRUE(wait_for_asked(1, *stream));
    const auto has_text = [](const std::string& piece) {
      return piece.find("-text") != piece.npos;
    };
    const auto texts = static_cast<std::size_t>(
        std::count_if(said.begin(), said.begin() + static_cast<std::ptrdiff_t>(count), has_text));
    const Reply before =
        read_until(*stream, [&](const Reply& reply) { return reply.text.size() == 6 * texts; });
    stream->cancel();
    const Read after = read(*stream);
    EXPECT_EQ(after.outcome(), "cancelled") << count;
    EXPECT_EQ(before.text + after.reply.text, whole_text.substr(0, 6 * texts)) << count;
    EXPECT_EQ(read(*stream).outcome(), "cancelled") << "again, at each call";
    EXPECT_TRUE(wait_for_close(0)) << count;
    EXPECT_EQ(asked(), 1U);
  }
}

TEST_P(Provider, ACancelBeforeTheAnswerEndsThePlainCall) {
  serve({Script::raw().hang()});
  const auto stream = start(chat());
  ASSERT_TRUE(wait_for_asked(1, *stream));
  const std::jthread canceller([&] { stream->cancel(); });
  EXPECT_EQ(read(*stream).outcome(), "cancelled");
  EXPECT_TRUE(wait_for_close(0));
}

TEST_P(Provider, ACancelAtOnceIsACancel) {
  serve({whole(says({"a"}))});
  const auto stream = start(chat());
  stream->cancel();
  const Read all = read(*stream);
  EXPECT_TRUE(all.outcome() == "cancelled" || all.reply.text == "a") << all.outcome();
}

TEST_P(Provider, AStopRequestEndsTheStream) {
  serve({begun().chunk(pieces(says({"a"})).front()).hang()});
  std::stop_source source;
  const auto stream = start(chat(true), source.get_token());
  ASSERT_TRUE(wait_for_asked(1, *stream));
  const std::jthread stopper([&] { source.request_stop(); });
  EXPECT_EQ(read(*stream).outcome(), "cancelled");
  EXPECT_TRUE(wait_for_close(0));
}

TEST_P(Provider, AfterAStopRequestNothingIsSent) {
  serve({whole(says({"a"}))});
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(read(*start(chat(), source.get_token())).outcome(), "cancelled");
  EXPECT_EQ(asked(), 0U);
}

TEST_P(Provider, ACancelEndsTheWaitForARetry) {
  serve({refused(503, "busy", {{"retry-after", "50"}}), whole(says({"a"}))});
  const auto stream = start(chat());
  if (dialect().gaps().retries) {  // then there is no wait
    EXPECT_EQ(read(*stream).outcome(), "server_error");
    return;
  }
  ASSERT_TRUE(read_to_retry(*stream));
  const std::jthread canceller([&] { stream->cancel(); });
  EXPECT_EQ(read(*stream).outcome(), "cancelled");
  EXPECT_EQ(asked(), 1U);
}

TEST_P(Provider, LeavingEarlyClosesTheConnection) {
  serve({begun().chunk(pieces(says({"a"})).front()).hang()});
  auto stream = start(chat(true));
  ASSERT_TRUE(wait_for_asked(1, *stream));
  stream.reset();
  EXPECT_TRUE(wait_for_close(0));
}

TEST_P(Provider, AStreamMayOutliveItsBackend) {
  serve({begun().hold().chunk(joined(pieces(says({"a"})))).end()});
  const auto stream = start(chat(true));
  ASSERT_TRUE(wait_for_asked(1, *stream));
  const bool is_with_it = backend_->endpoint().local;  // then the server goes with the backend
  backend_.reset();
  server_->release();
  const Read all = read(*stream);
  EXPECT_EQ(all.reply.text, is_with_it ? "" : "a");
  EXPECT_EQ(all.outcome() == "ok", !is_with_it) << all.outcome();
}

TEST_P(Provider, SilenceEndsTheStreamWhereItIsLimited) {
  serve({begun().chunk(up_to("\"a\"", says({"a"}))).hang()});
  Request asked = chat(true);
  asked.limits.silence = 150ms;
  const Read all = ask(asked);
  EXPECT_EQ(all.outcome(), "timeout");
  EXPECT_EQ(all.reply.text, "a");
  EXPECT_TRUE(wait_for_close(0));
}

TEST_P(Provider, TheFirstByteIsWaitedForSoLong) {
  serve({Script::raw().hang()});
  Request asked = chat();
  asked.limits.first_byte = 30ms;
  asked.limits.whole = 300ms;  // too soon for another attempt
  const Read all = ask(asked);
  EXPECT_EQ(all.outcome(), "timeout") << all.what();
  EXPECT_TRUE(wait_for_close(0));
}

TEST_P(Provider, TheWholeLimitHoldsHoweverMuchComes) {
  serve({begun().chunk(pieces(says({"a"})).front()).hang()});
  Request asked = chat(true);
  asked.limits.whole = 50ms;
  EXPECT_EQ(ask(asked).outcome(), "timeout");
  if (this->asked() > 0) {  // not where the time was up before the server was
    EXPECT_TRUE(wait_for_close(0));
  }
}

TEST_P(Provider, TheWholeLimitLeavesNoTimeForALateRetry) {
  serve({refused(503, "busy", {{"retry-after", "30"}}), whole(says({"a"}))});
  Request asked = chat();
  asked.limits.whole = 20s;
  EXPECT_EQ(ask(asked).outcome(), "server_error");
  EXPECT_EQ(this->asked(), 1U);
}

TEST_P(Provider, AServerThatTakesItsTimeIsWaitedFor) {
  serve({begun().hold().chunk(joined(pieces(says({"a"})))).hold().end()});
  const auto stream = start(chat(true));
  std::promise<void> woken;
  ASSERT_TRUE(wait_for_asked(1, *stream));
  server_->release();
  const Reply reply = read_until(*stream, [](const Reply& so_far) { return so_far.text == "a"; });
  EXPECT_EQ(reply.text, "a");
  server_->release();
  EXPECT_EQ(read(*stream).outcome(), "ok");
}

TEST_P(Provider, AReaderIsWokenWhenThereIsSomethingToRead) {
  serve({begun().hold().chunk(joined(pieces(says({"a"})))).end()});
  const auto stream = start(chat(true));
  ASSERT_TRUE(wait_for_asked(1, *stream));
  server_->release();
  Reply reply;
  Chunk chunk;
  for (bool over = false; !over;) {
    std::promise<void> woken;
    if (stream->when_ready([&] { woken.set_value(); })) woken.get_future().wait();
    for (Next next{}; !over && (next = stream->try_next(chunk)) != Next::pending;) {
      over = next == Next::end;
      if (!over) add(reply, chunk);
    }
  }
  EXPECT_EQ(reply.text, "a");
  EXPECT_GE(stream->times().ended, stream->times().sent);
}

TEST_P(Provider, ManyCallsUseOneConnection) {
  serve({whole(says({"a"})), streamed(says({"b"}))});
  ASSERT_EQ(ask().reply.text, "a");
  const int connections = server_->connections();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(ask(true).reply.text, "b");
  EXPECT_EQ(server_->connections(), connections);
}

TEST_P(Provider, ManyThreadsMayAskAtOnce) {
  serve([this](const ReceivedRequest& request) {
    const Request asked = dialect().read(request);
    const Answer answer = says({"you said ", asked.messages.at(0).text});
    return asked.stream ? streamed(answer) : whole(answer);
  });
  std::vector<std::future<int>> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.push_back(std::async(std::launch::async, [this, thread] {
      int right = 0;
      for (int i = 0; i < 8; ++i) {
        const std::string said = std::to_string(thread) + '.' + std::to_string(i);
        Request asked = chat(i % 2 == 0);
        asked.messages = {{.text = said}};
        right += read(*backend_->start(asked, {})).reply.text == "you said " + said ? 1 : 0;
      }
      return right;
    }));
  }
  for (auto& thread : threads) EXPECT_EQ(thread.get(), 8);
}

TEST_P(Provider, ACancelOfOneDoesNotTouchTheOther) {
  serve({begun().hold().chunk(joined(pieces(says({"a"})))).end()});
  const auto one = start(chat(true));
  const auto other = start(chat(true));
  ASSERT_TRUE(wait_for_asked(1, *one));
  ASSERT_TRUE(wait_for_asked(2, *other));
  one->cancel();
  server_->release();
  EXPECT_EQ(read(*one).outcome(), "cancelled");
  EXPECT_EQ(read(*other).reply.text, "a");
}

TEST_P(Provider, AfterItsNetworkStoppedItIsShutDown) {
  serve({begun().hang()});
  const auto stream = start(chat(true));
  ASSERT_TRUE(wait_for_asked(1, *stream));
  stop(*network_);
  EXPECT_EQ(read(*stream).outcome(), "shutdown");
  try {
    EXPECT_EQ(read(*start(chat())).outcome(), "shutdown");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::shutdown);
  }
}

TEST_P(Provider, AServerThatIsNotThereIsNamed) {
  serve({whole(says({"a"}))});
  const Endpoint endpoint = dialect().endpoint(*server_);
  const std::string where = endpoint.address + ':' + std::to_string(endpoint.port);
  server_.reset();
  Request asked = chat();
  asked.limits.whole = 300ms;  // too soon for another attempt
  const Read all = read(*start(asked));
  if (endpoint.local) {  // the client starts it, and what it starts answers no more
    EXPECT_TRUE(all.outcome() == "timeout" || all.outcome() == "transport_error") << all.what();
  } else if (dialect().gaps().tokens) {  // whose server is the one that is looked for
    EXPECT_EQ(all.outcome(), "timeout") << all.what();
    EXPECT_NE(all.what().find("no token"), std::string::npos) << all.what();
  } else {
    EXPECT_EQ(all.outcome(), "transport_error") << all.what();
    EXPECT_NE(all.what().find(where), std::string::npos) << all.what();
  }
}

}  // namespace
}  // namespace mellea::providers
