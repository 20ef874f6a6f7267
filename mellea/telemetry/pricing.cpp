#include "mellea/telemetry/pricing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/json.h"
#include "mellea/core/text.h"
#include "mellea/telemetry/log_events.h"

namespace mellea::telemetry {
namespace {

constexpr double kPerDollar = 1e12;
constexpr std::size_t kMostUnknown = 100;  // models that are told of
constexpr std::size_t kLongestName = 200;

constexpr std::int64_t whole(double usd_of_a_million) {
  return usd_of_a_million < 0 ? -1 : static_cast<std::int64_t>(usd_of_a_million * 1e6 + 0.5);
}

PriceMap built_in() {
  PriceMap table;
  for (const PriceRow& row : price_table())
    table[std::string(row.model)].push_back(
        {.tier = row.tier,
         .above = row.above,
         .prices = {.input = whole(row.input),
                    .output = std::max<std::int64_t>(whole(row.output), 0),
                    .cache_read = whole(row.cache_read),
                    .cache_write = whole(row.cache_write)}});
  return table;
}

// The dearest that the request is long enough for.
const Rate* rate_for(Tier tier, std::int64_t input, const Rates& rates) noexcept {
  const Rate* best = nullptr;
  for (const Rate& rate : rates)
    if (rate.tier == tier && (rate.above == 0 || input > rate.above) &&
        (!best || rate.above > best->above))
      best = &rate;
  return best;
}

Tier tier_of(std::string_view word) noexcept {
  if (word == "batch") return Tier::batch;
  if (word == "flex") return Tier::flex;
  if (word == "priority") return Tier::priority;
  return Tier::standard;
}

// "input_cost_per_token_above_200k_tokens_batches" and its like.
struct PriceKey {
  std::int64_t TokenPrices::*field = nullptr;
  Tier tier = Tier::standard;
  std::int64_t above = 0;
};

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<PriceKey> price_key(std::string_view text) {
  PriceKey key;
  if (take(text, "input_cost_per_token"))
    key.field = &TokenPrices::input;
  else if (take(text, "output_cost_per_token"))
    key.field = &TokenPrices::output;
  else if (take(text, "cache_read_input_token_cost"))
    key.field = &TokenPrices::cache_read;
  else if (take(text, "cache_creation_input_token_cost"))
    key.field = &TokenPrices::cache_write;
  else
    return std::nullopt;
  if (take(text, "_above_")) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key.above);
    if (error != std::errc() || key.above <= 0 || key.above > 1'000'000) return std::nullopt;
    key.above *= 1000;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!take(text, "k_tokens")) return std::nullopt;
  }
  if (text == "_batches")
    key.tier = Tier::batch;
  else if (text == "_flex")
    key.tier = Tier::flex;
  else if (text == "_priority")
    key.tier = Tier::priority;
  else if (!text.empty())
    return std::nullopt;
  return key;
}

// What a rate does not say is as in its tier, then as in the standard tier for requests as long,
// then as in the standard tier.
Rate completed(Rate rate, const Rates& given) {
  const auto take_from = [&](Tier tier, std::int64_t above) {
    for (const Rate& one : given) {
      if (one.tier != tier || one.above != above) continue;
      for (const auto field : {&TokenPrices::input, &TokenPrices::output, &TokenPrices::cache_read,
                               &TokenPrices::cache_write})
        if (rate.prices.*field < 0) rate.prices.*field = one.prices.*field;
    }
  };
  take_from(rate.tier, 0);
  take_from(Tier::standard, rate.above);
  take_from(Tier::standard, 0);
  rate.prices.output = std::max<std::int64_t>(rate.prices.output, 0);
  return rate;
}

// Throws std::invalid_argument, which says what is wrong.
Rates read_rates(const nlohmann::json& entry) {
  if (!entry.is_object()) throw std::invalid_argument("it is no object");
  std::vector<Rate> rates;
  for (const auto& [name, value] : entry.items()) {
    const std::optional<PriceKey> key = price_key(name);
    if (!key || value.is_null()) continue;
    const double price = value.is_number() ? value.get<double>() : -1;
    if (!(price >= 0) || price > 1) throw std::invalid_argument(name + " is no price of a token");
    auto rate = std::find_if(rates.begin(), rates.end(), [&](const Rate& one) {
      return one.tier == key->tier && one.above == key->above;
    });
    if (rate == rates.end())
      rate = rates.insert(
          rate, {.tier = key->tier, .above = key->above, .prices = {.input = -1, .output = -1}});
    rate->prices.*(key->field) = std::llround(price * kPerDollar);
  }
  const auto standard = std::find_if(rates.begin(), rates.end(), [](const Rate& one) {
    return one.tier == Tier::standard && one.above == 0;
  });
  if (standard == rates.end() || standard->prices.input < 0)
    throw std::invalid_argument("it has no input_cost_per_token");
  std::vector<Rate> whole;
  for (const Rate& rate : rates) whole.push_back(completed(rate, rates));
  return whole;
}

