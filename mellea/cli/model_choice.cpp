#include "mellea/cli/model_choice.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "mellea/backends/huggingface_backend.h"
#include "mellea/backends/local_backend.h"
#include "mellea/backends/ollama_backend.h"
#include "mellea/cli/exit_code.h"
#include "mellea/cli/probe.h"
#include "mellea/core/text.h"
#include "mellea/net/url.h"

namespace mellea::cli {
namespace {

std::string first_set(std::string flag, const Environment& environment,
                      std::initializer_list<const char*> variables) {
  for (const char* variable : variables)
    if (flag.empty()) flag = value_of(environment, variable);
  return flag;
}

std::string key_from(const std::string& variable, const Environment& environment) {
  std::string key = value_of(environment, variable);
  if (key.empty())
    throw UsageError("--api-key-env " + one_line(variable, 60) + ": that variable is not set");
  return key;
}

// A token of the user's own, or the key of a Cloud Pak for Data, is sent as it is; a key that is
// named is preferred to both.
void take_watsonx(BackendOptions& chosen, const ModelArguments& arguments,
                  const Environment& environment) {
  const auto value = [&](const char* name) { return value_of(environment, name); };
  chosen.watsonx = {.project = value("WATSONX_PROJECT_ID"),
                    .space = value("WATSONX_SPACE_ID"),
                    .api_version = value("WATSONX_API_VERSION"),
                    .iam_url = value("WATSONX_IAM_URL"),
                    .user = value("WATSONX_USERNAME")};
  if (!arguments.api_key_env.empty()) return;
  chosen.api_key = first_set(chosen.api_key, environment, {"WATSONX_APIKEY"});
  if (const std::string token = value("WATSONX_TOKEN"); !token.empty())
    chosen.headers = {{"authorization", "Bearer " + token}};
  else if (const std::string key = value("WATSONX_ZENAPIKEY"); !key.empty())
    chosen.headers = {{"authorization", "ZenApiKey " + key}};
}

bool answers(const std::string& ollama) {
  constexpr std::chrono::milliseconds kQuickly{1'000};
  try {
    Network network;
    HttpRequest request{.method = "GET", .url = join_url(ollama, "/api/version"), .proxy = ""};
    return probe(network, std::move(request), kQuickly).status == 200;
  } catch (const Error&) {
    return false;
  }
}

constexpr const char* kWays =
    "pass --backend openai (and --base-url URL for a server of your own) or --model FILE.gguf, or "
    "set MELLEA_BACKEND";

// The Ollama of this machine. Throws UsageError if there is none, or another one is meant.
BackendOptions take_ollama(const ModelArguments& arguments, const Environment& environment,
                           Console& console) {
  BackendOptions options = configured_model(
      {.backend = "ollama", .model = arguments.model, .api_key_env = arguments.api_key_env},
      environment);
  const Url url = parse_url(ollama_url(options.base_url));
  if (!is_this_machine(url.host))
    throw UsageError(
        "no backend given, and OLLAMA_HOST is not this machine: pass --backend ollama to use it, " +
        std::string(kWays));
  if (!answers(ollama_url(options.base_url)))
    throw UsageError("no backend given, and no Ollama answers at " + url.authority() +
                     ": start it (ollama serve), " + kWays);
  options.proxy = "";
  console.warn("mellea: no backend given: taking ollama at " + url.authority());
  return options;
}

}  // namespace

std::string value_of(const Environment& environment, const std::string& name) {
  return environment(name.c_str()).value_or("");
}

BackendOptions configured_model(const ModelArguments& arguments, const Environment& environment) {
  BackendOptions chosen{
      .backend = first_set(arguments.backend, environment, {"MELLEA_BACKEND"}),
      .model = first_set(arguments.model, environment, {"MELLEA_MODEL"}),
      .base_url = first_set(arguments.base_url, environment, {"MELLEA_BASE_URL"}),
  };
  const auto take_own = [&](const char* url, const char* key) {
    chosen.base_url = first_set(chosen.base_url, environment, {url});
    if (arguments.api_key_env.empty()) chosen.api_key = value_of(environment, key);
  };
  if (chosen.backend == "local" || chosen.backend == "huggingface")
    chosen.local = LocalOptions::from(environment);
  if (chosen.backend == "openai") take_own("OPENAI_BASE_URL", "OPENAI_API_KEY");
  if (chosen.backend == "litellm") take_own("LITELLM_BASE_URL", "LITELLM_API_KEY");
  if (chosen.backend == "huggingface") {
    const bool is_typed = !chosen.base_url.empty();
    take_own("HF_INFERENCE_ENDPOINT", "HF_TOKEN");
    if (is_typed && !is_run_by_huggingface(chosen.base_url)) chosen.api_key.clear();
  }
  if (chosen.backend == "ollama") take_own("OLLAMA_HOST", "OLLAMA_API_KEY");
  if (chosen.backend == "watsonx") {
    take_own("WATSONX_URL", "WATSONX_API_KEY");
    take_watsonx(chosen, arguments, environment);
  }
  if (!arguments.api_key_env.empty()) chosen.api_key = key_from(arguments.api_key_env, environment);
  return chosen;
}

BackendOptions choose_model(const ModelArguments& arguments, const Environment& environment,
                            Console& console) {
  BackendOptions chosen = configured_model(arguments, environment);
  if (!chosen.backend.empty()) return chosen;
  if (names_gguf_file(chosen.model)) {
    ModelArguments named = arguments;
    named.backend = "local";
    return configured_model(named, environment);
  }
  if (!chosen.base_url.empty())
    throw UsageError(
        "no backend given for the base URL: pass --backend openai if the server speaks OpenAI's "
        "protocol, else ollama, litellm, huggingface or watsonx, or set MELLEA_BACKEND");
  try {
    return take_ollama(arguments, environment, console);
  } catch (const Error& error) {  // OLLAMA_HOST is no host
    throw UsageError("no backend given, and OLLAMA_HOST is wrong: " + std::string(error.what()));
  }
}

std::vector<std::string> models_within(Backend& backend, std::chrono::milliseconds limit) {
  std::stop_source out_of_time;
  std::mutex mutex;
  std::condition_variable_any changed;
  const std::jthread timer([&](const std::stop_token& done) {
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, done, limit, [] { return false; }) && !done.stop_requested())
      out_of_time.request_stop();
  });
  try {
    return backend.models(out_of_time.get_token());
  } catch (const Error& error) {
    if (error.code() != Errc::cancelled) throw;
    throw Error(Errc::timeout, std::string(backend.provider()) + ": no answer within " +
                                   std::to_string(limit.count()) + " ms");
  }
}

