// The client against a server on loopback that does what the router, TGI and TEI do, and worse.
#include "mellea/backends/huggingface_backend.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "mellea/backends/read_for_test.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

using nlohmann::json;

const Headers kJson = {{"content-type", "application/json"}};
constexpr const char* kChat =
    R"({"id":"c1","model":"org/m","choices":[{"index":0,"message":{"content":"Paris"},)"
    R"("finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}})";

std::string generated(const std::string& text, int tokens = 2) {
  return R"({"generated_text":")" + text +
         R"(","details":{"finish_reason":"eos_token","generated_tokens":)" +
         std::to_string(tokens) + R"(,"seed":null,"prefill":[],"tokens":[]}})";
}

Script answer(std::string_view body, Headers head = kJson) {
  return Script::answer(200, body, head);
}

class HuggingFaceBackend : public testing::Test {
 protected:
  void serve(std::vector<Script> scripts) { server_.emplace(std::move(scripts)); }
  void serve(LoopbackServer::Handler handler) { server_.emplace(std::move(handler)); }

  // A server of texts or embeddings, or of OpenAI's protocol where `path` ends in /v1.
  void connect(std::string_view path = "", BackendOptions options = {}) {
    options.backend = "huggingface";
    options.base_url = server_->url(path);
    backend_ = make_backend(options, network_);
  }

  // The router, as the proxy that the server plays sees it.
  void connect_to_router(std::string_view path = "/v1") {
    backend_ = make_backend({.backend = "huggingface",
                             .base_url = "http://router.huggingface.co" + std::string(path),
                             .api_key = "hf_x",
                             .proxy = server_->url()},
                            network_);
  }