// Puts names together without asking the heap for room.
class Name {
 public:
  Name(std::string_view provider, std::string_view model) {
    if (provider.size() + 1 + model.size() > text_.size()) return;
    char* end = std::copy(provider.begin(), provider.end(), text_.data());
    *end++ = '/';
    end = std::copy(model.begin(), model.end(), end);
    size_ = static_cast<std::size_t>(end - text_.data());
  }
  std::string_view text() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, kLongestName> text_{};
  std::size_t size_ = 0;  // 0: too long to be anybody's name
};

// "gpt-4o-2024-08-06" and "claude-x-20250929" without the date; empty if there is none.
std::string_view without_date(std::string_view model) noexcept {
  const auto ends_like = [&](std::string_view form) {
    if (model.size() <= form.size()) return false;
    const std::string_view end = model.substr(model.size() - form.size());
    return std::equal(end.begin(), end.end(), form.begin(), [](char c, char wanted) {
      return wanted == '0' ? c >= '0' && c <= '9' : c == wanted;
    });
  };
  for (const std::string_view form : {"-0000-00-00", "-00000000"})
    if (ends_like(form)) return model.substr(0, model.size() - form.size());
  return {};
}

const Rates* find(const PriceMap& prices, std::string_view provider, std::string_view model) {
  const auto look = [&](std::string_view name) -> const Rates* {
    const auto found = prices.find(name);
    return found == prices.end() ? nullptr : &found->second;
  };
  const auto look_both = [&](std::string_view name) -> const Rates* {
    if (const Rates* rates = look(Name(provider, name).text())) return rates;
    if (const Rates* rates = look(name)) return rates;
    const std::size_t slash = name.rfind('/');
    return slash == std::string_view::npos ? nullptr : look(name.substr(slash + 1));
  };
  if (prices.empty() || model.empty()) return nullptr;
  if (const Rates* rates = look_both(model)) return rates;
  const std::string_view undated = without_date(model);
  return undated.empty() ? nullptr : look_both(undated);
}

const Rates* find(const PriceMap& prices, const Pricing::Generation& generation) {
  if (const Rates* rates = find(prices, generation.provider, generation.model)) return rates;
  return generation.response ? find(prices, generation.provider, generation.response->model)
                             : nullptr;
}

std::optional<double> dollars(const nlohmann::json& value) {
  double cost = -1;
  if (value.is_number()) {
    cost = value.get<double>();
  } else if (const auto* text = value.get_ptr<const std::string*>()) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), cost);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  }
  if (!(cost >= 0) || !std::isfinite(cost)) return std::nullopt;
  return cost;
}

// What the provider says.
std::optional<double> stated_cost(const ResponseInfo* response) {
  if (!response || !response->metadata || !response->metadata->is_object()) return std::nullopt;
  const nlohmann::json& told = *response->metadata;
  if (const auto header = told.find("x-litellm-response-cost"); header != told.end())
    if (const auto cost = dollars(*header)) return cost;
  const auto usage = told.find("usage");
  if (usage == told.end() || !usage->is_object()) return std::nullopt;
  const auto cost = usage->find("cost");
  return cost == usage->end() ? std::nullopt : dollars(*cost);
}

bool is_here(std::string_view address) noexcept {
  return address == "localhost" || address.starts_with("127.") || address == "::1";
}

bool is_billed(const Pricing::Generation& generation) noexcept {
  const std::string_view provider = generation.provider;
  if (generation.endpoint.local || provider == "ollama" || provider == "scripted") return false;
  return provider != "openai" || !is_here(generation.endpoint.address);
}

// Nothing if the file can't be read: a folder can be opened, and only that.
std::optional<std::string> text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::string text;
  std::array<char, 16'384> part{};
  while (in.read(part.data(), part.size()) || in.gcount() > 0)
    text.append(part.data(), static_cast<std::size_t>(in.gcount()));
  if (in.bad()) return std::nullopt;
  return text;
}

}  // namespace

