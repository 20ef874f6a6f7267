// A call for which a provider over HTTP wants several requests.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "mellea/backends/http_provider.h"
#include "mellea/backends/written_batch.h"

namespace mellea {

struct HttpBatch {
  WrittenBatch written{};
  std::string_view accept{};  // the media type of the answers
  int stride = 1;             // how many indexes each request has, as in Batch
  std::function<HttpProvider::MakeDecoder(std::size_t request)> decoder_of{};
  std::string missing_hint{};  // as in RequestNames
};

// Sends them as start_batch() does. Of `request` the headers and limits are used: Limits::whole
// holds for all together. The stream does not keep `http`: a request whose turn comes when that is
// gone fails with Errc::shutdown.
std::unique_ptr<ReplyStream> send_batch(const std::shared_ptr<const HttpProvider>& http,
                                        const Request& request, HttpBatch batch,
                                        std::stop_token stop);

}  // namespace mellea