  Read ask(Request request) { return read(*backend_->start(std::move(request), {})); }
  Read chat(std::string model = "org/m") {
    return ask({.model = std::move(model), .messages = {{.text = "Hi"}}});
  }
  Read complete(std::vector<std::string> prompts, ModelOptions options = {}, bool stream = false) {
    return ask(completion(std::move(prompts), std::move(options), stream));
  }
  static Request completion(std::vector<std::string> prompts, ModelOptions options = {},
                            bool stream = false) {
    return {.kind = Request::Kind::completion,
            .prompts = std::move(prompts),
            .options = std::move(options),
            .stream = stream};
  }
  Read embed(std::vector<std::string> prompts, std::string model = "") {
    return ask({.kind = Request::Kind::embedding,
                .model = std::move(model),
                .prompts = std::move(prompts)});
  }
  std::string refusal(Request request) {
    try {
      static_cast<void>(backend_->start(std::move(request), {}));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  // Reads up to the first one.
  static Notice first_notice(ReplyStream& stream) {
    Chunk chunk;
    for (Next next{}; (next = stream.try_next(chunk)) != Next::end;) {
      if (next == Next::pending)
        stream.wait(Instant::max());
      else if (const auto* notice = std::get_if<Notice>(&chunk.what))
        return *notice;
    }
    return {};
  }

  ReceivedRequest request(std::size_t number = 0) const { return server_->requests().at(number); }
  std::string path(std::size_t number = 0) const { return request(number).path; }
  json body(std::size_t number = 0) const { return json::parse(request(number).body); }

  std::optional<LoopbackServer> server_;
  const std::shared_ptr<Network> network_ = make_network();
  std::shared_ptr<Backend> backend_;
};

TEST_F(HuggingFaceBackend, TheRouterIsAskedWithTheProviderInTheModelsName) {
  serve(
      {answer(kChat, {{"content-type", "application/json"}, {"x-inference-provider", "novita"}})});
  connect_to_router();
  const Read answered = chat("org/m:fastest");
  EXPECT_EQ(answered.what(), "");
  EXPECT_EQ(answered.reply.text, "Paris");
  EXPECT_EQ(answered.reply.response.metadata.text(), R"({"x-inference-provider":"novita"})");
  EXPECT_EQ(path(), "http://router.huggingface.co/v1/chat/completions");
  EXPECT_EQ(request().header("authorization"), "Bearer hf_x");
  EXPECT_EQ(body()["model"], "org/m:fastest");
  EXPECT_EQ(backend_->provider(), "huggingface");
  EXPECT_EQ(backend_->endpoint().address, "router.huggingface.co");
}

TEST_F(HuggingFaceBackend, TheRouterIsTheRouterHoweverItIsWritten) {
  for (const char* written : {"", "/", "/v1/"}) {
    serve({answer(kChat)});
    connect_to_router(written);
    EXPECT_EQ(chat().reply.text, "Paris") << written;
    EXPECT_EQ(path(), "http://router.huggingface.co/v1/chat/completions") << written;
  }
  EXPECT_EQ(
      make_backend({.backend = "huggingface", .api_key = "hf_x"}, network_)->endpoint().address,
      "router.huggingface.co");
}

TEST_F(HuggingFaceBackend, OfTheRouterTheOtherKindsGoWhereTheyAreKnown) {
  serve({answer(R"({"choices":[{"index":0,"text":"a","finish_reason":"stop"}]})"),
         answer("[[1,2],[3,4]]"), answer(R"({"data":[{"id":"a/b"},{"id":"c/d"}]})")});
  connect_to_router();
  Request texts = completion({"x"});
  texts.model = "org/m";
  EXPECT_EQ(ask(texts).reply.text, "a");
  EXPECT_EQ(path(0), "http://router.huggingface.co/v1/completions");
  EXPECT_EQ(embed({"x", "y"}, "BAAI/bge-small-en-v1.5:hf-inference").reply.embeddings.size(), 2U);
  EXPECT_EQ(path(1),
            "http://router.huggingface.co/hf-inference/models/BAAI/bge-small-en-v1.5/pipeline/"
            "feature-extraction");
  EXPECT_EQ(request(1).header("authorization"), "Bearer hf_x");
  EXPECT_EQ(backend_->models({}), (std::vector<std::string>{"a/b", "c/d"}));
  EXPECT_EQ(path(2), "http://router.huggingface.co/v1/models");
}

TEST_F(HuggingFaceBackend, AnEmbeddingOfTheRouterNeedsANameThatCanStandInAPath) {
  serve({answer("[[1]]")});
  connect_to_router();
  const auto why = [this](std::string model) {
    return refusal({.kind = Request::Kind::embedding, .model = std::move(model), .prompts = {"x"}});
  };
  EXPECT_EQ(why("a/b:nebius"),
            "huggingface: embeddings by nebius need the base URL "
            "https://router.huggingface.co/nebius/v1 and its own name of the model");
  EXPECT_EQ(why(""), "huggingface: no model given");
  for (const char* name : {"a/../b", "/a", "a/", "a?b", "a b", "a%2Fb", "a#b"})
    EXPECT_EQ(why(name), "huggingface: \"" + std::string(name) + "\" is no name of a model");
  EXPECT_EQ(server_->requests().size(), 0U);
}

TEST_F(HuggingFaceBackend, OneProviderBehindTheRouterSpeaksOpenAisProtocol) {
  serve({answer(R"({"choices":[{"index":0,"text":"a","finish_reason":"stop"}]})")});
  connect_to_router("/featherless-ai/v1");
  Request texts = completion({"x"});
  texts.model = "own-name";
  EXPECT_EQ(ask(texts).reply.text, "a");
  EXPECT_EQ(path(), "http://router.huggingface.co/featherless-ai/v1/completions");
}

TEST_F(HuggingFaceBackend, ATokenIsDemandedByTheRouterAndNobodyElse) {
  for (const char* url :
       {"", "https://router.huggingface.co/v1", "https://router.huggingface.co/novita/v1"}) {
    try {
      make_backend({.backend = "huggingface", .base_url = url}, network_);
      ADD_FAILURE() << url;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::auth);
      EXPECT_STREQ(error.what(), "huggingface: no token: set HF_TOKEN");
    }
    const Headers says_who = {{"Authorization", "Bearer hf_x"}};
    EXPECT_NO_THROW(
        make_backend({.backend = "huggingface", .base_url = url, .headers = says_who}, network_));
  }
  serve({answer(generated("a"))});
  connect();
  EXPECT_EQ(complete({"x"}).reply.text, "a");
  EXPECT_EQ(request().header("authorization"), "");
}

TEST_F(HuggingFaceBackend, AFileIsAModelOfThisMachineUnlessThereIsAServer) {
  try {
    make_backend({.backend = "huggingface", .model = "/nowhere/m.gguf"}, network_);
    ADD_FAILURE() << "there is no such file";
  } catch (const Error& error) {
    EXPECT_TRUE(std::string_view(error.what()).starts_with("local: ")) << error.what();
  }
  serve({answer(kChat)});
  connect("", {.model = "/nowhere/m.gguf"});
  EXPECT_EQ(chat("").reply.text, "Paris");
}

TEST_F(HuggingFaceBackend, AChatWithTgiIsOpenAisInItsDialect) {
  serve({answer(kChat)});
  connect();
  Request request{.messages = {{.text = "Hi"}},
                  .options = {.top_p = 1.0,
                              .top_k = 5,
                              .min_p = 0.1,
                              .max_tokens = 9,
                              .choices = 2,
                              .think = std::string("on"),
                              .parallel_tool_calls = true,
                              .user = std::string("me"),
                              .service_tier = std::string("flex")},
                  .tools = {{.name = "f"}}};
  request.format = Format{.schema = Json::parse(R"({"type":"array"})")};
  const Read answered = ask(request);
  EXPECT_EQ(answered.what(), "");
  EXPECT_EQ(answered.reply.text, "Paris");
  EXPECT_EQ(path(), "/v1/chat/completions");
  json sent = body();
  sent.erase("tools");
  EXPECT_EQ(sent, json::parse(R"({"model":"tgi","messages":[{"role":"user","content":"Hi"}],
                                  "response_format":{"type":"json","value":{"type":"array"}},
                                  "max_tokens":9})"));
  std::vector<std::string> ignored;
  for (const Notice& notice : answered.notices) ignored.push_back(notice.name);
  EXPECT_EQ(ignored, (std::vector<std::string>{"parallel_tool_calls", "top_k", "min_p", "choices",
                                               "user", "service_tier", "think"}));
}

TEST_F(HuggingFaceBackend, APromptIsTextThatTgiGoesOnWith) {
  serve({answer(generated("a"), {{"content-type", "application/json"},
                                 {"x-prompt-tokens", "5"},
                                 {"x-total-time", "12"},
                                 {"x-other", "no"}})});
  connect("", {.model = "org/m"});
  const Read answered = complete({"Once"}, {.max_tokens = 3});
  EXPECT_EQ(answered.what(), "");
  EXPECT_EQ(answered.reply.text, "a");
  EXPECT_EQ(answered.reply.usage, (Usage{.input_tokens = 5, .output_tokens = 2}));
  EXPECT_EQ(answered.reply.response.metadata.text(), R"({"x-total-time":"12"})");
  EXPECT_EQ(path(), "/generate");
  EXPECT_EQ(request().header("accept"), "application/json");
  EXPECT_EQ(request().body,
            R"({"inputs":"Once","parameters":{"max_new_tokens":3,"details":true}})");
}

TEST_F(HuggingFaceBackend, TextStreams) {
  const std::string stream =
      "data:{\"index\":1,\"token\":{\"id\":1,\"text\":\"A\",\"logprob\":-1,\"special\":false},"
      "\"generated_text\":null,\"details\":null}\n\n"
      "data:{\"index\":2,\"token\":{\"id\":2,\"text\":\"</s>\",\"logprob\":-1,\"special\":true},"
      "\"generated_text\":\"A\",\"details\":{\"finish_reason\":\"eos_token\","
      "\"generated_tokens\":2,\"seed\":null,\"input_length\":3}}\n\n";
  serve({Script::stream().chunks(stream, 7).end()});
  connect();
  const Read answered = complete({"Once"}, {}, true);
  EXPECT_EQ(answered.what(), "");
  EXPECT_EQ(answered.reply.text, "A");
  EXPECT_EQ(answered.reply.usage, (Usage{.input_tokens = 3, .output_tokens = 2}));
  EXPECT_EQ(path(), "/generate_stream");
  EXPECT_EQ(request().header("accept"), "text/event-stream");
}

TEST_F(HuggingFaceBackend, ManyPromptsAreManyRequestsPairedByIndex) {
  constexpr int kPrompts = 20;
  serve([](const ReceivedRequest& request) {
    const std::string prompt = json::parse(request.body)["inputs"];
    return answer(generated(prompt + "!", std::stoi(prompt)),
                  {{"content-type", "application/json"}, {"x-prompt-tokens", "1"}});
  });
  connect();
  std::vector<std::string> prompts;
  for (int i = 0; i < kPrompts; ++i) prompts.push_back(std::to_string(i));
  const Read answered = complete(prompts, {.user = std::string("me")});
  EXPECT_EQ(answered.what(), "");
  EXPECT_EQ(answered.reply.text, "0!");
  ASSERT_EQ(answered.reply.alternatives.size(), kPrompts - 1U);
  for (std::size_t i = 1; i < kPrompts; ++i)
    EXPECT_EQ(answered.reply.alternatives[i - 1].text, std::to_string(i) + '!');
  EXPECT_EQ(answered.reply.usage, (Usage{.input_tokens = 20, .output_tokens = 190}));
  EXPECT_EQ(answered.notices.size(), 1U) << "once, not for each request";
  EXPECT_LE(server_->connections(), 8);
}

TEST_F(HuggingFaceBackend, SeveralPromptsEachHaveTheirChoices) {
  serve([](const ReceivedRequest& request) {
    const std::string prompt = json::parse(request.body)["inputs"];
    return answer(R"({"generated_text":")" + prompt +
                  R"(1","details":{"best_of_sequences":[{"generated_text":")" + prompt +
                  R"(2"}]}})");
  });
  connect();
  const Read answered = complete({"a", "b"}, {.choices = 2});
  EXPECT_EQ(answered.what(), "");
  EXPECT_EQ(answered.reply.text, "a1");
  ASSERT_EQ(answered.reply.alternatives.size(), 3U);
  EXPECT_EQ(answered.reply.alternatives[0].text, "a2");
  EXPECT_EQ(answered.reply.alternatives[1].text, "b1");
  EXPECT_EQ(answered.reply.alternatives[2].text, "b2");
}

