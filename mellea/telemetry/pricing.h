// What a generation cost: an estimate, from what its tokens cost.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/endpoint.h"
#include "mellea/core/fork.h"
#include "mellea/core/reply.h"
#include "mellea/telemetry/config.h"
#include "mellea/telemetry/pricing_table.h"
#include "mellea/telemetry/warnings.h"

namespace mellea::telemetry {

// USD of 10^12 tokens, so that all arithmetic is in whole numbers: 1.25e-06 USD a token is 1250000.
// Below zero: there is none of its own. Cached tokens then cost what input does.
struct TokenPrices {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t cache_read = -1;
  std::int64_t cache_write = -1;

  friend bool operator==(const TokenPrices&, const TokenPrices&) = default;
};

// What one model costs: in a tier, and for requests of more than `above` input tokens (which then
// cost that from the first token on).
struct Rate {
  Tier tier = Tier::standard;
  std::int64_t above = 0;
  TokenPrices prices{};

  friend bool operator==(const Rate&, const Rate&) = default;
};
using Rates = std::vector<Rate>;

// In USD. The parts are known where it was worked out from prices, and add up to the whole.
struct Cost {
  double whole = 0;
  std::optional<double> input{};
  std::optional<double> output{};
};

// From what the provider counted. A tier without prices of its own costs as standard. What
// was not counted costs nothing; nothing at all is no cost. The tokens that were read from a cache
// or written to it are part of the input, and thinking is part of the output.
std::optional<Cost> cost_of(const Usage& usage, Tier tier, const Rates& rates) noexcept;

// In the schema of LiteLLM's model_prices_and_context_window.json: an object of models, each an
// object with input_cost_per_token, output_cost_per_token, cache_read_input_token_cost,
// cache_creation_input_token_cost (USD), also with _above_200k_tokens, and _batches, _flex or
// _priority at the end. What a rate does not say is as in its tier, then as in the standard tier
// for requests as long, then as in the standard tier. What else is there says nothing here. Entries
// that can't be used are left out, and `warn` is told how many.
using PriceMap = std::map<std::string, Rates, std::less<>>;
PriceMap read_prices(std::string_view json, const std::string& file,
                     const std::function<void(std::string)>& warn);

// Any thread may call anything.
class Pricing {
 public:
  // Reads the file, if one is named. `tell_unknown`: a model that ought to have a price and has
  // none is a warning, once.
  Pricing(const PricingOptions& options, bool tell_unknown, std::shared_ptr<Warnings> warnings);

  struct Generation {
    std::string_view provider{};
    std::string_view model{};  // as it was asked for
    const Endpoint& endpoint;
    const ResponseInfo* response = nullptr;  // null: there is no answer
    const Usage& usage;
    Scope scope{};     // whose it is, for the record of a model without a price
    TraceRef trace{};  // of its span
  };
  // Looks in the file first, then at what the provider says it cost (OpenRouter and LiteLLM do),
  // then in our own table; there not for what nobody bills: a model in this process, Ollama, and
  // servers on this machine that speak OpenAI's language. In the file and in the table a model is
  // looked for as provider/model, as model, without the provider that stands in front of it, and
  // without the date behind it; then as the provider calls it in its answer.
  std::optional<Cost> cost(const Generation& generation) const;

 private:
  void tell_unknown(const Generation& generation) const;

  const ForkMark fork_;
  const bool tell_unknown_;
  const std::shared_ptr<Warnings> warnings_;
  PriceMap file_;
  PriceMap table_;
  mutable std::mutex mutex_;
  mutable std::set<std::string, std::less<>> unknown_;  // told of; guarded by mutex_
};

}  // namespace mellea::telemetry
