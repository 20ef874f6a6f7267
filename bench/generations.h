// What the runtime tells plugins of a generation, without a runtime.
#pragma once

#include <memory>
#include <vector>

#include "measure.h"
#include "mellea/hooks/hook.h"

namespace mellea::bench {

// The generations that a runtime would tell of. Made beforehand: it makes them for any plugin.
class Generations {
 public:
  // `count` of them, none told yet.
  std::vector<std::shared_ptr<GenerationPreCall>>& fresh(int count) {
    openings_.clear();
    for (int i = 0; i < count; ++i)
      openings_.push_back(std::make_shared<GenerationPreCall>(
          GenerationPreCall{.scope = Scope::root(Kind::generation),
                            .at = Clock::now(),
                            .target = target_,
                            .request = request_}));
    return openings_;
  }

  void tell(const Hooks& hooks, const std::shared_ptr<GenerationPreCall>& opening) const {
    keep(hooks.decide(*opening));
    hooks.tell<GenerationPreCall>(*opening);
    hooks.tell(GenerationPostCall{
        .opening = opening, .ending = {.at = Clock::now()}, .reply = reply_, .effort = {}});
  }

 private:
  const std::shared_ptr<const Target> target_ = std::make_shared<const Target>(
      Target{.provider = "openai",
             .endpoint = {.address = "api.openai.com", .port = 443},
             .component = "Instruction",
             .conversation = std::make_shared<const std::string>(Id::random().text())});
  const Cow<Request> request_ =
      Request{.model = "granite4:micro-with-a-long-name",
              .options = {.temperature = 0.5, .top_p = 0.9, .max_tokens = 64, .seed = 7}};
  const std::shared_ptr<const Reply> reply_ = std::make_shared<const Reply>(
      Reply{.finish_reasons = {"stop"},
            .response = {.id = "chatcmpl-0123456789012345678901234567", .model = "granite4:micro"},
            .usage = Usage{.input_tokens = 42, .output_tokens = 18, .total_tokens = 60}});
  std::vector<std::shared_ptr<GenerationPreCall>> openings_;
};

}  // namespace mellea::bench