TEST_F(HuggingFaceBackend, EmbeddingsComeFromTei) {
  serve([](const ReceivedRequest& request) {
    json vectors = json::array();
    const json asked = json::parse(request.body);
    for (const json& text : asked["inputs"])
      vectors.push_back({std::stoi(text.get<std::string>())});
    return answer(vectors.dump(), {{"content-type", "application/json"},
                                   {"x-compute-tokens", std::to_string(vectors.size())}});
  });
  connect();
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i) texts.push_back(std::to_string(i));
  const Read answered = embed(texts);
  EXPECT_EQ(answered.what(), "");
  ASSERT_EQ(answered.reply.embeddings.size(), 40U);
  for (std::size_t i = 0; i < 40; ++i)
    EXPECT_EQ(answered.reply.embeddings[i].values, std::vector<float>{static_cast<float>(i)});
  EXPECT_EQ(answered.reply.usage, (Usage{.input_tokens = 40}));
  EXPECT_EQ(path(), "/embed");
  EXPECT_EQ(server_->requests().size(), 2U);
}

TEST_F(HuggingFaceBackend, AServerOfOneModelNamesIt) {
  serve({answer(R"({"model_id":"a/b","version":"3.3.5"})"), answer("[]")});
  connect("/behind/a/gateway/");
  EXPECT_EQ(backend_->models({}), std::vector<std::string>{"a/b"});
  EXPECT_EQ(path(), "/behind/a/gateway/info");
  EXPECT_THROW(backend_->models({}), Error);
}

