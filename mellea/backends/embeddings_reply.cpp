#include "mellea/backends/embeddings_reply.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::size_t kMaxBytes = 256U << 20U;

class EmbeddingsDecoder final : public ReplyDecoder {
 public:
  EmbeddingsDecoder(std::shared_ptr<const RequestNames> names, std::size_t prompts,
                    ReadEmbeddings read)
      : names_(std::move(names)), prompts_(prompts), read_(read) {}

  void begin(std::string_view) override {}

  void feed(std::string_view bytes, Instant, std::vector<Chunk>&) override {
    if (body_.size() + bytes.size() > kMaxBytes)
      refuse("the answer is over " + std::to_string(kMaxBytes) + " bytes");
    body_ += bytes;
  }

  bool ended() const noexcept override { return false; }

  void end(Instant at, std::vector<Chunk>& out) override {
    ToldEmbeddings told;
    JsonReader reader;
    const char* const why = reader.read(body_, [&](JsonReader::Object answer) {
      told = {.vectors = std::vector<Embedding>(prompts_)};
      read_(answer, told);
    });
    if (why != nullptr)
      refuse("the answer is wrong: " + std::string(why) + ": \"" + one_line(body_, 80) + '"');
    if (told.is_error) throw stream_error(*names_, body_, 0);
    for (std::size_t i = 0; i < prompts_; ++i) check(told.vectors[i].values, i);
    if (!told.info.model.empty() || told.info.metadata) put(out, at, 0, std::move(told.info));
    for (std::size_t i = 0; i < prompts_; ++i)
      put(out, at, static_cast<int>(i), std::move(told.vectors[i]));
    if (const Usage usage = checked(told.usage.value_or(Usage{})); usage != Usage{})
      put(out, at, prompts_ > 1 ? -1 : 0, usage);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  void check(const std::vector<float>& vector, std::size_t prompt) const {
    const auto which = [&] {
      return "embedding " + std::to_string(prompt) + " of " + std::to_string(prompts_) +
             ", counted from 0";
    };
    if (vector.empty()) refuse("there is no " + which());
    if (!std::all_of(vector.begin(), vector.end(), [](float one) { return std::isfinite(one); }))
      refuse(which() + ", has a number that is none");
  }

  const std::shared_ptr<const RequestNames> names_;
  const std::size_t prompts_;
  const ReadEmbeddings read_;
  std::string body_{};
};

}  // namespace

void ToldEmbeddings::place(std::optional<std::int64_t> prompt, std::vector<float> vector) {
  const auto at = static_cast<std::size_t>(prompt.value_or(-1));
  if (at >= vectors.size() || !vectors[at].values.empty())
    throw WrongShape{"an embedding is of no prompt, or of one that has its own"};
  vectors[at].values = std::move(vector);
}

std::unique_ptr<ReplyDecoder> make_embeddings_decoder(std::shared_ptr<const RequestNames> names,
                                                      std::size_t prompts, ReadEmbeddings read) {
  return std::make_unique<EmbeddingsDecoder>(std::move(names), prompts, read);
}

std::vector<float> vector_of(JsonReader::Value numbers) {
  if (!is_array(numbers)) throw WrongShape{"an embedding is no list of numbers"};
  std::vector<float> vector;
  for (auto element : numbers.get_array()) {
    double number = 0;
    if (element.get_double().get(number)) throw WrongShape{"an embedding has what is no number"};
    // What no float can hold is no embedding; the cast alone would be undefined.
    constexpr double kLargest = std::numeric_limits<float>::max();
    vector.push_back(std::abs(number) <= kLargest ? static_cast<float>(number) : HUGE_VALF);
  }
  return vector;
}

}  // namespace mellea
