#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/embeddings_reply.h"
#include "mellea/backends/ollama_reply.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using Value = JsonReader::Value;

constexpr std::array<std::string_view, 2> kDurations = {"total_duration", "load_duration"};

void read_answer(JsonReader::Object answer, ToldEmbeddings& told) {
  nlohmann::json times = nlohmann::json::object();
  for (auto field : answer) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "embeddings" && is_array(value)) {
      std::int64_t prompt = 0;
      for (auto element : value.get_array()) told.place(prompt++, vector_of(element.value()));
    } else if (key == "embedding") {  // of older servers, which take one prompt
      told.place(0, vector_of(value));
    } else if (key == "error") {
      told.is_error = !is_null(value);
    } else if (key == "model") {
      told.info.model = to_utf8(text_if_any(value));
    } else if (key == "prompt_eval_count") {
      told.usage = Usage{.input_tokens = count_of(value)};
    } else if (std::find(kDurations.begin(), kDurations.end(), key) != kDurations.end()) {
      if (const auto time = count_of(value)) times[std::string(key)] = *time;
    }
  }
  if (!times.empty()) told.info.metadata = Json(std::move(times));
}

}  // namespace

std::unique_ptr<ReplyDecoder> make_ollama_embeddings_decoder(
    std::shared_ptr<const RequestNames> names, std::size_t prompts) {
  return make_embeddings_decoder(std::move(names), prompts, read_answer);
}

}  // namespace mellea