TEST_F(HuggingFaceBackend, WhatEndsInV1SpeaksOpenAisProtocolOnly) {
  serve({answer(kChat), answer(R"({"choices":[{"index":0,"text":"a","finish_reason":"stop"}]})"),
         answer(R"({"data":[{"index":0,"embedding":[1]}]})"), answer(R"({"data":[{"id":"m"}]})")});
  connect("/e/v1", {.model = "m", .api_key = "hf_y"});
  EXPECT_EQ(chat().reply.text, "Paris");
  EXPECT_EQ(complete({"x"}, {.top_k = 3}).reply.text, "a");
  EXPECT_EQ(embed({"x"}).reply.embeddings.size(), 1U);
  EXPECT_EQ(backend_->models({}), std::vector<std::string>{"m"});
  EXPECT_EQ(path(0), "/e/v1/chat/completions");
  EXPECT_EQ(path(1), "/e/v1/completions");
  EXPECT_EQ(path(2), "/e/v1/embeddings");
  EXPECT_EQ(path(3), "/e/v1/models");
  EXPECT_EQ(request(3).header("authorization"), "Bearer hf_y");
  EXPECT_EQ(body(1)["top_k"], 3) << "such servers know more than TGI";
}

TEST_F(HuggingFaceBackend, AModelThatIsLoadingIsWaitedForAsLongAsItTakes) {
  const auto loading = [](const char* time) {
    return Script::answer(503, R"({"error":"Model a/b is currently loading","estimated_time":)" +
                                   std::string(time) + '}');
  };
  serve({loading("0.001"), answer(generated("a")), loading("300.9")});
  connect();
  const Read soon = complete({"x"});
  EXPECT_EQ(soon.what(), "");
  ASSERT_EQ(soon.notices.size(), 1U);
  EXPECT_EQ(soon.notices[0].kind, Notice::Kind::retry);
  EXPECT_EQ(soon.notices[0].delay, std::chrono::milliseconds(1));
  const Read late = complete({"x"});
  EXPECT_EQ(late.outcome(), "server_error");
  EXPECT_NE(late.what().find("(the server asks to wait 301 s)"), std::string::npos) << late.what();
}

