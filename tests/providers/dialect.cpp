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

Script whole_answer(const Dialect& dialect, Request::Kind kind, const Answer& answer) {
  return Script::answer(200, dialect.whole(kind, answer), {{"content-type", "application/json"}});
}

Script begun_stream(const Dialect& dialect) {
  return Script::raw().bytes(
      "HTTP/1.1 200 OK\r\ncontent-type: " + std::string(dialect.stream_type()) +
      "\r\ntransfer-encoding: chunked\r\n\r\n");
}

Script streamed_answer(const Dialect& dialect, Request::Kind kind, const Answer& answer) {
  Script script = begun_stream(dialect);
  for (const std::string& piece : dialect.stream(kind, answer)) script.chunk(piece);
  return script.end();
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
