#include "mellea/core/folder_for_test.h"
#include "mellea/backends/gguf_for_test.h"
#include "openai_dialect.h"

namespace mellea::providers {
namespace {

// A GGUF file of this machine, run by what should be a llama-server, but hands everything on to the
// server of the test.
class Local final : public OpenAiProtocol {
 public:
  Local() { GgufForTest().write(model()); }

  std::string name() const override { return "local"; }
  std::string provider() const override { return "huggingface"; }
  std::string model() const override { return folder_.path() / "m.gguf"; }
  std::string model_sent() const override { return "m.gguf"; }
  BackendOptions client(const LoopbackServer& server) const override {
    BackendOptions options{.backend = "local", .model = model()};
    options.local.emplace();
    options.local->server = MELLEA_RELAY;
    options.local->server_arguments = {"--relay-to", std::to_string(server.port())};
    return options;
  }
  Endpoint endpoint(const LoopbackServer&) const override { return {.local = true}; }
  Gaps gaps() const override {
    return {.model_names = true, .model_lists = true, .headers = true, .retries = true};
  }

  // What is asked while it comes up, and when a connection was lost.
  std::optional<Script> aside(const ReceivedRequest& request) const override {
    if (request.method != "GET") return {};
    return Script::answer(200, R"({"status":"ok"})", {{"content-type", "application/json"}});
  }

 private:
  const FolderForTest folder_;
};

}  // namespace

std::shared_ptr<const Dialect> local_dialect() { return std::make_shared<Local>(); }

}  // namespace mellea::providers
