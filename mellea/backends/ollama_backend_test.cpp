// The client against a server on loopback that does what Ollama does, and worse.
#include "mellea/backends/ollama_backend.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "mellea/backends/read_for_test.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

const Headers kSoon = {{"retry-after-ms", "1"}};

std::string says(const std::string& text) {
  return R"({"model":"m","message":{"role":"assistant","content":")" + text +
         "\"},\"done\":false}\n";
}

const std::string kDone = R"({"model":"m","message":{"role":"assistant","content":""},"done":true,)"
                          R"("done_reason":"stop","prompt_eval_count":7,"eval_count":3})"
                          "\n";
const std::string kWhole =
    R"({"model":"m","message":{"role":"assistant","content":"Paris."},"done":true,)"
    R"("done_reason":"stop"})";

Script whole() {
  return Script::answer(200, kWhole, {{"content-type", "application/json; charset=utf-8"}});
}
Script stream_of(const std::string& body) { return Script::stream().chunk(body).end(); }
Script busy(int status) {
  return Script::answer(status, R"({"error":"server busy, please try again"})", kSoon);
}

class OllamaBackend : public testing::Test {
 protected:
  void serve(std::vector<Script> scripts) {
    server_.emplace(std::move(scripts));
    connect({});
  }

  void connect(BackendOptions options) {
    options.backend = "ollama";
    options.base_url = "127.0.0.1:" + std::to_string(server_->port());
    backend_ = make_backend(options, network_);
  }

  std::unique_ptr<ReplyStream> start(bool stream = true, std::stop_token stop = {}) {
    return backend_->start({.model = "m", .messages = {{.text = "Hi"}}, .stream = stream},
                           std::move(stop));
  }

  Read ask(bool stream = true) { return read(*start(stream)); }

  std::optional<LoopbackServer> server_;
  const std::shared_ptr<Network> network_ = make_network();
  std::shared_ptr<Backend> backend_;
};

TEST_F(OllamaBackend, AsksAndIsAnswered) {
  serve({whole()});
  const Read all = ask(false);
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "Paris.");
  const ReceivedRequest sent = server_->requests().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.path, "/api/chat");
  EXPECT_EQ(sent.header("authorization"), "");
  EXPECT_EQ(sent.header("content-type"), "application/json");
  EXPECT_EQ(sent.header("accept"), "application/json");
  EXPECT_EQ(sent.body,
            R"({"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":false})");
  EXPECT_EQ(backend_->endpoint().address, "127.0.0.1");
  EXPECT_EQ(backend_->endpoint().port, server_->port());
  EXPECT_EQ(backend_->provider(), "ollama");
}