std::optional<Cost> cost_of(const Usage& usage, Tier tier, const Rates& rates) noexcept {
  if (!usage.input_tokens && !usage.output_tokens) return std::nullopt;
  const std::int64_t input = usage.input_tokens.value_or(0);
  const Rate* rate = rate_for(tier, input, rates);
  if (!rate) rate = rate_for(Tier::standard, input, rates);
  if (!rate) return std::nullopt;
  const TokenPrices& prices = rate->prices;
  const std::int64_t read = std::min(usage.cache_read_tokens.value_or(0), input);
  const std::int64_t written = std::min(usage.cache_write_tokens.value_or(0), input - read);
  const auto or_input = [&](std::int64_t price) { return price < 0 ? prices.input : price; };
  // A sum that no longer fits is more than nine million dollars, and was never counted right.
  std::int64_t sum = 0;
  const auto add = [&](std::int64_t tokens, std::int64_t price) {
    std::int64_t part = 0;
    return !__builtin_mul_overflow(tokens, price, &part) &&
           !__builtin_add_overflow(sum, part, &sum);
  };
  if (!add(input - read - written, prices.input) || !add(read, or_input(prices.cache_read)) ||
      !add(written, or_input(prices.cache_write)))
    return std::nullopt;
  const std::int64_t of_input = sum;
  if (!add(usage.output_tokens.value_or(0), prices.output)) return std::nullopt;
  const auto dollars_of = [](std::int64_t part) { return static_cast<double>(part) / kPerDollar; };
  return Cost{dollars_of(sum), dollars_of(of_input), dollars_of(sum - of_input)};
}

PriceMap read_prices(std::string_view json, const std::string& file,
                     const std::function<void(std::string)>& warn) {
  PriceMap prices;
  Json document;
  try {
    document = Json::parse(json);
  } catch (const Error&) {
    warn(file + ": is no JSON; no price is taken from it");
    return prices;
  }
  if (!document->is_object()) {
    warn(file + ": is no JSON object of models; no price is taken from it");
    return prices;
  }
  std::size_t left_out = 0;
  std::string first;
  for (const auto& [model, entry] : document->items()) {
    if (model == "sample_spec") continue;  // LiteLLM's own file explains itself with it
    try {
      prices[model] = read_rates(entry);
    } catch (const std::invalid_argument& error) {
      prices.erase(model);
      if (left_out++ == 0) first = one_line(model, 100) + ", for " + error.what();
    }
  }
  if (left_out > 0)
    warn(file + ": " + std::to_string(left_out) + " of " + std::to_string(document->size()) +
         " entries are left out; the first: " + first);
  return prices;
}

Pricing::Pricing(const PricingOptions& options, bool tell_unknown,
                 std::shared_ptr<Warnings> warnings)
    : tell_unknown_(tell_unknown), warnings_(std::move(warnings)), table_(built_in()) {
  if (options.file.empty()) return;
  const std::optional<std::string> text = text_of(options.file);
  if (!text)
    warnings_->add(options.file + ": cannot be read; prices are ours");
  else
    file_ = read_prices(*text, options.file,
                        [this](std::string warning) { warnings_->add(std::move(warning)); });
}

std::optional<Cost> Pricing::cost(const Generation& generation) const {
  const Tier tier = generation.response ? tier_of(generation.response->service_tier) : Tier{};
  if (const Rates* rates = find(file_, generation)) return cost_of(generation.usage, tier, *rates);
  if (const auto stated = stated_cost(generation.response)) return Cost{.whole = *stated};
  if (!is_billed(generation)) return std::nullopt;
  if (const Rates* rates = find(table_, generation)) return cost_of(generation.usage, tier, *rates);
  tell_unknown(generation);
  return std::nullopt;
}

void Pricing::tell_unknown(const Generation& generation) const {
  if (!tell_unknown_ || fork_.inherited() || generation.model.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (unknown_.size() >= kMostUnknown || unknown_.contains(generation.model)) return;
    unknown_.emplace(generation.model);
  }
  warnings_->add("no price is known of " + std::string(generation.provider) + "'s model " +
                 one_line(generation.model, 100) +
                 ": what it costs is not recorded; MELLEA_PRICING_FILE can name it");
  LogRecord record{.severity = Severity::warn,
                   .event = log_event::kUnknownModel,
                   .body = "no price is known of a model: what it costs is not recorded"};
  set_place(record, generation.scope, generation.trace);
  record.set(Fact::provider, std::string(provider_name(generation.provider)));
  record.set(Fact::request_model, std::string(generation.model));
  set_labels(record, generation.scope.labels());
  warnings_->log(std::move(record));
}

}  // namespace mellea::telemetry
