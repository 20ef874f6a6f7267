// docs/providers.md says what each provider can be asked for. The table there is what this test
// finds: each feature is asked of each client, and what goes out is looked at.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <set>
#include <utility>

#include "dialect.h"
#include "mellea/backends/read_for_test.h"

namespace mellea::providers {
namespace {

// A client, and a server that answers it and keeps what it was asked.
class Asked {
 public:
  explicit Asked(std::shared_ptr<const Dialect> dialect)
      : dialect_(std::move(dialect)), server_([this](const ReceivedRequest& request) {
          if (std::optional<Script> aside = dialect_->aside(request)) return std::move(*aside);
          const std::lock_guard lock(mutex_);
          sent_.insert(request.path + ' ' + request.body);
          return answer_to(dialect_->read(request));
        }) {
    BackendOptions options = dialect_->client(server_);
    options.api_key = "key";
    backend_ = make_backend(options, network_);
  }

  // What becomes of what `request` has more than `less`.
  std::string what_becomes(const Request& request, const Request& less) {
    try {
      const auto [with, all] = sent_for(request);
      for (const Notice& notice : all.notices)
        if (notice.kind == Notice::Kind::option_ignored) return "told";
      return with == sent_for(less).first ? "DROPPED" : "yes";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::invalid_request) << error.what();
      return "refused";
    }
  }

 private:
  using Sent = std::multiset<std::string>;  // a batch has no order

  Script answer_to(const Request& request) const {
    Answer answer;
    for (std::size_t i = 0; i < std::max<std::size_t>(1, request.prompts.size()); ++i) {
      const int index = static_cast<int>(i);
      if (request.kind == Request::Kind::embedding)
        answer.push_back({.index = index, .what = Embedding{{1}}});
      else
        answer.push_back({.index = index, .what = std::string("a")});
      answer.push_back({.index = index, .what = Finish{"stop"}});
    }
    return request.stream ? streamed_answer(*dialect_, request.kind, answer)
                          : whole_answer(*dialect_, request.kind, answer);
  }

  std::pair<Sent, Read> sent_for(const Request& request) {
    {
      const std::lock_guard lock(mutex_);
      sent_.clear();
    }
    Read all = read(*backend_->start(request, {}));
    EXPECT_EQ(all.what(), "");
    const std::lock_guard lock(mutex_);
    return {sent_, std::move(all)};
  }

