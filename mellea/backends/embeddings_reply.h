// Answers with embeddings, which come whole: what the decoders of several protocols share.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "mellea/backends/json_reader.h"
#include "mellea/backends/reply_decoder.h"

namespace mellea {

// What an answer says. It is read into by a function of the protocol.
struct ToldEmbeddings {
  std::vector<Embedding> vectors{};  // by prompt; empty: not told
  ResponseInfo info{};
  std::optional<Usage> usage{};
  bool is_error = false;

  // Throws WrongShape if there is no such prompt, or it has a vector.
  void place(std::optional<std::int64_t> prompt, std::vector<float> vector);
};

// Throws WrongShape, or what simdjson throws.
using ReadEmbeddings = void (*)(JsonReader::Object answer, ToldEmbeddings& told);

// Each vector is a chunk, at the index of its prompt. Throws parse_error where one of `prompts` is
// missing, or has a number that is none.
std::unique_ptr<ReplyDecoder> make_embeddings_decoder(std::shared_ptr<const RequestNames> names,
                                                      std::size_t prompts, ReadEmbeddings read);

// [0.5, -2, ...]. Throws WrongShape.
std::vector<float> vector_of(JsonReader::Value numbers);

}  // namespace mellea
