#include <cstdint>
#include <utility>

#include "mellea/backends/embeddings_reply.h"
#include "mellea/backends/watsonx_reply.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using Object = JsonReader::Object;
using Value = JsonReader::Value;

std::vector<float> vector_in(Object result) {
  std::vector<float> vector;
  for (auto field : result) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "embedding") vector = vector_of(value);
  }
  return vector;
}

// They stand in the order of the prompts.
void read_results(Value value, ToldEmbeddings& told) {
  if (!is_array(value)) throw WrongShape{"\"results\" is not an array"};
  std::int64_t prompt = 0;
  for (auto element : value.get_array()) {
    Value item = element.value();
    if (!is_object(item)) throw WrongShape{"a result is not an object"};
    told.place(prompt++, vector_in(item.get_object()));
  }
}

void read_answer(Object answer, ToldEmbeddings& told) {
  for (auto field : answer) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "results")
      read_results(value, told);
    else if (key == "model_id")
      told.info.model = to_utf8(text_if_any(value));
    else if (key == "input_token_count")
      told.usage = Usage{.input_tokens = count_of(value)};
    else if (key == "errors")
      told.is_error = has_elements(value);
  }
}

}  // namespace

std::unique_ptr<ReplyDecoder> make_watsonx_embeddings_decoder(
    std::shared_ptr<const RequestNames> names, std::size_t prompts) {
  return make_embeddings_decoder(std::move(names), prompts, read_answer);
}

}  // namespace mellea
