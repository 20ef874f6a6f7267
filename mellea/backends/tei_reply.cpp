#include "mellea/backends/tei_reply.h"

#include <simdjson.h>

#include <optional>
#include <string>
#include <utility>

#include "mellea/backends/header_count.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using simdjson::simdjson_error;
using simdjson::ondemand::json_type;

constexpr std::size_t kMaxBytes = 256U << 20U;

class TeiDecoder final : public ReplyDecoder {
 public:
  TeiDecoder(std::shared_ptr<const RequestNames> names, std::size_t prompts)
      : names_(std::move(names)), prompts_(prompts) {}

  void head(const Headers& headers) override { tokens_ = count_in(headers, "x-compute-tokens"); }

  void begin(std::string_view) override {}

  void feed(std::string_view bytes, Instant, std::vector<Chunk>&) override {
    if (body_.size() + bytes.size() > kMaxBytes)
      refuse("the answer is over " + std::to_string(kMaxBytes) + " bytes");
    body_ += bytes;
  }

  bool ended() const noexcept override { return false; }

  void end(Instant at, std::vector<Chunk>& out) override {
    std::vector<Embedding> embeddings;
    try {
      embeddings = read();
    } catch (const simdjson_error&) {
      refuse("the answer is no list of embeddings: \"" + one_line(body_, 80) + '"');
    }
    if (embeddings.size() != prompts_)
      refuse("there are " + std::to_string(embeddings.size()) + " embeddings of " +
             std::to_string(prompts_) + " texts");
    for (std::size_t i = 0; i < embeddings.size(); ++i)
      put(out, at, static_cast<int>(i), std::move(embeddings[i]));
    if (const Usage usage = checked({.input_tokens = tokens_}); usage != Usage{})
      put(out, at, 0, usage);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  std::vector<Embedding> read() const {
    const simdjson::padded_string json(body_);
    simdjson::ondemand::parser parser;
    auto document = parser.iterate(json).value();
    if (document.type().value() == json_type::object) throw stream_error(*names_, body_, 0);
    std::vector<Embedding> embeddings;
    for (auto vector : document.get_array()) {
      Embedding& embedding = embeddings.emplace_back();
      for (auto element : vector.get_array()) {
        auto value = element.value();
        if (value.type().value() == json_type::array)
          refuse("the model has one vector for each token, and none for the text");
        embedding.values.push_back(static_cast<float>(value.get_double().value()));
      }
      if (embedding.values.empty())
        refuse("embedding " + std::to_string(embeddings.size() - 1) + ", counted from 0, is empty");
    }
    const char* rest = nullptr;
    if (!document.current_location().get(rest)) throw simdjson_error(simdjson::TRAILING_CONTENT);
    return embeddings;
  }

  const std::shared_ptr<const RequestNames> names_;
  const std::size_t prompts_;
  std::string body_{};
  std::optional<std::int64_t> tokens_{};
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_tei_decoder(std::shared_ptr<const RequestNames> names,
                                               std::size_t prompts) {
  return std::make_unique<TeiDecoder>(std::move(names), prompts);
}

}  // namespace mellea
