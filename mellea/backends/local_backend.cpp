#include "mellea/backends/local_backend.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "mellea/backends/hub_cache.h"
#include "mellea/backends/llama_backend.h"
#include "mellea/backends/llama_library.h"
#include "mellea/backends/llama_server.h"
#include "mellea/backends/local_model.h"
#include "mellea/backends/local_reply.h"
#include "mellea/backends/openai_client.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

// The program's words for the model, and for how it is to be run.
std::vector<std::string> server_arguments(const LocalModel& model, const LocalOptions& options,
                                          bool embeddings) {
  std::vector<std::string> words{"--model",  model.file, "--alias",
                                 model.name, "--jinja",  "--no-webui"};
  const auto add = [&](const char* name, std::int64_t value) {
    words.emplace_back(name);
    words.push_back(std::to_string(value));
  };
  const std::int64_t known = model.header.context_length.value_or(options.context);
  const std::int64_t context = options.context > 0 ? std::min(options.context, known) : known;
  if (context > 0) add("--ctx-size", context);
  if (options.threads > 0) add("--threads", options.threads);
  if (options.gpu_layers) add("--n-gpu-layers", *options.gpu_layers);
  if (embeddings) {
    words.emplace_back("--embeddings");
    if (!model.header.pooling) words.insert(words.end(), {"--pooling", "mean"});
    if (context > 0) {  // a text is read in one go
      add("--batch-size", context);
      add("--ubatch-size", context);
    }
  }
  words.insert(words.end(), options.server_arguments.begin(), options.server_arguments.end());
  return words;
}

// How the model is run. Throws Error if there is no way.
bool runs_here(const LocalOptions& options) {
  const bool can = !libllama().empty();
  switch (options.run) {
    case LocalOptions::Run::in_process:
      if (!can)
        throw Error(Errc::invalid_request,
                    "local: this build has no libllama to run a model in this process with");
      return true;
    case LocalOptions::Run::automatic:
      if (can) return true;
      break;
    case LocalOptions::Run::server: break;
  }
  if (options.server.empty())
    throw Error(Errc::not_found,
                "local: there is no llama-server: install llama.cpp, or set MELLEA_LLAMA_SERVER");
  return false;
}

class LocalBackend final : public Backend {
 public:
  LocalBackend(const std::string& model, LocalOptions options, std::shared_ptr<Network> network)
      : options_(std::move(options)),
        environment_(environment_without("LLAMA_API_KEY")),
        network_(std::move(network)) {
    const bool here = runs_here(options_);
    if (!network_) throw Error(Errc::invalid_request, "local: no network given");
    if (model.empty()) return;
    asked_for_ = model;
    model_ = find_local_model(model, options_.hub_cache);
    if (here)
      here_ =
          make_llama_backend({.model = model_->name,
                              .chat_template = model_->header.chat_template,
                              .load = [model = *model_, options = options_](const auto& cancelled) {
                                return load_llama_model(model, options, cancelled);
                              }});
  }

  std::string_view provider() const override { return "huggingface"; }
  Endpoint endpoint() const override { return {.local = true}; }

  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override {
    if (!model_) throw Error(Errc::invalid_request, "local: no model given: name a GGUF file");
    if (here_) return here_->start(std::move(request), std::move(stop));
    if (request.model.empty()) request.model = model_->name;
    LocalCall call{.limits = request.limits, .headers = request.headers};
    if (request.options.choices)
      call.choices = static_cast<int>(std::clamp<std::int64_t>(*request.options.choices, 1, 1024));
    if (request.kind == Request::Kind::completion && request.prompts.size() > 1) {
      for (std::string& prompt : std::exchange(request.prompts, {})) {
        request.prompts = {std::move(prompt)};
        call.posts.push_back(post(request));
        if (call.posts.size() > 1) call.posts.back().written.notices.clear();  // said once
      }
    } else {
      call.posts.push_back(post(request));
    }
    return start_local_reply(server(request.kind == Request::Kind::embedding), network_,
                             std::move(call), std::move(stop));
  }

  std::vector<std::string> models(std::stop_token) override {
    std::vector<std::string> names = models_in_hub_cache(options_.hub_cache);
    if (model_ && std::find(names.begin(), names.end(), asked_for_) == names.end())
      names.insert(names.begin(), asked_for_);
    return names;
  }

 private:
  static HttpProvider::Post post(const Request& request) {
    return openai_post(request, OpenAiDialect{}, "local");
  }

  std::shared_ptr<LlamaServer> server(bool embeddings) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<LlamaServer>& server = embeddings ? embedding_ : chat_;
    if (!server)
      server = std::make_shared<LlamaServer>(
          LlamaServerOptions{.start = {.program = options_.server,
                                       .arguments = server_arguments(*model_, options_, embeddings),
                                       .environment = environment_},
                             .log_file = options_.log_file.empty() || !embeddings
                                             ? options_.log_file
                                             : options_.log_file + ".embeddings",
                             .start_limit = options_.start_limit},
          network_);
    return server;
  }

  const LocalOptions options_;
  const std::vector<std::string> environment_;  // of the caller of the constructor
  const std::shared_ptr<Network> network_;
  std::string asked_for_;            // the model, maybe as a path
  std::optional<LocalModel> model_;  // none if none was named
  std::shared_ptr<Backend> here_;    // null where a llama-server runs the model

  std::mutex mutex_;
  std::shared_ptr<LlamaServer> chat_;       // guarded by mutex_; null before the first request
  std::shared_ptr<LlamaServer> embedding_;  // the same
};

}  // namespace

bool names_gguf_file(std::string_view model) noexcept { return model.ends_with(".gguf"); }

std::shared_ptr<Backend> make_local_backend(const BackendOptions& options,
                                            std::shared_ptr<Network> network) {
  if (!options.base_url.empty())
    throw Error(Errc::invalid_request,
                "local: a model on this machine has no base URL: the backend openai speaks to a "
                "llama-server that runs");
  LocalOptions local = options.local ? *options.local : LocalOptions::from_env();
  return std::make_shared<LocalBackend>(options.model, std::move(local), std::move(network));
}

}  // namespace mellea
