// What the fuzz targets of decoders share: an answer decoded, as text that can be compared.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/backends/reply_decoder.h"
#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {

inline std::string text_of(const Choice& choice) {
  std::string all = choice.text + '\n' + choice.thinking + '\n' + choice.refusal + '\n' +
                    choice.finish_reason + '\n';
  for (const ToolCall& call : choice.tool_calls)
    all += call.id + ' ' + call.name + ' ' + call.arguments + '\n';
  return all;
}

inline std::string text_of(const Usage& usage) {
  std::string all;
  for (const auto& count :
       {usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.cache_read_tokens,
        usage.cache_write_tokens, usage.reasoning_tokens})
    all += (count ? std::to_string(*count) : "-") + ' ';
  return all;
}

inline std::string text_of(const Reply& reply) {
  std::string all = text_of(Choice{.text = reply.text,
                                   .thinking = reply.thinking,
                                   .refusal = reply.refusal,
                                   .tool_calls = reply.tool_calls,
                                   .finish_reason = {}});
  for (const std::string& reason : reply.finish_reasons) all += reason + '\n';
  for (const Choice& choice : reply.alternatives) all += text_of(choice);
  const ResponseInfo& info = reply.response;
  all += info.id + ' ' + info.model + ' ' + info.service_tier + ' ' + info.system_fingerprint;
  if (info.metadata) all += info.metadata.text();
  for (const Embedding& embedding : reply.embeddings)
    for (const float value : embedding.values) all += ' ' + std::to_string(value);
  return reply.usage ? all + text_of(*reply.usage) : all;
}

// The pieces as a reply, and as text with the Errc they end with. All else that is thrown goes
// through.
inline std::string decoded(ReplyDecoder& decoder, const std::vector<std::string_view>& pieces,
                           Reply& reply) {
  std::vector<Chunk> chunks;
  std::string ended = "ok";
  try {
    decoder.begin("");
    for (const std::string_view piece : pieces) {
      if (decoder.ended()) break;
      const std::string own(piece);  // gone when the next one comes
      decoder.feed(own, Instant{}, chunks);
    }
    if (!decoder.ended()) decoder.end(Instant{}, chunks);
  } catch (const Error& error) {
    ended = to_string(error.code());
    if (!is_utf8(error.what())) ended += " in a message that is no UTF-8";
  }
  for (const Chunk& chunk : chunks) add(reply, chunk);
  return text_of(reply) + '\n' + ended;
}

inline std::string decoded(ReplyDecoder& decoder, const std::vector<std::string_view>& pieces) {
  Reply reply;
  return decoded(decoder, pieces, reply);
}

inline void require_same(const std::string& whole, const std::string& cut) {
  if (whole == cut) return;
  std::fprintf(stderr, "whole:\n%s\n\ncut:\n%s\n", whole.c_str(), cut.c_str());
  std::abort();
}

inline void require_utf8(const std::string& decoded) {
  if (is_utf8(decoded)) return;
  std::fprintf(stderr, "no UTF-8:\n%s\n", decoded.c_str());
  std::abort();
}

}  // namespace mellea
