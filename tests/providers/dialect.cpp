#include "dialect.h"

namespace mellea::providers {

std::vector<Reply> choices_of(const Answer& answer) {
  std::vector<Reply> choices(1);
  for (Chunk chunk : answer) {
    const auto index = static_cast<std::size_t>(chunk.index);
    if (choices.size() <= index) choices.resize(index + 1);
    chunk.index = 0;
    add(choices[index], chunk);
  }
  return choices;
}

std::vector<std::shared_ptr<const Dialect>> all_dialects() {
  return {openai_dialect(),
          openai_itself_dialect(),
          ollama_dialect(),
          litellm_dialect(),
          huggingface_router_dialect(),
          huggingface_tgi_dialect(),
          local_dialect(),
          watsonx_dialect()};
}

}  // namespace mellea::providers