  std::mutex mutex_;
  Sent sent_;  // guarded by mutex_
  const std::shared_ptr<const Dialect> dialect_;
  const std::shared_ptr<Network> network_ = make_network();
  LoopbackServer server_;
  std::shared_ptr<Backend> backend_;
};

struct Feature {
  std::string name{};
  Request less{};  // without it
  std::function<void(Request&)> add{};
};

Request chat() { return {.model = "m", .messages = {{.text = "Hi"}}}; }

Request with_tools() {
  Request request = chat();
  request.tools = {{.name = "f", .description = "does it"}};
  return request;
}

Request of_kind(Request::Kind kind, bool other = false) {
  return {.kind = kind, .model = "m", .prompts = {other ? "b" : "a"}};
}

Feature option(std::string_view name, std::string_view value, Request less = chat()) {
  return {"`" + std::string(name) + '`' + (name == "think" ? " " + std::string(value) : ""),
          std::move(less),
          [name, value](Request& request) { set_option(request.options, name, value); }};
}

std::vector<Feature> features() {
  using Kind = Request::Kind;
  const Format format{.name = "answer", .schema = Json::parse(R"({"type":"object"})")};
  const auto choose = [](ToolChoice choice) {
    return [choice](Request& request) { request.tool_choice = choice; };
  };
  const auto say_one_more = [](Message message) {
    return [message](Request& request) { request.messages.push_back(message); };
  };
  const auto ask_twice = [](Request& request) { request.prompts = {"a", "b"}; };
  const auto stream = [](Request& request) { request.stream = true; };
  const auto ask_a = [](Request& request) { request.prompts = {"a"}; };
  return {
      {"chat", chat(), say_one_more({.text = "more"})},
      {"chat, streamed", chat(), stream},
      {"completion", of_kind(Kind::completion, true), ask_a},
      {"completion, streamed", of_kind(Kind::completion), stream},
      {"completion, several prompts", of_kind(Kind::completion), ask_twice},
      {"embeddings", of_kind(Kind::embedding, true), ask_a},
      {"embeddings, several prompts", of_kind(Kind::embedding), ask_twice},
      {"tools", chat(), [](Request& request) { request.tools = with_tools().tools; }},
      {"tool choice `none`", with_tools(), choose({.mode = ToolChoice::Mode::none})},
      {"tool choice `required`", with_tools(), choose({.mode = ToolChoice::Mode::required})},
      {"tool choice by name", with_tools(), choose({.mode = ToolChoice::Mode::named, .name = "f"})},
      {"history of tool calls", chat(),
       say_one_more({.role = Message::Role::assistant, .tool_calls = {{"c", "f", "{}"}}})},
      {"format: a schema", chat(), [format](Request& request) { request.format = format; }},
      {"format: any JSON object", chat(), [](Request& request) { request.format = Format{}; }},
      {"format of a completion", of_kind(Kind::completion),
       [format](Request& request) { request.format = format; }},
      {"image in the request", chat(),
       say_one_more({.text = "?", .images = {{.url = "data:image/png;base64,AAAA"}}})},
      {"image by its URL", chat(),
       say_one_more({.text = "?", .images = {{.url = "https://h/cat.png"}}})},
      {"sound", chat(), say_one_more({.text = "?", .audio = {{.data = "AAAA", .format = "wav"}}})},
      option("temperature", "0.5"),
      option("top_p", "0.5"),
      option("top_k", "5"),
      option("min_p", "0.5"),
      option("frequency_penalty", "0.5"),
      option("presence_penalty", "0.5"),
      option("max_tokens", "5"),
      option("context_window", "4096"),
      option("seed", "5"),
      option("stop", "END"),
      option("choices", "2"),
      option("logprobs", "true"),
      option("top_logprobs", "2"),
      option("think", "low"),
      option("think", "on"),
      option("think", "off"),
      option("parallel_tool_calls", "false", with_tools()),
      option("user", "me"),
      option("service_tier", "flex"),
      {"`extra`", chat(),
       [](Request& request) { request.options.extra = Json::parse(R"({"x":1})"); }},
  };
}

// What the suite finds in answers.
std::vector<std::pair<std::string, bool Gaps::*>> told_in_answers() {
  return {{"told: id of the answer", &Gaps::ids},
          {"told: total of the tokens", &Gaps::total_tokens},
          {"told: tokens cached, tokens thought", &Gaps::token_details},
          {"told: refusals apart from text", &Gaps::refusals}};
}

std::string table() {
  const auto dialects = all_dialects();
  std::vector<std::unique_ptr<Asked>> all;
  std::string table = "| |", line = "|---|";
  for (const auto& dialect : dialects) {
    all.push_back(std::make_unique<Asked>(dialect));
    table += ' ' + dialect->title() + " |";
    line += "---|";
  }
  table += '\n' + line + '\n';
  for (const Feature& feature : features()) {
    Request request = feature.less;
    feature.add(request);
    table += "| " + feature.name + " |";
    for (const auto& asked : all) table += ' ' + asked->what_becomes(request, feature.less) + " |";
    table += '\n';
  }
  for (const auto& [name, gap] : told_in_answers()) {
    table += "| " + name + " |";
    for (const auto& dialect : dialects) table += dialect->gaps().*gap ? " no |" : " yes |";
    table += '\n';
  }
  return table;
}

TEST(Capabilities, AreWhatTheDocumentSays) {
  std::ifstream in(MELLEA_SOURCE_DIR "/docs/providers.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  const std::string found = table();
  EXPECT_EQ(found.find("DROPPED"), std::string::npos) << "asked for, and neither sent nor told";
  EXPECT_NE(page.find("\n\n" + found + '\n'), std::string::npos)
      << "docs/providers.md has another table than this:\n\n"
      << found;
}

// A new option needs a line above: this does not compile with one more.
TEST(Capabilities, AreAskedForEveryOption) {
  ModelOptions options;
  [[maybe_unused]] const auto& [temperature, top_p, top_k, min_p, frequency_penalty,
                                presence_penalty, max_tokens, seed, stop, choices, logprobs,
                                top_logprobs, think, parallel_tool_calls, user, service_tier, extra,
                                context_window] = options;
  Request request = chat();
  for (const Feature& feature : features()) feature.add(request);
  EXPECT_EQ(names_of_set(request.options).size(), 17U);
  EXPECT_TRUE(request.options.extra);
}

}  // namespace
}  // namespace mellea::providers
