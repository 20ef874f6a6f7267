#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mellea/backends/json_reader.h"
#include "mellea/backends/watsonx_reply.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using Object = JsonReader::Object;
using Value = JsonReader::Value;

constexpr std::size_t kMaxBytes = 256U << 20U;

class EmbeddingsDecoder final : public ReplyDecoder {
 public:
  EmbeddingsDecoder(std::shared_ptr<const RequestNames> names, std::size_t prompts)
      : names_(std::move(names)), prompts_(prompts) {}

  void begin(std::string_view) override {}

  void feed(std::string_view bytes, Instant, std::vector<Chunk>&) override {
    if (body_.size() + bytes.size() > kMaxBytes)
      refuse("the answer is over " + std::to_string(kMaxBytes) + " bytes");
    body_ += bytes;
  }

  bool ended() const noexcept override { return false; }

  void end(Instant at, std::vector<Chunk>& out) override {
    JsonReader reader;
    const char* const why = reader.read(body_, [this](Object object) {
      embeddings_.clear();
      take(object);
    });
    if (why != nullptr)
      refuse("the answer is no list of embeddings: " + std::string(why) + ": \"" +
             one_line(body_, 80) + '"');
    if (embeddings_.size() != prompts_)
      refuse("there are " + std::to_string(embeddings_.size()) + " embeddings of " +
             std::to_string(prompts_));
    if (!model_.empty()) put(out, at, 0, ResponseInfo{.model = std::move(model_)});
    for (std::size_t i = 0; i < embeddings_.size(); ++i)
      put(out, at, static_cast<int>(i), std::move(embeddings_[i]));
    if (const Usage usage = checked({.input_tokens = tokens_}); usage.input_tokens)
      put(out, at, 0, usage);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  void take(Object object) {
    for (auto field : object) {
      const std::string_view key = field.unescaped_key();
      Value value = field.value();
      if (key == "results")
        results(value);
      else if (key == "model_id")
        model_ = to_utf8(text_if_any(value));
      else if (key == "input_token_count")
        tokens_ = count_of(value);
    }
  }

  void results(Value value) {
    if (!is_array(value)) throw WrongShape{"\"results\" is not an array"};
    for (auto element : value.get_array()) {
      Value item = element.value();
      if (!is_object(item)) throw WrongShape{"a result is not an object"};
      embedding(item.get_object());
    }
  }

  void embedding(Object object) {
    Embedding told;
    for (auto field : object) {
      const std::string_view key = field.unescaped_key();
      Value value = field.value();
      if (key != "embedding") continue;
      if (!is_array(value)) throw WrongShape{"an embedding is not an array"};
      for (auto number : value.get_array())
        told.values.push_back(static_cast<float>(number.get_double().value()));
    }
    if (told.values.empty()) throw WrongShape{"an embedding is empty"};
    embeddings_.push_back(std::move(told));
  }

  const std::shared_ptr<const RequestNames> names_;
  const std::size_t prompts_;
  std::string body_{};
  std::string model_{};
  std::optional<std::int64_t> tokens_{};  // of all prompts
  std::vector<Embedding> embeddings_{};   // in the order of the prompts
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_watsonx_embeddings_decoder(
    std::shared_ptr<const RequestNames> names, std::size_t prompts) {
  return std::make_unique<EmbeddingsDecoder>(std::move(names), prompts);
}

}  // namespace mellea
