// What a server says when it is asked which models it has. Pure: no network.
#pragma once

#include <memory>

#include "mellea/backends/reply_decoder.h"

namespace mellea {

// Where the names are: {"data":[{"id":"gpt-4o"}]} has them in the list "data" under "id".
struct ModelList {
  const char* list = "data";  // null: the answer is about one model, and has its name
  const char* name = "id";
};

// Each name is a chunk of text.
std::unique_ptr<ReplyDecoder> make_models_decoder(std::shared_ptr<const RequestNames> names,
                                                  ModelList form);

}  // namespace mellea
