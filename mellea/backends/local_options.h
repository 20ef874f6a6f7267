// How a model on this machine is run, and where it is looked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mellea {

struct LocalOptions {
  // automatic: in this process where the library was built with libllama, else by llama-server.
  enum class Run { automatic, in_process, server };
  Run run = Run::automatic;
  std::string server{};             // the program llama-server, its path; empty: there is none
  std::string hub_cache{};          // the folder with models--ORG--REPO; empty: there is none
  std::int64_t context = 8192;      // tokens, at most as many as the model knows; 0: as many
  int threads = 0;                  // 0: about as many as there are cores
  std::optional<int> gpu_layers{};  // not set: as many as llama.cpp thinks right
  std::vector<std::string> server_arguments{};     // of llama-server, after ours
  std::chrono::milliseconds start_limit{600'000};  // until the model is ready
  // What llama-server prints: at most 1 MiB, and as much again from before in FILE.1. Empty: only
  // its last lines are kept, for errors.
  std::string log_file{};

  // The value of a variable; nothing if it is not set.
  using Variables = std::function<std::optional<std::string>(const char* name)>;

  // MELLEA_LLAMA_SERVER (a model is then run by it, whatever the library was built with), or else
  // the llama-server that PATH leads to; the Hub cache by the rules of Hugging Face's tools:
  // HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HOME; MELLEA_LLAMA_LOG.
  static LocalOptions from_env();
  static LocalOptions from(const Variables& variable);
};

}  // namespace mellea
