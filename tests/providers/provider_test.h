// What the tests of all providers share: a client of the library's, and a server that speaks the
// provider's protocol as it is told.
//
// Behaviours are TEST_P(Provider, ...) in several files; they run once for each dialect.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "dialect.h"
#include "mellea/backends/read_for_test.h"

namespace mellea::providers {

// Goes with an answer that may be asked for again at once.
inline const Headers kSoon = {{"retry-after-ms", "1"}};
// The key that clients are given: in requests only.
inline constexpr std::string_view kKey = "canary-of-a-key";

// Names, finish and usage as a good answer has them, after `said`.
Answer ended(Answer said, std::string finish = "stop");
Answer says(std::initializer_list<std::string> pieces);
Chunk text(std::string text, int index = 0);

// What of the messages all protocols carry, to be compared.
std::string shown(const std::vector<Message>& messages);
// Arguments as JSON is written without blanks.
std::string shown(const ToolCall& call);

// For the names of tests.
void PrintTo(const std::shared_ptr<const Dialect>& dialect, std::ostream* out);

std::string joined(const std::vector<std::string>& pieces);
bool is_utf8(std::string_view text);

class Provider : public testing::TestWithParam<std::shared_ptr<const Dialect>> {
 protected:
  const Dialect& dialect() const { return *GetParam(); }

  // What the server does to requests for answers, in the order of arrival; the last one is for all
  // that follow. Connects the client anew.
  void serve(std::vector<Script> scripts);
  void serve(std::function<Script(const ReceivedRequest&)> script);
  void connect(BackendOptions changes = {});

  Script whole(const Answer& answer, Request::Kind kind = Request::Kind::chat) const;
  Script streamed(const Answer& answer, Request::Kind kind = Request::Kind::chat) const;
  Script stream_of(std::string_view body) const;  // and a good end
  Script begun() const;                           // the head of a stream
  Script refused(int status, std::string_view message = "it burnt", Headers headers = kSoon) const;
  std::vector<std::string> pieces(const Answer& answer) const;  // of a streamed chat
  // The beginning of a stream, to the piece that has `word` in it.
  std::string up_to(std::string_view word, const Answer& answer) const;

  static Request chat(bool stream = false);
  static Request batch(Request::Kind kind, std::vector<std::string> prompts);
  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop = {});
  Read ask(Request request);
  Read ask(bool stream = false) { return ask(chat(stream)); }
  // The same answer, plain and streamed.
  std::vector<Read> ask_both(const Answer& answer);
  // The category and the provider's message, if it has one, of the Error that models() throws.
  std::string failure_of_models();
  // Expects a refusal before anything is sent, in words that have `words`.
  void expect_refusal(Request request, std::string_view words);

  // Reads until `done` says so of what was read. Throws what the stream throws.
  static Reply read_until(ReplyStream& stream, const std::function<bool(const Reply&)>& done);
  // Reads until there is a notice of a retry; false if the stream ends before.
  static bool read_to_retry(ReplyStream& stream);

  // Requests for answers, counted from 0; of others there may be more.
  std::size_t asked() const;
  ReceivedRequest received(std::size_t index = 0) const;
  Request sent(std::size_t index = 0) const { return dialect().read(received(index)); }
  // Keeps `stream` going meanwhile, as a reader does: what must come before a request (a token, a
  // server that starts) is awaited by whoever reads. False if it takes too long.
  bool wait_for_asked(std::size_t count, ReplyStream& stream) const;
  bool wait_for_close(std::size_t index) const;

  const std::shared_ptr<Network> network_ = make_network();
  std::optional<LoopbackServer> server_;
  std::shared_ptr<Backend> backend_;

 private:
  // What was asked for; the threads of the server and of the network come to it too.
  struct Asked {
    std::mutex mutex{};
    std::condition_variable changed{};
    std::vector<ReceivedRequest> requests{};  // guarded by mutex, as all below
    std::vector<std::size_t> places{};        // of these among requests of any kind
    std::size_t seen = 0;                     // of any kind
  };
  std::shared_ptr<Asked> asked_ = std::make_shared<Asked>();
};

}  // namespace mellea::providers
