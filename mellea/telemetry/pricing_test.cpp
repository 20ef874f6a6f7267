#include "mellea/telemetry/pricing.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace mellea::telemetry {
namespace {

const Rates kRates = {
    {.prices = {.input = 2'000'000, .output = 8'000'000, .cache_read = 500'000}},
    {.above = 200'000, .prices = {.input = 4'000'000, .output = 12'000'000}},
    {.tier = Tier::batch, .prices = {.input = 1'000'000, .output = 4'000'000}},
};

std::optional<double> cost(const Usage& usage, Tier tier = Tier::standard) {
  const auto cost = cost_of(usage, tier, kRates);
  return cost ? std::optional(cost->whole) : std::nullopt;
}

TEST(PricingTest, TokensCostWhatTheyAre) {
  EXPECT_EQ(cost({.input_tokens = 1000, .output_tokens = 100}), 0.0028);
  EXPECT_EQ(cost({.input_tokens = 1000}), 0.002);
  EXPECT_EQ(cost({.output_tokens = 1}), 0.000008);
  EXPECT_EQ(cost({.input_tokens = 0, .output_tokens = 0}), 0.0);
  EXPECT_EQ(cost({.total_tokens = 5}), std::nullopt);
}

TEST(PricingTest, WhatWasCachedIsPartOfTheInputAndHasItsOwnPrice) {
  EXPECT_EQ(cost({.input_tokens = 1000, .cache_read_tokens = 400}), 0.0014);
  // There is no price of its own for what was written: it costs what input does.
  EXPECT_EQ(cost({.input_tokens = 1000, .cache_write_tokens = 400}), 0.002);
  EXPECT_EQ(cost_of({.input_tokens = 1000, .cache_read_tokens = 400, .cache_write_tokens = 100},
                    Tier::standard,
                    {{.prices = {.input = 3'000'000,
                                 .output = 0,
                                 .cache_read = 300'000,
                                 .cache_write = 3'750'000}}})
                ->whole,
            0.001995);
}

TEST(PricingTest, TheWholeIsWhatWentInAndWhatCameOut) {
  const auto cost = cost_of({.input_tokens = 1000, .output_tokens = 100, .cache_read_tokens = 400},
                            Tier::standard, kRates);
  EXPECT_EQ(cost->whole, 0.0022);
  EXPECT_EQ(cost->input, 0.0014);
  EXPECT_EQ(cost->output, 0.0008);
}

TEST(PricingTest, ThinkingIsPartOfTheOutput) {
  EXPECT_EQ(cost({.output_tokens = 100, .reasoning_tokens = 90}), 0.0008);
}

TEST(PricingTest, ALongRequestCostsMoreFromItsFirstToken) {
  EXPECT_EQ(cost({.input_tokens = 200'000}), 0.4);
  EXPECT_EQ(cost({.input_tokens = 200'001}), 0.800004);
}

TEST(PricingTest, ATierHasItsOwnPricesOrThoseOfTheStandard) {
  EXPECT_EQ(cost({.input_tokens = 1000}, Tier::batch), 0.001);
  EXPECT_EQ(cost({.input_tokens = 1000}, Tier::flex), 0.002);
  // Long ones of a tier that says nothing about long ones cost as its others do.
  EXPECT_EQ(cost({.input_tokens = 1'000'000}, Tier::batch), 1.0);
}

TEST(PricingTest, ASumThatCanNotBeIsNone) {
  EXPECT_EQ(cost({.input_tokens = std::numeric_limits<std::int64_t>::max()}), std::nullopt);
}

TEST(PricingTest, EachRowOfTheTableHasASourceAndAPriceThatCanBe) {
  EXPECT_GT(price_table().size(), 200U);
  EXPECT_EQ(price_table_date().size(), 10U);
  for (const PriceRow& row : price_table()) {
    EXPECT_TRUE(row.source.starts_with("https://") || row.source == price_table_release())
        << row.model;
    EXPECT_GT(row.input, 0) << row.model;
    EXPECT_LT(row.input, 200) << row.model;
    EXPECT_LT(row.output, 1000) << row.model;
    EXPECT_LE(row.cache_read, row.input) << row.model;  // a discount, wherever there is one
  }
}

class PriceFileTest : public testing::Test {
 protected:
  PriceMap read(const std::string& json) {
    warnings_.clear();
    return read_prices(json, "p.json", [this](std::string text) { warnings_.push_back(text); });
  }
  std::vector<std::string> warnings_;
};

TEST_F(PriceFileTest, IsInTheSchemaOfLiteLlm) {
  const PriceMap prices = read(R"({
    "sample_spec": {"input_cost_per_token": "as text"},
    "small": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06},
    "large": {
      "litellm_provider": "openai", "max_tokens": 128000, "source": "https://x",
      "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
      "cache_read_input_token_cost": 1.25e-07, "cache_creation_input_token_cost": 1.5e-06,
      "cache_creation_input_token_cost_above_1hr": 2e-06,
      "input_cost_per_token_batches": 6.25e-07,
      "input_cost_per_token_above_200k_tokens": 2.5e-06,
      "input_cost_per_token_above_200k_tokens_priority": 5e-06,
      "search_context_cost_per_query": {"high": 0.01}}})");
  EXPECT_TRUE(warnings_.empty());
  ASSERT_EQ(prices.size(), 2U);
  EXPECT_EQ(prices.at("small"), (Rates{{.prices = {.input = 1'000'000, .output = 2'000'000}}}));
  const Rates& large = prices.at("large");
  ASSERT_EQ(large.size(), 4U);
  const auto rate = [&](Tier tier, std::int64_t above) {
    for (const Rate& one : large)
      if (one.tier == tier && one.above == above) return one.prices;
    return TokenPrices{};
  };
  EXPECT_EQ(rate(Tier::standard, 0), (TokenPrices{1'250'000, 10'000'000, 125'000, 1'500'000}));
  // What a rate does not say is as elsewhere.
  EXPECT_EQ(rate(Tier::batch, 0), (TokenPrices{625'000, 10'000'000, 125'000, 1'500'000}));
  EXPECT_EQ(rate(Tier::standard, 200'000),
            (TokenPrices{2'500'000, 10'000'000, 125'000, 1'500'000}));
  EXPECT_EQ(rate(Tier::priority, 200'000),
            (TokenPrices{5'000'000, 10'000'000, 125'000, 1'500'000}));
}

TEST_F(PriceFileTest, WhatARateDoesNotSayIsAsInItsTierFirst) {
  const PriceMap prices = read(R"({"m": {
      "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-05,
      "cache_read_input_token_cost": 1e-07, "cache_creation_input_token_cost": 2e-06,
      "cache_read_input_token_cost_above_200k_tokens": 2e-07,
      "output_cost_per_token_above_200k_tokens": 2e-05,
      "output_cost_per_token_flex": 5e-06,
      "input_cost_per_token_above_200k_tokens_flex": 7e-06}})");
  const Rates& rates = prices.at("m");
  const auto found = std::find_if(rates.begin(), rates.end(), [](const Rate& one) {
    return one.tier == Tier::flex && one.above == 200'000;
  });
  ASSERT_NE(found, rates.end());
  EXPECT_EQ(found->prices, (TokenPrices{7'000'000, 5'000'000, 200'000, 2'000'000}));
}

TEST_F(PriceFileTest, WhatIsWrongIsToldAndTheRestIsUsed) {
  EXPECT_TRUE(read("{").empty());
  EXPECT_EQ(warnings_, std::vector<std::string>{"p.json: is no JSON; no price is taken from it"});
  EXPECT_TRUE(read("[1]").empty());
  EXPECT_EQ(warnings_, std::vector<std::string>{
                           "p.json: is no JSON object of models; no price is taken from it"});
  const PriceMap prices = read(R"({"a": 1, "b": {"output_cost_per_token": 1e-6},
      "c": {"input_cost_per_token": "free"}, "d": {"input_cost_per_token": 25},
      "e": {"input_cost_per_token": 0}})");
  EXPECT_EQ(prices.size(), 1U);
  EXPECT_TRUE(prices.contains("e"));
  EXPECT_EQ(warnings_,
            std::vector<std::string>{
                "p.json: 4 of 5 entries are left out; the first: a, for it is no object"});
  read(R"({"c": {"input_cost_per_token": "free"}})");
  EXPECT_EQ(warnings_,
            std::vector<std::string>{"p.json: 1 of 1 entries are left out; the first: c, "
                                     "for input_cost_per_token is no price of a token"});
}

class PricingLookupTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  void make(const std::string& file = {}, bool tell_unknown = true) {
    if (!file.empty()) std::ofstream(path_) << file;
    pricing_ = std::make_unique<Pricing>(PricingOptions{.file = file.empty() ? "" : path_},
                                         tell_unknown, warnings_);
  }
  // What a million tokens of input cost.
  double of(std::string_view provider, std::string_view model, const Endpoint& endpoint = {},
            const ResponseInfo& response = {}) {
    const Usage usage{.input_tokens = 100'000};
    return 10 * pricing_
                    ->cost({.provider = provider,
                            .model = model,
                            .endpoint = endpoint,
                            .response = &response,
                            .usage = usage})
                    .value_or(Cost{.whole = -0.1})
                    .whole;
  }

  const std::string path_ = testing::TempDir() + "mellea_prices_" + std::to_string(::getpid());
  std::shared_ptr<Warnings> warnings_ = std::make_shared<Warnings>();
  std::unique_ptr<Pricing> pricing_;
};

TEST_F(PricingLookupTest, OursAreFoundByTheNamesModelsGoBy) {
  make();
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o"), 2.5);
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o-2024-11-20"), 2.5);
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o-2024-05-13"), 5);  // it has a row of its own
  EXPECT_DOUBLE_EQ(of("openai", "openai/gpt-4o"), 2.5);    // OpenRouter's name for it
  EXPECT_DOUBLE_EQ(of("litellm", "anthropic/claude-haiku-4-5-20251001"), 1);
  EXPECT_DOUBLE_EQ(of("watsonx", "ibm/granite-4-h-small"), 0.0636);
  EXPECT_DOUBLE_EQ(of("openai", "my-alias", {}, {.model = "gpt-4o-mini-2024-07-18"}), 0.15);
  EXPECT_TRUE(warnings_->all().empty());
}

TEST_F(PricingLookupTest, TheFileWinsOverWhatTheProviderSaysAndThatOverOurs) {
  make(R"({"gpt-4o": {"input_cost_per_token": 7e-06},
           "ollama/granite4:micro": {"input_cost_per_token": 1e-08}})");
  ResponseInfo told;
  told.metadata = Json(nlohmann::json{{"x-litellm-response-cost", "0.5"}});
  EXPECT_DOUBLE_EQ(of("litellm", "gpt-4o", {}, told), 7);
  EXPECT_DOUBLE_EQ(of("litellm", "gpt-4o-mini", {}, told), 5);
  told.metadata = Json(nlohmann::json{{"usage", {{"cost", 0.25}}}});
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o-mini", {}, told), 2.5);
  told.metadata = Json(nlohmann::json{{"usage", {{"cost", nullptr}}}});
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o-mini", {}, told), 0.15);
  EXPECT_DOUBLE_EQ(of("ollama", "granite4:micro"), 0.01);
}

TEST_F(PricingLookupTest, TheTierIsWhatTheProviderServedItIn) {
  make();
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o", {}, {.service_tier = "default"}), 2.5);
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o", {}, {.service_tier = "priority"}), 4.25);
  EXPECT_DOUBLE_EQ(of("litellm", "claude-haiku-4-5", {}, {.service_tier = "batch"}), 0.5);
}

TEST_F(PricingLookupTest, NobodyBillsWhatRunsHere) {
  make();
  EXPECT_DOUBLE_EQ(of("ollama", "gpt-4o"), -1);
  EXPECT_DOUBLE_EQ(of("huggingface", "gpt-4o", {.local = true}), -1);
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o", {.address = "127.0.0.1", .port = 8000}), -1);
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o", {.address = "localhost"}), -1);
  EXPECT_DOUBLE_EQ(of("litellm", "gpt-4o", {.address = "localhost"}), 2.5);  // a proxy
  EXPECT_TRUE(warnings_->all().empty());
}

TEST_F(PricingLookupTest, AnUnknownModelIsToldOfOnce) {
  make();
  for (int round = 0; round < 3; ++round) EXPECT_DOUBLE_EQ(of("openai", "granite\n9"), -1);
  EXPECT_DOUBLE_EQ(of("watsonx", "ibm/new"), -1);
  EXPECT_EQ(warnings_->all(),
            (std::vector<std::string>{
                "no price is known of openai's model granite 9: what it costs is not recorded; "
                "MELLEA_PRICING_FILE can name it",
                "no price is known of watsonx's model ibm/new: what it costs is not recorded; "
                "MELLEA_PRICING_FILE can name it"}));
  make({}, false);
  of("openai", "granite");
  EXPECT_EQ(warnings_->all().size(), 2U);
}

TEST_F(PricingLookupTest, AFileThatIsNotThereIsAWarningAndOursAreUsed) {
  pricing_ = std::make_unique<Pricing>(PricingOptions{.file = "/no/such.json"}, true, warnings_);
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o"), 2.5);
  EXPECT_EQ(warnings_->all(),
            std::vector<std::string>{"/no/such.json: cannot be read; prices are ours"});
}

TEST_F(PricingLookupTest, AFolderIsNoFileOfPrices) {
  const std::string folder = std::filesystem::temp_directory_path().string();
  pricing_ = std::make_unique<Pricing>(PricingOptions{.file = folder}, true, warnings_);
  EXPECT_DOUBLE_EQ(of("openai", "gpt-4o"), 2.5);
  EXPECT_EQ(warnings_->all(),
            std::vector<std::string>{folder + ": cannot be read; prices are ours"});
}

}  // namespace
}  // namespace mellea::telemetry
