// What the decoder tests share: an answer, fed to a decoder in pieces, and what came of it.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/backends/ollama_reply.h"
#include "mellea/backends/openai_reply.h"

namespace mellea {

inline constexpr std::string_view kEvents = "text/event-stream";
inline constexpr std::string_view kJson = "application/json";

struct Decoded {
  std::vector<Chunk> chunks{};
  Reply reply{};
  std::optional<Error> error{};
  std::string outcome() const { return error ? std::string(to_string(error->code())) : "ok"; }
  std::string what() const { return error ? error->what() : ""; }
};

inline constexpr std::string_view kLines = "application/x-ndjson";

inline std::shared_ptr<const RequestNames> names_for_test() {
  return std::make_shared<const RequestNames>(
      RequestNames{.provider = "openai",
                   .request = "POST http://h/v1/chat/completions",
                   .auth_hint = "check OPENAI_API_KEY"});
}

// Feeds `pieces`, then ends the connection well.
inline Decoded decode(ReplyDecoder& decoder, const std::vector<std::string_view>& pieces,
                      std::string_view content_type) {
  Decoded decoded;
  try {
    decoder.begin(content_type);
    for (const std::string_view piece : pieces)
      if (!decoder.ended()) decoder.feed(piece, Instant{}, decoded.chunks);
    if (!decoder.ended()) decoder.end(Instant{}, decoded.chunks);
  } catch (const Error& error) {
    decoded.error = error;
  }
  for (const Chunk& chunk : decoded.chunks) add(decoded.reply, chunk);
  return decoded;
}

inline Decoded decode(const std::vector<std::string_view>& pieces, std::string_view content_type) {
  return decode(*make_openai_decoder(names_for_test()), pieces, content_type);
}

inline Decoded decode(std::string_view body, std::string_view content_type = kEvents) {
  return decode(std::vector<std::string_view>{body}, content_type);
}

inline Decoded decode_ollama(const std::vector<std::string_view>& pieces) {
  const auto names = std::make_shared<const RequestNames>(
      RequestNames{.provider = "ollama", .request = "POST http://h/api/chat"});
  return decode(*make_ollama_decoder(names, "call_"), pieces, kLines);
}

inline std::vector<std::string_view> cut(std::string_view body, std::size_t size) {
  std::vector<std::string_view> pieces;
  for (; !body.empty(); body.remove_prefix(std::min(size, body.size())))
    pieces.push_back(body.substr(0, size));
  return pieces;
}

// One line a chunk, and how it ended.
inline std::string describe(const Decoded& decoded) {
  struct Describe {
    std::string operator()(const std::string& text) const { return "text " + text; }
    std::string operator()(const Thinking& thinking) const { return "thinking " + thinking.text; }
    std::string operator()(const Refusal& refusal) const { return "refusal " + refusal.text; }
    std::string operator()(const ToolCallPart& part) const {
      return "call " + std::to_string(part.call) + ' ' + part.id + ' ' + part.name + ' ' +
             part.arguments;
    }
    std::string operator()(const Usage& usage) const {
      std::string all = "usage";
      for (const auto& count :
           {usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.cache_read_tokens,
            usage.cache_write_tokens, usage.reasoning_tokens})
        all += ' ' + (count ? std::to_string(*count) : "-");
      return all;
    }
    std::string operator()(const Finish& finish) const { return "finish " + finish.reason; }
    std::string operator()(const ResponseInfo& info) const {
      return "info " + info.id + ' ' + info.model + ' ' + info.service_tier + ' ' +
             info.system_fingerprint + (info.metadata ? ' ' + info.metadata.text() : "");
    }
    std::string operator()(const Logprobs& logprobs) const {
      std::string all = "logprobs";
      for (const TokenLogprob& token : logprobs.tokens) {
        all += ' ' + token.token + '=' + std::to_string(token.logprob);
        for (const auto& other : token.top)
          all += " (" + other.token + '=' + std::to_string(other.logprob) + ')';
      }
      return all;
    }
    std::string operator()(const Embedding& embedding) const {
      std::string all = "embedding";
      for (const float value : embedding.values) all += ' ' + std::to_string(value);
      return all;
    }
    std::string operator()(const Notice& notice) const {
      return "notice " + std::string(to_string(notice.kind));
    }
  };
  std::string all;
  for (const Chunk& chunk : decoded.chunks)
    all += std::to_string(chunk.index) + ": " + std::visit(Describe{}, chunk.what) + '\n';
  return all + decoded.outcome() + ' ' + decoded.what();
}

}  // namespace mellea
