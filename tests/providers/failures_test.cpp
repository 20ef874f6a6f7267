// What goes wrong at providers, what the caller is told of it, and what is sent again.
#include <atomic>
#include <utility>

#include "provider_test.h"

namespace mellea::providers {
namespace {

using namespace std::chrono_literals;

TEST_P(Provider, AnErrorHasItsCategoryStatusAndMessage) {
  const std::vector<std::pair<int, std::string_view>> cases = {{400, "invalid_request"},
                                                               {401, "auth"},
                                                               {403, "auth"},
                                                               {404, "not_found"},
                                                               {408, "timeout"},
                                                               {409, "invalid_request"},
                                                               {413, "invalid_request"},
                                                               {422, "invalid_request"},
                                                               {429, "rate_limit"},
                                                               {500, "server_error"},
                                                               {502, "server_error"},
                                                               {503, "server_error"}};
  for (const bool stream : {false, true}) {
    for (const auto& [status, category] : cases) {
      serve({refused(status, "no luck today")});
      const Read all = ask(stream);
      EXPECT_EQ(all.outcome(), category) << status;
      ASSERT_TRUE(all.error) << status;
      EXPECT_EQ(all.error->details().status, status);
      EXPECT_EQ(all.error->details().provider_message, "no luck today") << status;
      EXPECT_NE(all.what().find("no luck today"), std::string::npos) << all.what();
      EXPECT_TRUE(all.what().starts_with(dialect().client(*server_).backend)) << all.what();
      EXPECT_EQ(all.reply.text, "");
    }
  }
}

TEST_P(Provider, APromptThatIsTooLongIsSaidToBe) {
  const Fault fault = dialect().context_fault();
  serve({Script::answer(fault.status, fault.body)});
  const Read all = ask();
  EXPECT_EQ(all.outcome(), "context_length") << all.what();
  EXPECT_NE(all.what().find("send less"), std::string::npos) << all.what();
  EXPECT_EQ(asked(), 1U);
}

TEST_P(Provider, AnErrorThatIsNoJsonIsQuoted) {
  serve({Script::answer(502, "<html>Bad <b>Gateway</b></html>", {{"x-should-retry", "false"}}),
         Script::answer(404, "")});
  const Read gateway = ask();
  EXPECT_EQ(gateway.outcome(), "server_error");
  EXPECT_NE(gateway.what().find("Bad <b>Gateway</b>"), std::string::npos) << gateway.what();
  EXPECT_EQ(gateway.error->details().provider_message, "");
  const Read nothing = ask();
  EXPECT_EQ(nothing.outcome(), "not_found");
  EXPECT_NE(nothing.what().find("check the model's name and the base URL"), std::string::npos)
      << nothing.what();
}

TEST_P(Provider, AKeyThatTheServerRepeatsIsShownToNobody) {
  const auto key_of = [](const ReceivedRequest& request) {
    const std::string_view authorization = request.header("authorization");
    return std::string(authorization.substr(authorization.find(' ') + 1));
  };
  serve([&](const ReceivedRequest& request) {
    return refused(503, "the key " + key_of(request) + " is tired");
  });
  const Read all = ask();
  const std::string key = key_of(received());
  ASSERT_GE(key.size(), 8U);
  ASSERT_TRUE(all.error);
  EXPECT_EQ(all.error->details().provider_message, "the key *** is tired");
  EXPECT_EQ(all.what().find(key), std::string::npos) << all.what();
  for (const Notice& notice : all.notices)
    EXPECT_EQ(notice.text.find(key), std::string::npos) << notice.text;
}

TEST_P(Provider, TheRequestIdOfAFailureIsKept) {
  serve({refused(400, "no", {{"x-request-id", "req_8f2"}})});
  const Read all = ask();
  ASSERT_TRUE(all.error);
  EXPECT_EQ(all.error->details().request_id, "req_8f2");
  EXPECT_NE(all.what().find("req_8f2"), std::string::npos) << all.what();
}

TEST_P(Provider, AnErrorInTheStreamKeepsTheText) {
  serve({stream_of(up_to("half", says({"half", "more"})) +
                   dialect().stream_fault("the engine fell over"))});
  const Read all = ask(true);
  EXPECT_EQ(all.outcome(), "server_error");
  EXPECT_EQ(all.reply.text, "half");
  EXPECT_NE(all.what().find("the engine fell over"), std::string::npos) << all.what();
  EXPECT_EQ(asked(), 1U);
}

TEST_P(Provider, AnAnswerThatIsNoneIsAParseError) {
  for (const char* body :
       {"<html>Welcome</html>", "[1,2]", "\"hello\"", "{\"choices\":7,\"message\":7}\n"}) {
    serve({Script::answer(200, body, {{"content-type", "application/json"}})});
    const Read all = ask();
    EXPECT_EQ(all.outcome(), "parse_error") << body << ' ' << all.what();
    EXPECT_EQ(all.reply.text, "");
    EXPECT_FALSE(all.reply.usage);
  }
}

TEST_P(Provider, AnEmptyBodyIsAnError) {
  serve({Script::answer(200, "", {{"content-type", "application/json"}}).close()});
  const auto stream = start(chat());
  std::string outcome = "ok";
  try {
    if (read_to_retry(*stream)) outcome = "again";
  } catch (const Error& error) {
    outcome = to_string(error.code());
  }
  EXPECT_TRUE(outcome == "parse_error" || outcome == "again") << outcome;
}

TEST_P(Provider, ARedirectIsNoAnswer) {
  serve({Script::answer(302, "", {{"location", "http://elsewhere/"}})});
  const Read all = ask();
  EXPECT_EQ(all.error->details().status, 302);
  EXPECT_NE(all.what().find("redirects are not followed"), std::string::npos) << all.what();
  EXPECT_EQ(asked(), 1U);
}

TEST_P(Provider, ABusyServerIsAskedAgain) {
  for (const int status : {429, 500, 502, 503}) {
    for (const bool stream : {false, true}) {
      serve({refused(status), stream ? streamed(says({"a"})) : whole(says({"a"}))});
      const Read all = ask(stream);
      if (dialect().gaps().retries) {
        EXPECT_EQ(all.error->details().status, status);
        continue;
      }
      EXPECT_EQ(all.what(), "") << status;
      EXPECT_EQ(all.reply.text, "a");
      ASSERT_EQ(all.notices.size(), 1U) << status;
      EXPECT_EQ(all.notices[0].kind, Notice::Kind::retry);
      EXPECT_EQ(all.notices[0].attempt, 1);
      EXPECT_EQ(all.notices[0].http_status, status);
      EXPECT_EQ(all.notices[0].delay, 1ms);
      EXPECT_EQ(received(0).body, received(1).body);
    }
  }
}

TEST_P(Provider, ItIsAskedThreeTimesAtMost) {
  serve({refused(503)});
  const std::size_t attempts = dialect().gaps().retries ? 1 : 3;
  const Read all = ask(true);
  EXPECT_EQ(all.outcome(), "server_error");
  EXPECT_EQ(all.notices.size(), attempts - 1);
  EXPECT_EQ(asked(), attempts);
  EXPECT_NE(all.what().find("(" + std::to_string(attempts) + " attempts)"), std::string::npos)
      << all.what();
}

TEST_P(Provider, WhatWouldFailAgainIsNotSentAgain) {
  for (const int status : {400, 403, 404, 413, 422}) {
    serve({refused(status)});
    EXPECT_NE(ask().outcome(), "ok");
    EXPECT_EQ(asked(), 1U) << status;
  }
}

TEST_P(Provider, AServerThatAsksForTooLongAWaitIsNotWaitedFor) {
  serve({refused(429, "later", {{"retry-after", "3600"}})});
  const Read all = ask();
  EXPECT_EQ(all.outcome(), "rate_limit");
  EXPECT_EQ(all.error->details().retry_after, 3600s);
  EXPECT_EQ(asked(), 1U);
}

TEST_P(Provider, AfterSomeTextNothingIsSentAgain) {
  serve({begun().chunk(up_to("half", says({"half", "more"}))).cut(), streamed(says({"again"}))});
  const Read all = ask(true);
  EXPECT_EQ(all.outcome(), "transport_error");
  EXPECT_EQ(all.reply.text, "half");
  EXPECT_TRUE(all.what().ends_with("the text above is incomplete")) << all.what();
  EXPECT_EQ(asked(), 1U);
}

// A stream that is cut, and then: the text that came, and how it ended; "again" if it would be sent
// once more.
struct Cut {
  std::string text{};
  bool has_usage = false;
  std::string outcome = "ok";
};
Cut read_cut(ReplyStream& stream) {
  Cut cut;
  Chunk chunk;
  Reply reply;
  try {
    for (Next next{}; (next = stream.try_next(chunk)) != Next::end;) {
      if (next == Next::pending) {
        stream.wait(Instant::max());
        continue;
      }
      const auto* notice = std::get_if<Notice>(&chunk.what);
      if (notice != nullptr && notice->kind == Notice::Kind::retry) {
        cut.outcome = "again";
        break;
      }
      add(reply, chunk);
    }
  } catch (const Error& error) {
    cut.outcome = to_string(error.code());
  }
  cut.text = reply.text;
  cut.has_usage = reply.usage && reply.usage->output_tokens;
  return cut;
}

// Where a stream is cut. A server that a client started itself is looked after when a connection
// breaks before anything was said, which takes its time: there one such place must do.
std::vector<std::size_t> places_to_cut(const Dialect& dialect, std::size_t first_piece,
                                       std::size_t size) {
  std::vector<std::size_t> places;
  for (std::size_t at = dialect.gaps().retries ? first_piece - 1 : 0; at < size; ++at)
    places.push_back(at);
  return places;
}

TEST_P(Provider, AStreamThatIsLostAtAnyByteKeepsItsTextAndIsNoAnswer) {
  const std::vector<std::string> said = pieces(says({"first ", "second"}));
  const std::string body = joined(said);
  std::size_t longest = 0;
  std::atomic<std::size_t> place{0};  // of the cut
  serve([&](const ReceivedRequest&) {
    return place == 0 ? begun().cut() : begun().chunk(body.substr(0, place)).cut();
  });
  for (const std::size_t at : places_to_cut(dialect(), said[0].size(), body.size())) {
    place = at;
    const Cut cut = read_cut(*start(chat(true)));
    ASSERT_TRUE(std::string_view("first second").starts_with(cut.text)) << at;
    ASSERT_GE(cut.text.size(), longest) << at;
    longest = cut.text.size();
    const bool may_be_again = cut.text.empty() && cut.outcome == "again";
    ASSERT_TRUE(may_be_again || cut.outcome == "transport_error") << at << ' ' << cut.outcome;
  }
  EXPECT_EQ(longest, 12U);
}

TEST_P(Provider, AStreamThatEndsWellBeforeItsEndIsNoAnswer) {
  const std::vector<std::string> said = pieces(says({"first ", "second"}));
  const std::string body = joined(said);
  std::atomic<std::size_t> place{0};  // of the end
  serve([&](const ReceivedRequest&) {
    return place == 0 ? begun().end() : stream_of(body.substr(0, place));
  });
  for (const std::size_t at : places_to_cut(dialect(), said[0].size(), body.size())) {
    place = at;
    const Cut cut = read_cut(*start(chat(true)));
    ASSERT_TRUE(std::string_view("first second").starts_with(cut.text)) << at;
    const bool all_but_the_mark = cut.outcome == "ok" && cut.text == "first second";
    const bool may_be_again = cut.text.empty() && cut.outcome == "again";
    ASSERT_TRUE(all_but_the_mark || may_be_again || cut.outcome == "transport_error")
        << at << ' ' << cut.outcome;
  }
}

TEST_P(Provider, APlainAnswerThatIsCutIsNoAnswer) {
  const std::string body = dialect().whole(Request::Kind::chat, says({"first second"}));
  const std::string head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
                           std::to_string(body.size()) + "\r\n\r\n";
  std::atomic<std::size_t> place{0};  // of the cut
  serve([&](const ReceivedRequest&) {
    return Script::raw().bytes(head + body.substr(0, place)).cut();
  });
  for (const std::size_t at : places_to_cut(dialect(), body.size(), body.size())) {
    place = at;
    const Cut cut = read_cut(*start(chat()));
    ASSERT_EQ(cut.text, "") << at;
    ASSERT_FALSE(cut.has_usage) << at;
    ASSERT_TRUE(cut.outcome == "again" || cut.outcome == "transport_error") << at << cut.outcome;
  }
}

TEST_P(Provider, AnAnswerThatIsShortByABraceIsNoAnswer) {
  std::string body = dialect().whole(Request::Kind::chat, says({"a"}));
  body.pop_back();
  serve({Script::answer(200, body, {{"content-type", "application/json"}})});
  const Cut cut = read_cut(*start(chat()));
  EXPECT_NE(cut.outcome, "ok");
  EXPECT_EQ(cut.text, "");
}

TEST_P(Provider, AListOfModelsThatIsNoneIsAParseError) {
  serve({Script::answer(200, "<html>")});
  EXPECT_EQ(failure_of_models(),
            dialect().gaps().model_lists ? "none: the server is not asked" : "parse_error");
}

TEST_P(Provider, ARefusedListOfModelsIsAnError) {
  serve({refused(403, "not for you")});
  EXPECT_EQ(failure_of_models(),
            dialect().gaps().model_lists ? "none: the server is not asked" : "auth: not for you");
}

}  // namespace
}  // namespace mellea::providers
