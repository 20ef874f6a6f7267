#include "mellea/backends/tei_reply.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "mellea/backends/embeddings_reply.h"
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
    std::vector<Embedding> embeddings = read();
    if (embeddings.size() != prompts_)
      refuse("there are " + std::to_string(embeddings.size()) + " embeddings of " +
             std::to_string(prompts_) + " texts");
    for (std::size_t i = 0; i < embeddings.size(); ++i) check(embeddings[i].values, i);
    for (std::size_t i = 0; i < embeddings.size(); ++i)
      put(out, at, static_cast<int>(i), std::move(embeddings[i]));
    if (const Usage usage = checked({.input_tokens = tokens_}); usage != Usage{})
      put(out, at, prompts_ > 1 ? -1 : 0, usage);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  std::vector<Embedding> read() const {
    try {
      return parse();
    } catch (const simdjson_error&) {
      refuse("the answer is no list of embeddings: \"" + one_line(body_, 80) + '"');
    } catch (const WrongShape& shape) {
      const bool is_deeper = body_.starts_with("[[[");
      refuse(is_deeper ? "the model has one vector for each token, and none for the text"
                       : "the answer is wrong: " + std::string(shape.why) + ": \"" +
                             one_line(body_, 80) + '"');
    }
  }

  std::vector<Embedding> parse() const {
    const simdjson::padded_string json(body_);
    simdjson::ondemand::parser parser;
    auto document = parser.iterate(json).value();
    if (document.type().value() == json_type::object) throw stream_error(*names_, body_, 0);
    std::vector<Embedding> embeddings;
    for (auto vector : document.get_array()) {
      if (embeddings.size() == prompts_)
        refuse("there are more embeddings than the " + std::to_string(prompts_) + " texts");
      embeddings.push_back({vector_of(vector.value())});
    }
    const char* rest = nullptr;
    if (!document.current_location().get(rest)) throw simdjson_error(simdjson::TRAILING_CONTENT);
    return embeddings;
  }

  void check(const std::vector<float>& vector, std::size_t text) const {
    const auto which = [text] {
      return "embedding " + std::to_string(text) + ", counted from 0, ";
    };
    if (vector.empty()) refuse(which() + "is empty");
    if (!std::all_of(vector.begin(), vector.end(), [](float one) { return std::isfinite(one); }))
      refuse(which() + "has a number that is none");
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
