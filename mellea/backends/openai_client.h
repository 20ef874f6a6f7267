// A client of a provider that speaks OpenAI's protocol, under that provider's own name.
#pragma once

#include <memory>
#include <optional>

#include "mellea/backends/http_provider.h"
#include "mellea/backends/openai_request.h"

namespace mellea {

// `options.base_url` must be whole; without a dialect its host decides. Throws as HttpProvider
// does. May be called from several threads at once.
std::shared_ptr<Backend> make_openai_client(HttpProviderTraits traits, BackendOptions options,
                                            std::shared_ptr<Network> network,
                                            std::optional<OpenAiDialect> dialect = {});

// What is sent of a request, and how its answer is read. Throws as write_openai_request() does;
// `provider` is as there.
HttpProvider::Post openai_post(const Request& request, OpenAiDialect dialect,
                               std::string_view provider);

}  // namespace mellea
