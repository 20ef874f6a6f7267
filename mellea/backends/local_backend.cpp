#include "mellea/backends/local_backend.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "mellea/backends/hub_cache.h"
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

class LocalBackend final : public Backend {
 public:
  LocalBackend(std::string model, LocalOptions options, std::shared_ptr<Network> network)
      : options_(std::move(options)),
        environment_(environment_with("LLAMA_ARG_HOST", "127.0.0.1")),
        network_(std::move(network)) {
    if (!network_) throw Error(Errc::invalid_request, "local: no network given");
    if (!model.empty()) model_ = find_local_model(model, options_.hub_cache);
  }

  std::string_view provider() const override { return "huggingface"; }
  Endpoint endpoint() const override { return {.local = true}; }

  std::unique_ptr<ReplyStream> start(Request request, std::stop_token stop) override {
    if (!model_) throw Error(Errc::invalid_request, "local: no model given: name a GGUF file");
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
    if (model_ && std::find(names.begin(), names.end(), model_->name) == names.end())
      names.insert(names.begin(), model_->name);
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
  std::optional<LocalModel> model_;  // none if none was named

  std::mutex mutex_;
  std::shared_ptr<LlamaServer> chat_;       // guarded by mutex_; null before the first request
  std::shared_ptr<LlamaServer> embedding_;  // the same
};

}  // namespace

bool names_gguf_file(std::string_view model) noexcept { return model.ends_with(".gguf"); }

std::string_view libllama() noexcept { return ""; }

std::shared_ptr<Backend> make_local_backend(const BackendOptions& options,
                                            std::shared_ptr<Network> network) {
  if (!options.base_url.empty())
    throw Error(Errc::invalid_request,
                "local: a model on this machine has no base URL: the backend openai speaks to a "
                "llama-server that runs");
  LocalOptions local = options.local ? *options.local : LocalOptions::from_env();
  if (local.run == LocalOptions::Run::in_process)
    throw Error(Errc::invalid_request,
                "local: this build has no libllama to run a model in this process with");
  if (local.server.empty())
    throw Error(Errc::not_found,
                "local: there is no llama-server: install llama.cpp, or set MELLEA_LLAMA_SERVER");
  return std::make_shared<LocalBackend>(options.model, std::move(local), std::move(network));
}

}  // namespace mellea
