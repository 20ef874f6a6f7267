#include "mellea/backends/iam_reply.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/json.h"

namespace mellea {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr std::size_t kMaxWhole = 1U << 20U;  // bytes
constexpr std::size_t kMaxDepth = 64;
constexpr seconds kMaxLife = std::chrono::hours(24 * 365);

bool fits_a_header(const std::string& token) {
  return !token.empty() &&
         std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<seconds> life_of(const json& answer) {
  const auto found = answer.find("expires_in");
  if (found == answer.end() || !found->is_number_integer()) return {};
  return std::clamp(seconds(found->get<std::int64_t>()), seconds(0), kMaxLife);
}

class IamDecoder final : public ReplyDecoder {
 public:
  IamDecoder(std::shared_ptr<const RequestNames> names, std::function<void(IamToken)> take)
      : names_(std::move(names)), take_(std::move(take)) {}

  void begin(std::string_view) override {}

  void feed(std::string_view bytes, Instant, std::vector<Chunk>&) override {
    if (body_.size() + bytes.size() > kMaxWhole)
      refuse("the answer is over " + std::to_string(kMaxWhole) + " bytes");
    body_ += bytes;
  }

  bool ended() const noexcept override { return false; }

  void end(Instant, std::vector<Chunk>&) override {
    json answer(json::value_t::discarded);
    if (!nests_deeper_than(body_, kMaxDepth)) answer = json::parse(body_, nullptr, false);
    if (!answer.is_object()) refuse("the answer is no JSON object");
    const auto found = answer.find("access_token");
    if (found == answer.end() || !found->is_string()) refuse("the answer has no access_token");
    IamToken token{.value = found->get<std::string>(), .life = life_of(answer)};
    if (!fits_a_header(token.value)) refuse("the access_token is none");
    take_(std::move(token));
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  const std::shared_ptr<const RequestNames> names_;
  const std::function<void(IamToken)> take_;
  std::string body_{};
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_iam_decoder(std::shared_ptr<const RequestNames> names,
                                               std::function<void(IamToken)> take) {
  return std::make_unique<IamDecoder>(std::move(names), std::move(take));
}

}  // namespace mellea
