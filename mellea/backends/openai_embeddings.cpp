#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "mellea/backends/json_reader.h"
#include "mellea/backends/openai_reply.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using simdjson::simdjson_error;
using simdjson::ondemand::json_type;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

constexpr std::size_t kMaxBytes = 256U << 20U;

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

class OpenAiEmbeddingsDecoder final : public ReplyDecoder {
 public:
  OpenAiEmbeddingsDecoder(std::shared_ptr<const RequestNames> names, std::size_t prompts)
      : names_(std::move(names)), embeddings_(prompts) {}

  void begin(std::string_view) override {}

  void feed(std::string_view bytes, Instant, std::vector<Chunk>&) override {
    if (body_.size() + bytes.size() > kMaxBytes)
      refuse("the answer is over " + std::to_string(kMaxBytes) + " bytes");
    body_ += bytes;
  }

  bool ended() const noexcept override { return false; }

  void end(Instant at, std::vector<Chunk>& out) override {
    try {
      read();
    } catch (const simdjson_error&) {
      refuse("the answer is no list of embeddings: \"" + one_line(body_, 80) + '"');
    }
    for (std::size_t i = 0; i < embeddings_.size(); ++i)
      if (embeddings_[i].values.empty())
        refuse("there is no embedding " + std::to_string(i) + " of " +
               std::to_string(embeddings_.size()) + ", counted from 0");
    if (!info_.model.empty()) out.push_back({.at = at, .what = std::move(info_)});
    for (std::size_t i = 0; i < embeddings_.size(); ++i)
      out.push_back({.at = at, .index = static_cast<int>(i), .what = std::move(embeddings_[i])});
    if (usage_) out.push_back({.at = at, .what = checked(*usage_)});
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  void read() {
    const simdjson::padded_string json(body_);
    simdjson::ondemand::parser parser;
    auto document = parser.iterate(json).value();
    for (auto field : document.get_object()) {
      const std::string_view key = field.unescaped_key();
      auto member = field.value().value();
      if (key == "data")
        for (auto element : member.get_array()) embedding(element.get_object().value());
      else if (key == "error" && member.type().value() == json_type::object)
        throw stream_error(*names_, body_, 0);
      else if (key == "model" && member.type().value() == json_type::string)
        info_.model = to_utf8(member.get_string().value());
      else if (key == "usage" && member.type().value() == json_type::object)
        usage(member.get_object().value());
    }
  }

  void embedding(object told) {
    std::optional<std::int64_t> index;
    std::vector<float> values;
    for (auto field : told) {
      const std::string_view key = field.unescaped_key();
      auto member = field.value().value();
      if (key == "index") {
        index = count_of(member);
      } else if (key == "embedding" && member.type().value() == json_type::string) {
        values = floats(from_base64(member.get_string().value()));
      } else if (key == "embedding") {
        for (auto element : member.get_array())
          values.push_back(static_cast<float>(element.get_double().value()));
      }
    }
    const auto place = static_cast<std::size_t>(index.value_or(-1));
    if (place >= embeddings_.size() || !embeddings_[place].values.empty())
      refuse("an embedding is of no prompt, or of one that has its own: index " +
             (index ? std::to_string(*index) : std::string("missing")));
    embeddings_[place].values = std::move(values);
  }

  void usage(object told) {
    usage_.emplace();
    for (auto field : told) {
      const std::string_view key = field.unescaped_key();
      auto member = field.value().value();
      if (key == "prompt_tokens")
        usage_->input_tokens = count_of(member);
      else if (key == "total_tokens")
        usage_->total_tokens = count_of(member);
    }
  }

  const std::shared_ptr<const RequestNames> names_;
  std::string body_{};
  std::vector<Embedding> embeddings_;  // by prompt; empty: not told
  ResponseInfo info_{};
  std::optional<Usage> usage_{};
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_openai_embeddings_decoder(
    std::shared_ptr<const RequestNames> names, std::size_t prompts) {
  return std::make_unique<OpenAiEmbeddingsDecoder>(std::move(names), prompts);
}

}  // namespace mellea