TEST_F(OllamaBackend, StreamsHoweverTheServerWrites) {
  const std::string body = says("sm\xC3\xB8r") + says("{\\n}") + kDone;
  serve({stream_of(body), Script::stream().chunks(body, 1).end(),
         Script::stream().chunks(body, body.size() / 2).end()});
  for (int i = 0; i < 3; ++i) {
    const Read all = ask();
    EXPECT_EQ(all.what(), "");
    EXPECT_EQ(all.reply.text, "sm\xC3\xB8r{\n}");
    EXPECT_EQ(all.reply.usage, (Usage{.input_tokens = 7, .output_tokens = 3}));
  }
  EXPECT_EQ(server_->requests().at(0).header("accept"), "application/x-ndjson");
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(OllamaBackend, AKeyAndTheModelOfTheOptionsAreSent) {
  serve({whole()});
  connect({.model = "granite4:micro", .api_key = "secret"});
  read(*backend_->start({.messages = {{.text = "Hi"}}}, {}));
  const ReceivedRequest sent = server_->requests().at(0);
  EXPECT_EQ(sent.header("authorization"), "Bearer secret");
  EXPECT_TRUE(sent.body.starts_with(R"({"model":"granite4:micro",)")) << sent.body;
}

TEST_F(OllamaBackend, ABusyServerIsAskedAgain) {
  serve({busy(503), whole(), busy(429), busy(500), stream_of(says("Paris.") + kDone)});
  const Read plain = ask(false);
  EXPECT_EQ(plain.reply.text, "Paris.");
  ASSERT_EQ(plain.notices.size(), 1U);
  EXPECT_EQ(plain.notices[0].kind, Notice::Kind::retry);
  EXPECT_EQ(plain.notices[0].http_status, 503);
  const Read streamed = ask();
  EXPECT_EQ(streamed.reply.text, "Paris.");
  EXPECT_EQ(streamed.notices.size(), 2U);
  EXPECT_EQ(server_->requests().size(), 5U);
}

TEST_F(OllamaBackend, AModelThatIsNotThereCanBePulled) {
  serve({Script::answer(404, R"({"error":"model 'm' not found"})"),
         Script::answer(404, "404 page not found")});
  const std::string where = "ollama: POST " + server_->url("/api/chat");
  Read all = ask();
  EXPECT_EQ(all.outcome(), "not_found");
  EXPECT_EQ(all.what(), where +
                            ": 404 not_found: \"model 'm' not found\": is it there? (ollama "
                            "pull m)");
  EXPECT_EQ(ask().what(), where +
                              ": 404 not_found: \"404 page not found\": check the model's "
                              "name and the base URL");
}

TEST_F(OllamaBackend, WhatAModelCannotDoIsToldWithTheWayOut) {
  serve({Script::answer(400, R"({"error":"registry.ollama.ai/library/m does not support tools"})"),
         Script::answer(400, R"({"error":"\"m\" does not support thinking"})"),
         Script::answer(400,
                        R"({"error":"prompt too long; exceeded max context length by 9 tokens"})"),
         Script::answer(401, R"({"error":"unauthorized","signin_url":"https://h"})")});
  Read all = ask();
  EXPECT_EQ(all.outcome(), "invalid_request");
  EXPECT_TRUE(all.what().ends_with(": leave out the tools, or take a model that knows them"));
  EXPECT_TRUE(ask().what().ends_with(": leave out the option think, or take a model that thinks"));
  EXPECT_EQ(ask().outcome(), "context_length");
  all = ask();
  EXPECT_EQ(all.outcome(), "auth");
  EXPECT_TRUE(all.what().ends_with("\"unauthorized\": check OLLAMA_API_KEY")) << all.what();
}

TEST_F(OllamaBackend, AnErrorInTheStreamKeepsTheText) {
  serve({stream_of(says("half") + "{\"error\":\"the runner has stopped\"}\n")});
  const Read all = ask();
  EXPECT_EQ(all.reply.text, "half");
  EXPECT_EQ(all.outcome(), "server_error");
  EXPECT_NE(all.what().find("\"the runner has stopped\""), std::string::npos);
  EXPECT_EQ(server_->requests().size(), 1U);
}

TEST_F(OllamaBackend, AStreamWithoutItsEndIsAnError) {
  serve({stream_of(says("a") + says("b")), Script::stream().chunk(says("half")).cut()});
  const Read unmarked = ask();
  EXPECT_EQ(unmarked.reply.text, "ab");
  EXPECT_EQ(unmarked.outcome(), "transport_error");
  const Read lost = ask();
  EXPECT_EQ(lost.reply.text, "half");
  EXPECT_EQ(lost.outcome(), "transport_error");
  EXPECT_TRUE(lost.what().ends_with("the text above is incomplete")) << lost.what();
  EXPECT_EQ(server_->requests().size(), 2U);
}

TEST_F(OllamaBackend, AStopRequestAndACancelEndAStream) {
  serve({Script::stream().chunk(says("a")).hang()});
  std::stop_source source;
  const auto stopped = start(true, source.get_token());
  const auto cancelled = start();
  ASSERT_TRUE(server_->wait_for_requests(2));
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_EQ(read(*stopped).outcome(), "cancelled");
  cancelled->cancel();
  EXPECT_EQ(read(*cancelled).outcome(), "cancelled");
  EXPECT_TRUE(server_->wait_for_close(0));
  EXPECT_TRUE(server_->wait_for_close(1));
}

TEST_F(OllamaBackend, CallsOfTwoRepliesHaveIdsOfTheirOwn) {
  serve(
      {Script::answer(200, R"({"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}},)"
                           R"({"function":{"name":"f","arguments":{}}}]},"done":true})")});
  const std::vector<ToolCall> first = ask(false).reply.tool_calls;
  const std::vector<ToolCall> second = ask(false).reply.tool_calls;
  ASSERT_EQ(first.size(), 2U);
  ASSERT_EQ(second.size(), 2U);
  EXPECT_TRUE(first[0].id.starts_with("call_"));
  EXPECT_LE(first[0].id.size(), 40U);
  EXPECT_NE(first[0].id, first[1].id);
  EXPECT_NE(first[0].id, second[0].id);
}

