// A program that does what llama-server does, as far as its clients see, and what it should not.
// It is told in --fake=WORD arguments, or in the variable FAKE_LLAMA (words with commas between):
//
//   tell=FIFO       "run N PID" at its start, "asked N PATH" for each request of a client
//   runs=FILE       counts its runs there; without it each one is run 1
//   healthy=FIFO    not before something was written there
//   unhealthy       never
//   not-mine        refuses its key, as the server of somebody else
//   no-port=N       in the first N runs finds its port taken
//   no-model=N      from the run N on can't load its model
//   hang=N          in the runs up to N answers nothing but health
//   half=N          in the runs up to N answers half
//   deaf            does not end when asked to
//
// Its answer to a chat is the last message, in two pieces if it streams; or, where a schema is
// demanded, the least that is of it.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>

#include "mellea/core/descriptor.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {
namespace {

// The values of the arguments, by their names; the words of --fake beside them.
struct Told {
  std::map<std::string, std::string> arguments;
  std::map<std::string, std::string> fake;

  Told(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word.starts_with("--fake="))
        add(word.substr(7));
      else if (i + 1 < argc && argv[i + 1][0] != '-')
        arguments[word] = argv[++i];
      else
        arguments[word] = "";
    }
    if (const char* words = std::getenv("FAKE_LLAMA")) {
      std::istringstream list(words);
      for (std::string word; std::getline(list, word, ',');) add(word);
    }
  }

  bool has(const char* word) const { return fake.count(word) != 0; }
  std::string text(const char* word) const { return has(word) ? fake.at(word) : ""; }
  int number(const char* word) const { return has(word) ? std::stoi(fake.at(word)) : 0; }

 private:
  void add(const std::string& word) {
    const auto equals = word.find('=');
    fake[word.substr(0, equals)] = equals == word.npos ? "" : word.substr(equals + 1);
  }
};

int count_run(const std::string& file) {
  if (file.empty()) return 1;
  std::ofstream(file, std::ios::app) << '.';
  return static_cast<int>(std::filesystem::file_size(file));
}

class Server {
 public:
  explicit Server(const Told& told) : told_(told), run_(count_run(told.text("runs"))) {
    const char* key = std::getenv("LLAMA_API_KEY");
    key_ = key ? key : "";
    tell("run " + std::to_string(run_) + ' ' + std::to_string(::getpid()));
  }

  int serve() {
    std::cerr << "srv load_model: loading '" << told_.arguments.at("--model") << "'\n";
    if (told_.has("no-model") && run_ >= told_.number("no-model")) {
      std::cerr << "srv load_model: failed to load model\n";
      return 1;
    }
    if (run_ <= told_.number("no-port")) {
      std::cerr << "srv start: couldn't bind HTTP server socket\n";
      return 1;
    }
    sigset_t end;
    ::sigemptyset(&end);
    ::sigaddset(&end, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &end, nullptr);
    const LoopbackServer server([this](const ReceivedRequest& request) { return answer(request); },
                                {.port = std::stoi(told_.arguments.at("--port"))});
    if (told_.has("healthy")) {
      std::string line;
      std::ifstream(told_.text("healthy")) >> line;  // blocks until it is written
    }
    healthy_ = !told_.has("unhealthy");
    for (int number = 0; ::sigwait(&end, &number) == 0 && told_.has("deaf");) {
    }
    return 0;
  }

 private:
  Script answer(const ReceivedRequest& request) {
    const bool loading = !healthy_;
    if (loading) return Script::answer(503, R"({"error":{"code":503,"message":"Loading model"}})");
    if (request.path == "/health") return Script::answer(200, R"({"status":"ok"})");
    const bool mine = request.header("authorization") == "Bearer " + key_ && !told_.has("not-mine");
    if (!mine || key_.empty())
      return Script::answer(401, R"({"error":{"message":"Invalid API Key","code":401}})");
    if (request.path == "/props") return Script::answer(200, "{}");
    tell("asked " + std::to_string(run_) + ' ' + request.path);
    if (run_ <= told_.number("hang")) return Script::raw().hang();
    const nlohmann::json body = nlohmann::json::parse(request.body);
    if (request.path == "/v1/chat/completions") return chat(body);
    if (request.path == "/v1/completions") return completion(body);
    if (request.path == "/v1/embeddings" && told_.arguments.count("--embeddings"))
      return Script::answer(200, R"({"data":[{"index":0,"embedding":[1,2]}]})");
    return Script::answer(501, R"({"error":{"message":"not supported","code":501}})");
  }

  Script chat(const nlohmann::json& body) const {
    const nlohmann::json format = body.value("response_format", nlohmann::json::object());
    const std::string said = format.contains("json_schema")
                                 ? least_of(format["json_schema"]["schema"]).dump()
                                 : body.at("messages").back().at("content").get<std::string>();
    if (!body.value("stream", false)) {
      nlohmann::json answer = choice({{"message", {{"content", said}}}, {"finish_reason", "stop"}});
      answer["id"] = "run-" + std::to_string(run_);
      answer["model"] = told_.arguments.at("--alias");
      answer["usage"] = {{"prompt_tokens", 3}, {"completion_tokens", 2}};
      return whole(answer);
    }
    Script script = Script::stream().chunk(piece(said.substr(0, said.size() / 2), {}));
    if (run_ <= told_.number("half")) return script.hang();
    return script.chunk(piece(said.substr(said.size() / 2), "stop"))
        .chunk("data: [DONE]\n\n")
        .end();
  }

  // Of an object with members that are numbers or texts.
  static nlohmann::json least_of(const nlohmann::json& schema) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [name, member] : schema.at("properties").items())
      object[name] =
          member.value("type", "") == "integer" ? nlohmann::json(1) : nlohmann::json("a " + name);
    return object;
  }

  // As llama-server does, it counts the tokens of one prompt only.
  static Script completion(const nlohmann::json& body) {
    const std::string prompt = body.at("prompt").back();
    nlohmann::json answer = choice({{"text", "after " + prompt}, {"finish_reason", "stop"}});
    answer["usage"] = {{"prompt_tokens", prompt.size()}, {"completion_tokens", 2}};
    return whole(answer);
  }

  static nlohmann::json choice(nlohmann::json choice) {
    choice["index"] = 0;
    nlohmann::json answer;
    answer["choices"].push_back(std::move(choice));
    return answer;
  }
  static std::string piece(const std::string& text, const nlohmann::json& finish) {
    return "data: " + choice({{"delta", {{"content", text}}}, {"finish_reason", finish}}).dump() +
           "\n\n";
  }
  static Script whole(const nlohmann::json& answer) {
    return Script::answer(200, answer.dump(), {{"content-type", "application/json"}});
  }

  void tell(const std::string& line) const {
    if (!told_.has("tell")) return;
    const Descriptor fifo(::open(told_.text("tell").c_str(), O_WRONLY | O_CLOEXEC));
    const std::string whole = line + '\n';
    if (::write(fifo.get(), whole.data(), whole.size()) < 0) std::perror("tell");
  }

  const Told& told_;
  const int run_;
  std::string key_;
  std::atomic<bool> healthy_{false};
};

}  // namespace
}  // namespace mellea

int main(int argc, char** argv) {
  const mellea::Told told(argc, argv);
  return mellea::Server(told).serve();
}
