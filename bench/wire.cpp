#include "wire.h"

#include <algorithm>
#include <array>
#include <utility>

namespace mellea::bench {
namespace {

constexpr Wire of_openai(std::string_view backend, std::string_view base) {
  return {.backend = backend,
          .base = base,
          .path = "/v1/chat/completions",
          .stream_path = "/v1/chat/completions",
          .plain_members = "",
          .stream_members = R"(,"stream":true,"stream_options":{"include_usage":true})",
          .event_begins = "data: ",
          .event_ends = "\n\n",
          .once = "\n\n",
          .has_choices = true};
}

constexpr std::array kWires = {
    of_openai("openai", "/v1"),
    of_openai("litellm", ""),
    of_openai("huggingface", "/v1"),
    Wire{.backend = "ollama",
         .path = "/api/chat",
         .stream_path = "/api/chat",
         .plain_members = R"(,"stream":false)",
         .stream_members = R"(,"stream":true)",
         .event_begins = "",
         .event_ends = "\n",
         .once = "}\n"},
    Wire{.backend = "watsonx",
         .path = "/ml/v1/text/chat?version=2024-05-31",
         .stream_path = "/ml/v1/text/chat_stream?version=2024-05-31",
         .plain_members = R"(,"project_id":"bench")",
         .stream_members = R"(,"project_id":"bench")",
         .event_begins = "data: ",
         .event_ends = "\n\n",
         .once = "\n\n",
         .has_choices = true,
         .authorization = "authorization: Bearer bench-token"},
};

}  // namespace

const Wire* wire_of(std::string_view backend) {
  const auto found = std::find_if(kWires.begin(), kWires.end(),
                                  [=](const Wire& wire) { return wire.backend == backend; });
  return found == kWires.end() ? nullptr : &*found;
}

const Wire& openai_wire() { return kWires[0]; }

std::string wire_names() {
  std::string names;
  for (const Wire& wire : kWires) names.append(names.empty() ? "" : ", ").append(wire.backend);
  return names;
}

BackendOptions client_of(const Wire& wire, const ProviderProcess& provider, std::string model,
                         bool tls) {
  BackendOptions options{.backend = std::string(wire.backend), .model = std::move(model)};
  options.base_url = tls ? provider.tls_url(wire.base) : provider.url(wire.base);
  if (tls) options.ca_file = provider.ca_file();
  if (wire.authorization != nullptr) {
    options.api_key = "bench-key";
    options.watsonx = {.project = "bench", .iam_url = provider.url("/identity/token")};
  }
  return options;
}

}  // namespace mellea::bench