UsageError refusal_of(const Error& error, const std::string& backend) {
  const std::string what = error.what();
  return what.starts_with(backend + ": ") ? UsageError::as_said(what) : UsageError(what);
}

Session open_session(Runtime& runtime, const BackendOptions& backend, SessionOptions options) {
  try {
    const std::shared_ptr<Backend> made = runtime.backend(backend);
    if (backend.model.empty()) throw UsageError(no_model_given(*made));
    return runtime.start_session(made, model_name(backend), std::move(options));
  } catch (const Error& error) {
    throw refusal_of(error, backend.backend);
  }
}

std::string first_few(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 6;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i)
    list.append(i == 0 ? "" : ", ").append(one_line(names[i], 60));
  if (names.size() > kShown) list += " and " + std::to_string(names.size() - kShown) + " more";
  return list;
}

std::string no_model_given(Backend& backend) {
  constexpr std::chrono::milliseconds kQuickly{1'000};
  std::string message = "no model given: pass --model or set MELLEA_MODEL";
  try {
    const std::vector<std::string> models = models_within(backend, kQuickly);
    if (models.empty()) return message;
    const Endpoint endpoint = backend.endpoint();
    message.append("; ").append(backend.provider());
    if (!endpoint.address.empty())
      message += " at " + endpoint.address + ':' + std::to_string(endpoint.port);
    message += " has " + first_few(models);
  } catch (const Error&) {  // then the ways to name one must do
  }
  return message;
}

}  // namespace mellea::cli