TEST_F(OllamaBackend, EachPromptOfABatchIsARequest) {
  server_.emplace([](const ReceivedRequest& request) {
    const std::string prompt = nlohmann::json::parse(request.body)["prompt"];
    if (prompt == "long") return Script::answer(400, R"({"error":"exceeded max context length"})");
    return Script::answer(200, R"({"model":"m","response":"after )" + prompt +
                                   R"(","done":true,"done_reason":"stop","eval_count":2)" +
                                   (prompt == "a" ? "}" : R"(,"prompt_eval_count":3})"));
  });
  connect({});
  Request asked{.kind = Request::Kind::completion, .model = "m", .prompts = {"a", "b", "c"}};
  const Read all = read(*backend_->start(asked, {}));
  EXPECT_EQ(all.what(), "");
  EXPECT_EQ(all.reply.text, "after a");
  ASSERT_EQ(all.reply.alternatives.size(), 2U);
  EXPECT_EQ(all.reply.alternatives[0].text, "after b");
  EXPECT_EQ(all.reply.alternatives[1].text, "after c");
  EXPECT_EQ(all.reply.finish_reasons.size(), 3U);
  EXPECT_EQ(all.reply.usage, Usage{.output_tokens = 6}) << "of one prompt nothing was told";
  EXPECT_EQ(server_->requests().size(), 3U);
  EXPECT_EQ(server_->requests().at(0).path, "/api/generate");

  asked.prompts = {"a", "long", "c"};
  const Read failed = read(*backend_->start(asked, {}));
  EXPECT_EQ(failed.outcome(), "context_length");
  EXPECT_TRUE(failed.what().ends_with("(request 2 of 3)")) << failed.what();
  EXPECT_EQ(failed.reply.text, "after a");
}

TEST_F(OllamaBackend, EmbedsEachPrompt) {
  serve({Script::answer(200, R"({"model":"e","embeddings":[[1],[2]],"prompt_eval_count":4})"),
         Script::answer(200, R"({"embeddings":[[1]]})")});
  const Request asked{.kind = Request::Kind::embedding, .model = "e", .prompts = {"a", "b"}};
  const Read both = read(*backend_->start(asked, {}));
  EXPECT_EQ(both.what(), "");
  ASSERT_EQ(both.reply.embeddings.size(), 2U);
  EXPECT_EQ(both.reply.embeddings[1].values, std::vector<float>{2});
  EXPECT_EQ(both.reply.usage, Usage{.input_tokens = 4});
  EXPECT_EQ(server_->requests().at(0).path, "/api/embed");
  EXPECT_EQ(read(*backend_->start(asked, {})).outcome(), "parse_error");
}

TEST_F(OllamaBackend, TellsWhichModelsTheServerHas) {
  serve({Script::answer(200, R"({"models":[{"name":"granite4:micro","model":"granite4:micro"},)"
                             R"({"name":"llama3.2:3b"}]})")});
  EXPECT_EQ(backend_->models({}), (std::vector<std::string>{"granite4:micro", "llama3.2:3b"}));
  EXPECT_EQ(server_->requests().at(0).method, "GET");
  EXPECT_EQ(server_->requests().at(0).path, "/api/tags");
}

TEST_F(OllamaBackend, AServerThatIsNotThereCanBeStarted) {
  serve({whole()});
  const std::string where = "127.0.0.1:" + std::to_string(server_->port());
  server_.reset();
  Request request{.model = "m", .messages = {{.text = "Hi"}}};
  request.limits.whole = std::chrono::milliseconds(300);  // too soon for another attempt
  const Read all = read(*backend_->start(request, {}));
  EXPECT_EQ(all.outcome(), "transport_error");
  EXPECT_EQ(all.what(), "ollama: connect to " + where + ": refused: is it running? (ollama serve)");
}

class OllamaPull : public OllamaBackend {
 protected:
  // Pulls that model; what was told on the way, one line each, and the error.
  std::string pull(std::string model, std::stop_token stop = {}) {
    std::string told;
    const auto number = [](const std::optional<std::int64_t>& bytes) {
      return bytes ? ' ' + std::to_string(*bytes) : " -";
    };
    try {
      pull_ollama_model(
          {.model = std::move(model), .base_url = server_->url()}, network_,
          [&](const PullProgress& at) {
            told += at.status + '|' + at.digest + number(at.completed) + number(at.total) + '\n';
          },
          std::move(stop));
    } catch (const Error& error) {
      told += std::string(to_string(error.code())) + ' ' + error.what();
    }
    return told;
  }

  Script tags_ = Script::answer(200, R"({"models":[{"name":"here:latest"},{"name":"r/two:3b"}]})");
};

