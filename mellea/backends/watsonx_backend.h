// IBM's watsonx.ai: chats, text generation and embeddings, on IBM Cloud or in a Cloud Pak for Data.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "mellea/backends/backend.h"

namespace mellea {

// The URL that a setting means: a region of IBM Cloud ("eu-de") is its host, a whole URL stays as
// it is. Throws Error (Errc::invalid_request) for an empty setting, and for a word that is no
// region.
std::string watsonx_url(std::string_view setting);

// `options.base_url` as in watsonx_url(): it is demanded, since it decides in which country a
// prompt is read. A key is exchanged for a token by IBM Cloud's IAM, kept and renewed as IamTokens
// says, and sent there only; with WatsonxOptions::user it goes out itself, as `authorization:
// ZenApiKey`. An `authorization` in BackendOptions::headers, or in those of a request, is sent
// as it is, and nothing exchanged.
//
// A request needs a project or a space (or, in ModelOptions::extra, project_id or space_id), a
// model "deployment/ID" does not. Throws Error: Errc::auth without a key, Errc::invalid_request for
// what is no URL and no date. May be called from several threads at once.
std::shared_ptr<Backend> make_watsonx_backend(const BackendOptions& options,
                                              std::shared_ptr<Network> network);

}  // namespace mellea
