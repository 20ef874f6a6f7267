#include "mellea/cli/tiny_model.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace mellea::cli {
namespace {

constexpr std::size_t kHeads = 4, kKeyHeads = 2, kForward = 32, kContext = 4096, kAlignment = 32;
constexpr std::uint32_t kBegin = 1, kEnd = 4;  // tokens

// Of the format: what a value, and what a token is.
enum class Type : std::uint32_t {
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  text = 8,
  array = 9
};
enum class Token : std::int32_t { normal = 1, unknown = 2, control = 3, unused = 5, byte = 6 };

struct Vocabulary {
  std::vector<std::string> texts;
  std::vector<Token> types;
  std::vector<std::uint32_t> sentence;  // up to its end

  Vocabulary() {
    add("<unk>", Token::unknown);
    for (const char* control : {"<s>", "</s>", "<|im_start|>", "<|im_end|>"})
      add(control, Token::control);
    for (unsigned byte = 0; byte < 256; ++byte) {
      std::array<char, 8> name{};
      std::snprintf(name.data(), name.size(), "<0x%02X>", byte);
      add(name.data(), Token::byte);
    }
    for (char c = '!'; c <= '~'; ++c) add(std::string(1, c), Token::normal);
    add(std::string(kBlank), Token::normal);
    std::string_view rest = kTinySentence;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(' '), rest.size());
      sentence.push_back(static_cast<std::uint32_t>(texts.size()));
      add(std::string(kBlank) + std::string(rest.substr(0, end)), Token::normal);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    sentence.push_back(kEnd);
    while (texts.size() % (kHeads * 8) != 0)
      add("<pad" + std::to_string(texts.size()) + '>', Token::unused);
  }

 private:
  static constexpr std::string_view kBlank = "\xE2\x96\x81";  // what a blank is in it

  void add(std::string text, Token type) {
    texts.push_back(std::move(text));
    types.push_back(type);
  }
};

