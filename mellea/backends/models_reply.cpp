#include "mellea/backends/models_reply.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/json.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::size_t kMaxWhole = 64U << 20U;  // bytes
constexpr std::size_t kMaxDepth = 64;

class ModelsDecoder final : public ReplyDecoder {
 public:
  ModelsDecoder(std::shared_ptr<const RequestNames> names, ModelList form)
      : names_(std::move(names)), form_(form) {}

  void begin(std::string_view) override {}

  void feed(std::string_view bytes, Instant, std::vector<Chunk>&) override {
    if (body_.size() + bytes.size() > kMaxWhole)
      refuse("the answer is over " + std::to_string(kMaxWhole) + " bytes");
    body_ += bytes;
  }

  bool ended() const noexcept override { return false; }

  void end(Instant at, std::vector<Chunk>& out) override {
    nlohmann::json answer(nlohmann::json::value_t::discarded);
    if (!nests_deeper_than(body_, kMaxDepth))
      answer = nlohmann::json::parse(to_utf8(body_), nullptr, false);
    if (form_.list == nullptr) {
      if (!tell(answer, at, out)) refuse("the answer names no model", body_);
      return;
    }
    if (!answer.is_object() || !answer[form_.list].is_array())
      refuse("the answer is no list of models", body_);
    for (const nlohmann::json& model : answer[form_.list]) tell(model, at, out);
  }

 private:
  // False if it has no name.
  bool tell(const nlohmann::json& model, Instant at, std::vector<Chunk>& out) const {
    if (!model.is_object() || !model.contains(form_.name) || !model[form_.name].is_string())
      return false;
    out.push_back({.at = at, .what = model[form_.name].get<std::string>()});
    return true;
  }

  [[noreturn]] void refuse(const std::string& what, std::string_view body) const {
    refuse(what + ": \"" + one_line(body, 80) + '"');
  }
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::parse_error, names_->prefix() + what);
  }

  const std::shared_ptr<const RequestNames> names_;
  const ModelList form_;
  std::string body_{};
};

}  // namespace

std::unique_ptr<ReplyDecoder> make_models_decoder(std::shared_ptr<const RequestNames> names,
                                                  ModelList form) {
  return std::make_unique<ModelsDecoder>(std::move(names), form);
}

}  // namespace mellea
