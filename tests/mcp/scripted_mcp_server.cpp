// An MCP server on standard input and output that does as it is told, also what no good server
// does.
//
//   scripted_mcp_server WORD...
//
//   revision=R     speaks that revision of the protocol
//   no-tools       offers none
//   page=N         lists N tools at a time
//   endless        lists them without end
//   runs=FILE      counts its runs there; the words after it are for the first run only
//   mute           answers nothing
//   no-start       ends before it has said anything
//   deaf           does not end when its input does, nor when it is asked to
//
// Beside the tools of ScriptedMcp it has:
//   die {code}     ends with that code
//   garbage        no JSON, where an answer should be
//   stray          a line for people before the answer
//   huge {bytes}   an answer of that length
//   close_output   closes its standard output, and goes on
//   close_input    closes its standard input, and goes on
//   environment    the names of its variables, the folder that it is in, and its number
//   leave_behind   starts another program, and tells its number
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "mellea/mcp/scripted_mcp_for_test.h"

namespace {

using mellea::ScriptedMcp;
using nlohmann::json;

class Words {
 public:
  Words(int argc, char** argv) : words_(argv + 1, argv + argc) {
    const auto runs = std::find_if(words_.begin(), words_.end(), [](const std::string& word) {
      return word.starts_with("runs=");
    });
    if (runs == words_.end()) return;
    const std::string file = runs->substr(5);
    std::ofstream(file, std::ios::app) << '.';
    if (std::filesystem::file_size(file) > 1) words_.erase(runs, words_.end());
  }
  bool has(const std::string& word) const {
    return std::find(words_.begin(), words_.end(), word) != words_.end();
  }
  std::optional<std::string> value(const std::string& name) const {
    for (const std::string& word : words_)
      if (word.starts_with(name + '=')) return word.substr(name.size() + 1);
    return {};
  }

 private:
  std::vector<std::string> words_;
};

void send(const json& message) { std::cout << message << std::endl; }

std::string environment() {
  std::vector<std::string> names;
  for (char** variable = environ; *variable; ++variable)
    names.push_back(std::string(*variable).substr(0, std::string(*variable).find('=')));
  std::sort(names.begin(), names.end());
  return json{{"names", names},
              {"folder", std::filesystem::current_path().string()},
              {"process", ::getpid()}}
      .dump();
}

// A child that holds our pipes, and lives on.
std::string leave_behind() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execlp("sleep", "sleep", "600", nullptr);
    ::_exit(1);
  }
  return std::to_string(child);
}

// False if it is no tool of the program's own.
bool call(const json& message) {
  if (message.value("method", "") != "tools/call") return false;
  const json& params = message["params"];
  const std::string tool = params["name"];
  const json& id = message["id"];
  if (tool == "die") {
    std::cerr << "first line\nout of luck" << std::endl;
    ::_exit(params["arguments"].value("code", 1));
  } else if (tool == "garbage") {
    std::cout << R"({"jsonrpc":"2.0","id":)" << std::endl;
  } else if (tool == "stray") {
    std::cout << "Ready to serve\n[info] at your service\n[\n";
    send(ScriptedMcp::text(id, "strayed"));
  } else if (tool == "huge") {
    send(ScriptedMcp::text(id, std::string(params["arguments"]["bytes"].get<std::size_t>(), 'x')));
  } else if (tool == "close_output") {
    ::close(STDOUT_FILENO);
  } else if (tool == "close_input") {
    ::close(STDIN_FILENO);
    ::pause();
  } else if (tool == "environment") {
    send(ScriptedMcp::text(id, environment()));
  } else if (tool == "leave_behind") {
    send(ScriptedMcp::text(id, leave_behind()));
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const Words words(argc, argv);
  if (words.has("no-start")) {
    std::cerr << "cannot find module 'files'" << std::endl;
    return 3;
  }
  if (words.has("deaf")) ::signal(SIGTERM, SIG_IGN);
  ScriptedMcp server({.revision = words.value("revision").value_or(""),
                      .tools = !words.has("no-tools"),
                      .page = std::stoi(words.value("page").value_or("100")),
                      .endless = words.has("endless"),
                      .more = {"die", "garbage", "stray", "huge", "close_output", "close_input",
                               "environment", "leave_behind"}});
  for (std::string line; std::getline(std::cin, line);) {
    if (words.has("mute")) continue;
    const json message = json::parse(line);
    if (call(message)) continue;
    for (const json& answer : server.hear(message)) send(answer);
  }
  while (words.has("deaf")) ::pause();
}