template <class Number>
void append(std::string& bytes, Number number) {  // little-endian, as all that llama.cpp runs on
  static_assert(std::is_trivially_copyable_v<Number>);
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void append_text(std::string& bytes, std::string_view text) {
  append(bytes, std::uint64_t{text.size()});
  bytes += text;
}

class Header {
 public:
  void text(const char* key, std::string_view value) { append_text(begin(key, Type::text), value); }
  void number(const char* key, std::size_t value) {
    append(begin(key, Type::uint32), static_cast<std::uint32_t>(value));
  }
  void real(const char* key, float value) { append(begin(key, Type::float32), value); }
  void flag(const char* key, bool value) {
    append(begin(key, Type::boolean), static_cast<std::uint8_t>(value));
  }
  template <class List, class Append>
  void list(const char* key, Type type, const List& list, const Append& append_one) {
    std::string& bytes = begin(key, Type::array);
    append(bytes, type);
    append(bytes, std::uint64_t{list.size()});
    for (const auto& one : list) append_one(bytes, one);
  }

  std::uint64_t count() const noexcept { return count_; }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string& begin(const char* key, Type type) {
    append_text(bytes_, key);
    append(bytes_, type);
    ++count_;
    return bytes_;
  }

  std::uint64_t count_ = 0;
  std::string bytes_;
};

Header header_of(const Vocabulary& words) {
  const std::size_t size = words.texts.size();
  Header header;
  header.text("general.architecture", "llama");
  header.text("general.name", "mellea demo");
  header.number("general.alignment", kAlignment);
  header.number("llama.block_count", 1);
  header.number("llama.context_length", kContext);
  header.number("llama.embedding_length", size);
  header.number("llama.feed_forward_length", kForward);
  header.number("llama.attention.head_count", kHeads);
  header.number("llama.attention.head_count_kv", kKeyHeads);
  header.number("llama.rope.dimension_count", size / kHeads);
  header.number("llama.vocab_size", size);
  header.real("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  header.text("tokenizer.ggml.model", "llama");
  header.list("tokenizer.ggml.tokens", Type::text, words.texts,
              [](std::string& bytes, const std::string& text) { append_text(bytes, text); });
  header.list("tokenizer.ggml.scores", Type::float32, words.texts,
              [](std::string& bytes, const std::string& text) {
                append(bytes, static_cast<float>(text.size()));  // longer ones are preferred
              });
  header.list("tokenizer.ggml.token_type", Type::int32, words.types,
              [](std::string& bytes, Token type) { append(bytes, type); });
  header.number("tokenizer.ggml.bos_token_id", kBegin);
  header.number("tokenizer.ggml.eos_token_id", kEnd);
  header.number("tokenizer.ggml.unknown_token_id", 0);
  header.flag("tokenizer.ggml.add_bos_token", true);
  header.flag("tokenizer.ggml.add_space_prefix", false);
  header.text("tokenizer.chat_template",
              "{%- for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
              "<|im_end|>\n{%- endfor %}"
              "{%- if add_generation_prompt %}<|im_start|>assistant\n{%- endif %}");
  return header;
}

struct Tensor {
  std::string name;
  std::size_t width = 0, height = 1;
  std::vector<float> values{};  // none: all are zero
};

std::vector<float> ones(std::size_t count) { return std::vector<float>(count, 1.0F); }

// Attention and all else say nothing: each token leads to the one that has its column in the last
// matrix.
std::vector<Tensor> tensors_of(const Vocabulary& words) {
  const std::size_t size = words.texts.size(), keys = size / kHeads * kKeyHeads;
  std::vector<float> identity(size * size), next(size * size);
  for (std::size_t token = 0; token < size; ++token) {
    identity[token * size + token] = 1;
    next[words.sentence.front() * size + token] = 1;
  }
  for (std::size_t i = 0; i + 1 < words.sentence.size(); ++i) {
    next[words.sentence.front() * size + words.sentence[i]] = 0;
    next[words.sentence[i + 1] * size + words.sentence[i]] = 1e6F;
  }
  return {{"token_embd.weight", size, size, std::move(identity)},
          {"blk.0.attn_norm.weight", size, 1, ones(size)},
          {"blk.0.attn_q.weight", size, size},
          {"blk.0.attn_k.weight", size, keys},
          {"blk.0.attn_v.weight", size, keys},
          {"blk.0.attn_output.weight", size, size},
          {"blk.0.ffn_norm.weight", size, 1, ones(size)},
          {"blk.0.ffn_gate.weight", size, kForward},
          {"blk.0.ffn_up.weight", size, kForward},
          {"blk.0.ffn_down.weight", kForward, size},
          {"output_norm.weight", size, 1, ones(size)},
          {"output.weight", size, size, std::move(next)}};
}

void pad(std::string& bytes) {
  bytes.resize((bytes.size() + kAlignment - 1) / kAlignment * kAlignment);
}

}  // namespace

void write_tiny_model(const std::filesystem::path& file) {
  const Vocabulary words;
  const Header header = header_of(words);
  const std::vector<Tensor> tensors = tensors_of(words);
  std::string bytes = "GGUF", weights;
  append(bytes, std::uint32_t{3});
  append(bytes, std::uint64_t{tensors.size()});
  append(bytes, header.count());
  bytes += header.bytes();
  for (const Tensor& tensor : tensors) {
    append_text(bytes, tensor.name);
    append(bytes, std::uint32_t{tensor.height == 1 ? 1U : 2U});
    append(bytes, std::uint64_t{tensor.width});
    if (tensor.height != 1) append(bytes, std::uint64_t{tensor.height});
    append(bytes, std::uint32_t{0});  // 32-bit floats
    append(bytes, std::uint64_t{weights.size()});
    std::vector<float> values = tensor.values;
    values.resize(tensor.width * tensor.height);
    weights.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    pad(weights);
  }
  pad(bytes);
  std::ofstream stream(file, std::ios::binary);
  stream << bytes << weights;
  if (!stream.flush()) throw std::runtime_error("can't write " + file.string());
}

}  // namespace mellea::cli