TEST_F(HuggingFaceBackend, AnOverloadedServerIsAskedAgainHoweverItSaysSo) {
  const Headers soon = {{"retry-after-ms", "1"}};
  const std::string overloaded = R"({"error":"Model is overloaded","error_type":"overloaded"})";
  serve({Script::answer(429, overloaded, soon), answer(generated("a"))});
  connect();
  const Read plain = complete({"x"});
  EXPECT_EQ(plain.reply.text, "a");
  EXPECT_EQ(plain.notices.at(0).category, Errc::rate_limit);
  const std::string stream = "data:" + overloaded + "\n\n";
  serve({Script::stream().chunk(stream).end(), Script::stream().chunk(stream).end(),
         Script::stream().chunk(stream).end()});
  connect();
  Request request = completion({"x"}, {}, true);
  const auto reply = backend_->start(request, {});
  EXPECT_EQ(first_notice(*reply).category, Errc::rate_limit) << "in a stream of status 200 too";
}

TEST_F(HuggingFaceBackend, WhatNoRetryHelpsSaysWhatDoes) {
  serve({Script::answer(402, R"({"error":"You have exceeded your monthly included credits"})"),
         Script::answer(403, R"({"error":"Access to model a/b is restricted"})"),
         Script::answer(424, R"({"error":"Request failed during generation","error_type":)"
                             R"("generation"})"),
         Script::answer(401, R"({"error":"Invalid username or password."})")});
  connect_to_router();
  EXPECT_EQ(chat().outcome(), "rate_limit");
  EXPECT_TRUE(chat().what().ends_with(
      "403 auth: \"Access to model a/b is restricted\": check HF_TOKEN: it needs the permission to "
      "call inference providers, and access to the model"));
  EXPECT_EQ(chat().outcome(), "server_error");
  EXPECT_EQ(chat().outcome(), "auth");
  EXPECT_EQ(server_->requests().size(), 4U);
}

