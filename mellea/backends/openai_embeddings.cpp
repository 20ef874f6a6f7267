#include <bit>
#include <utility>

#include "mellea/backends/embeddings_reply.h"
#include "mellea/backends/openai_reply.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using Value = JsonReader::Value;
using Object = JsonReader::Object;

// Empty where it is no base64, or not of whole numbers.
std::string from_base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  unsigned bits = 0;
  int have = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == kDigits.npos) return {};
    bits = bits << 6U | static_cast<unsigned>(digit);
    if ((have += 6) < 8) continue;
    have -= 8;
    bytes += static_cast<char>(bits >> static_cast<unsigned>(have) & 0xFFU);
  }
  return bytes.size() % sizeof(float) == 0 ? bytes : std::string();
}

// 32-bit floats, the lowest byte first, whatever this machine has.
std::vector<float> floats(std::string_view bytes) {
  std::vector<float> values(bytes.size() / 4);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint32_t bits = 0;
    for (std::size_t j = 4; j-- > 0;)
      bits = bits << 8U | static_cast<unsigned char>(bytes[i * 4 + j]);
    values[i] = std::bit_cast<float>(bits);
  }
  return values;
}

void read_embedding(Object object, ToldEmbeddings& told) {
  std::optional<std::int64_t> index;
  std::vector<float> vector;
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "index") {
      index = count_of(value);
    } else if (key == "embedding") {
      const std::string_view text = text_if_any(value);
      vector = text.empty() ? vector_of(value) : floats(from_base64(text));
    }
  }
  told.place(index, std::move(vector));
}

Usage usage_in(Object object) {
  Usage usage;
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "prompt_tokens")
      usage.input_tokens = count_of(value);
    else if (key == "total_tokens")
      usage.total_tokens = count_of(value);
  }
  return usage;
}

void read_answer(Object answer, ToldEmbeddings& told) {
  for (auto field : answer) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "data" && is_array(value)) {
      for (auto element : value.get_array()) {
        Value item = element.value();
        if (!is_object(item)) throw WrongShape{"an embedding is not an object"};
        read_embedding(item.get_object(), told);
      }
    } else if (key == "error") {
      told.is_error = !is_null(value);
    } else if (key == "model") {
      told.info.model = to_utf8(text_if_any(value));
    } else if (key == "usage" && is_object(value)) {
      told.usage = usage_in(value.get_object());
    }
  }
}

}  // namespace

std::unique_ptr<ReplyDecoder> make_openai_embeddings_decoder(
    std::shared_ptr<const RequestNames> names, std::size_t prompts) {
  return make_embeddings_decoder(std::move(names), prompts, read_answer);
}

}  // namespace mellea