TEST_F(OllamaPull, TellsHowFarItIs) {
  serve({tags_, stream_of("{\"status\":\"pulling manifest\"}\n"
                          "{\"status\":\"pulling aa\",\"digest\":\"sha256:aa\",\"total\":9}\n"
                          "{\"status\":\"pulling aa\",\"digest\":\"sha256:aa\",\"total\":9,"
                          "\"completed\":9}\n"
                          "{\"status\":\"success\"}\n")});
  EXPECT_EQ(pull("there"),
            "pulling manifest| - -\n"
            "pulling aa|sha256:aa - 9\n"
            "pulling aa|sha256:aa 9 9\n"
            "success| - -\n");
  const ReceivedRequest sent = server_->requests().at(1);
  EXPECT_EQ(sent.path, "/api/pull");
  EXPECT_EQ(sent.body, R"({"model":"there:latest"})");
}

TEST_F(OllamaPull, WhatIsThereIsNotFetched) {
  serve({tags_});
  for (const char* model : {"here", "here:latest", "r/two:3b"}) EXPECT_EQ(pull(model), "") << model;
  EXPECT_EQ(server_->requests().size(), 3U);
  EXPECT_EQ(pull(""), "invalid_request ollama: no model given to pull");
}

TEST_F(OllamaPull, AModelThatNobodyHasIsNotFound) {
  serve({tags_, stream_of("{\"status\":\"pulling manifest\"}\n"
                          "{\"error\":\"pull model manifest: file does not exist\"}\n")});
  EXPECT_EQ(pull("h:1"),
            "pulling manifest| - -\nnot_found ollama: POST " + server_->url("/api/pull") +
                ": the server gave up: not_found: \"pull model manifest: file does not exist\": "
                "check the model's name and the base URL");
}

TEST_F(OllamaPull, WithoutItsEndItIsNoModel) {
  const std::string begun = "{\"status\":\"pulling manifest\"}\n";
  serve({tags_, stream_of(begun), tags_, stream_of(begun + "{\"status\":\"succ"), tags_,
         stream_of("[]\n")});
  const std::string lost = "pulling manifest| - -\ntransport_error ";
  EXPECT_TRUE(pull("m").starts_with(lost));
  EXPECT_TRUE(pull("m").starts_with(lost));
  EXPECT_TRUE(pull("m").starts_with("parse_error "));
}

TEST_F(OllamaPull, AStopRequestEndsIt) {
  serve({tags_, Script::stream().chunk("{\"status\":\"pulling manifest\"}\n").hang()});
  std::stop_source source;
  std::jthread stopper([&] {
    if (server_->wait_for_requests(2)) source.request_stop();
  });
  EXPECT_NE(pull("m", source.get_token()).find("cancelled"), std::string::npos);
  EXPECT_TRUE(server_->wait_for_close(1));
}

TEST(OllamaUrl, FollowsTheRulesOfOllamaHost) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {"", "http://127.0.0.1:11434"},
      {"  ", "http://127.0.0.1:11434"},
      {"gpu-box", "http://gpu-box:11434"},
      {"gpu-box:80", "http://gpu-box:80"},
      {" gpu-box:80/ollama/ ", "http://gpu-box:80/ollama/"},
      {"gpu-box/ollama", "http://gpu-box:11434/ollama"},
      {":4000", "http://127.0.0.1:4000"},
      {"::1", "http://[::1]:11434"},
      {"[::1]", "http://[::1]:11434"},
      {"[::1]:80", "http://[::1]:80"},
      {"me:secret@h", "http://me:secret@h:11434"},
      {"http://h", "http://h"},
      {"https://ollama.com/", "https://ollama.com/"},
      {"0.0.0.0", "http://127.0.0.1:11434"},
      {"0.0.0.0:4000", "http://127.0.0.1:4000"},
      {"http://me@0.0.0.0:80/x", "http://me@127.0.0.1:80/x"},
      {"::", "http://[::1]:11434"},
      {"http://[::]:80", "http://[::1]:80"},
      {"0.0.0.0.example", "http://0.0.0.0.example:11434"},
  };
  for (const auto& [setting, url] : cases) EXPECT_EQ(ollama_url(setting), url) << setting;
}

TEST(OllamaUrl, WhatIsNoneIsRefused) {
  for (const char* setting : {"ftp://h", "h:port", "http://", "a b"}) {
    EXPECT_THROW(make_backend({.backend = "ollama", .base_url = setting}, make_network()), Error)
        << setting;
  }
  EXPECT_EQ(make_backend({.backend = "ollama"}, make_network())->endpoint().port, 11434);
}

}  // namespace
}  // namespace mellea