TEST_F(HuggingFaceBackend, OnePromptThatFailsFailsTheCallAndIsNamed) {
  serve([](const ReceivedRequest& request) {
    if (json::parse(request.body)["inputs"] != "b") return answer(generated("ok"));
    return Script::answer(422,
                          R"({"error":"Input validation error: `inputs` must have less than 10 )"
                          R"(tokens. Given: 20","error_type":"validation"})");
  });
  connect();
  const Read answered = complete({"a", "b", "c"});
  EXPECT_EQ(answered.outcome(), "context_length");
  EXPECT_TRUE(answered.what().ends_with("(request 2 of 3)")) << answered.what();
  EXPECT_EQ(answered.reply.text, "ok");
  EXPECT_EQ(answered.reply.usage, (Usage{.output_tokens = 2}));
}

TEST_F(HuggingFaceBackend, NothingIsSentOfABatchThatCannotBeWritten) {
  serve({answer(generated("a"))});
  connect();
  EXPECT_EQ(refusal(completion({"a", "\xFF"})),
            "huggingface: prompt 2: the text is not valid UTF-8");
  EXPECT_EQ(server_->requests().size(), 0U);
}

TEST_F(HuggingFaceBackend, CancelEndsAllRequestsOfABatch) {
  serve({Script::raw().hang()});
  connect();
  std::stop_source stop;
  const auto stream = backend_->start(completion({"a", "b", "c"}), stop.get_token());
  ASSERT_TRUE(server_->wait_for_requests(3));
  stop.request_stop();
  EXPECT_EQ(read(*stream).outcome(), "cancelled");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(server_->wait_for_close(i)) << i;
}

TEST_F(HuggingFaceBackend, ADroppedBatchClosesItsConnections) {
  serve({Script::raw().hang()});
  connect();
  auto stream = backend_->start(completion({"a", "b"}), {});
  ASSERT_TRUE(server_->wait_for_requests(2));
  stream.reset();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(server_->wait_for_close(i)) << i;
}

TEST_F(HuggingFaceBackend, TheWholeOfABatchHasOneDeadline) {
  serve([](const ReceivedRequest& request) {
    return json::parse(request.body)["inputs"] == "last" ? Script::raw().hang()
                                                         : answer(generated("a"));
  });
  connect();
  std::vector<std::string> prompts(9, "x");
  prompts.emplace_back("last");
  Request request = completion(prompts);
  request.limits.whole = std::chrono::milliseconds(50);
  const auto began = Instant::clock::now();
  const Read answered = ask(request);
  EXPECT_EQ(answered.outcome(), "timeout");
  EXPECT_LT(Instant::clock::now() - began, std::chrono::seconds(5));
}

TEST_F(HuggingFaceBackend, ABatchWhoseBackendIsGoneSaysSo) {
  serve({answer(generated("a"))});
  connect();
  const auto stream = backend_->start(completion(std::vector<std::string>(9, "x")), {});
  backend_.reset();
  const Read answered = read(*stream);
  EXPECT_EQ(answered.what(), "huggingface: the backend is gone (request 9 of 9)");
  EXPECT_EQ(answered.outcome(), "shutdown");
}

TEST_F(HuggingFaceBackend, ATokenIsNeverInAMessage) {
  serve({Script::answer(401, R"({"error":"no"})"), answer("nope")});
  connect("", {.api_key = "hf_secret"});
  for (int i = 0; i < 2; ++i) {
    const Read answered = complete({"x"});
    EXPECT_NE(answered.outcome(), "ok");
    EXPECT_EQ(answered.what().find("hf_secret"), std::string::npos);
  }
}

TEST(HuggingFaceHosts, ATokenMayGoToItsOwnServersOnly) {
  for (const char* url : {"https://router.huggingface.co/v1", "https://huggingface.co",
                          "https://x1.eu-west-1.aws.endpoints.huggingface.cloud/v1"})
    EXPECT_TRUE(is_run_by_huggingface(url)) << url;
  for (const char* url :
       {"http://router.huggingface.co/v1", "https://nothuggingface.co", "http://127.0.0.1:8080",
        "https://huggingface.co.evil.example", "https://me-app.hf.space",
        "https://huggingface.cloud", "huggingface.co", "", "https://huggingface.co@evil.example/"})
    EXPECT_FALSE(is_run_by_huggingface(url)) << url;
}

}  // namespace
}  // namespace mellea
