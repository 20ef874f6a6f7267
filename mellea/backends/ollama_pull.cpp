#include "mellea/backends/ollama_pull.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/net/ndjson.h"

namespace mellea {
namespace {

constexpr std::size_t kMaxDepth = 64;

class PullDecoder final : public ReplyDecoder {
 public:
  explicit PullDecoder(std::shared_ptr<const RequestNames> names) : names_(std::move(names)) {}

  void begin(std::string_view) override {}

  void feed(std::string_view bytes, Instant at, std::vector<Chunk>& out) override {
    lines_.feed(bytes);
    std::string_view line;
    while (!ended_ && next(line)) take(line, at, out);
  }

  bool ended() const noexcept override { return ended_; }

  void end(Instant at, std::vector<Chunk>& out) override {
    std::string_view line;
    const bool is_rest = lines_.finish(line);
    // A line that is cut is not wrong; but what was none from the beginning is.
    const bool is_cut = is_rest && !read(line).is_object() && (count_ > 0 || line.starts_with('{'));
    if (is_rest && !is_cut) take(line, at, out);
    if (!ended_)
      throw Error(Errc::transport_error,
                  names_->prefix() + "the connection ended before the model was fetched",
                  {.retryable = true});
  }

 private:
  bool next(std::string_view& line) {
    try {
      return lines_.next(line);
    } catch (const Error& error) {
      throw about(*names_, error);
    }
  }

  static nlohmann::json read(std::string_view line) {
    if (nests_deeper_than(line, kMaxDepth)) return {};
    return nlohmann::json::parse(to_utf8(line), nullptr, /*allow_exceptions=*/false);
  }

  void take(std::string_view line, Instant at, std::vector<Chunk>& out) {
    nlohmann::json told = read(line);
    if (!told.is_object())
      throw Error(Errc::parse_error, names_->prefix() + "line " + std::to_string(count_ + 1) +
                                         " of the answer is no JSON object: \"" +
                                         one_line(line, 80) + '"');
    if (told.contains("error")) throw stream_error(*names_, line, 0);
    ++count_;
    ended_ = told.value("status", nlohmann::json()) == "success";
    put(out, at, 0, ResponseInfo{.metadata = Json(std::move(told))});
  }

  const std::shared_ptr<const RequestNames> names_;
  NdjsonParser lines_;
  std::size_t count_ = 0;  // of lines
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_ollama_pull_decoder(std::shared_ptr<const RequestNames> names) {
  return std::make_unique<PullDecoder>(std::move(names));
}

}  // namespace mellea
