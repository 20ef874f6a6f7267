// What models cost, as known when this version was made.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace mellea::telemetry {

// How fast an answer may be: what a provider sells at different prices.
enum class Tier : std::uint8_t { standard, batch, flex, priority };

// Prices are in USD of a million tokens; below zero: there is none of its own.
struct PriceRow {
  std::string_view model{};  // under LiteLLM's name for it
  Tier tier = Tier::standard;
  std::int64_t above = 0;  // for requests of more input tokens than this
  double input = 0;
  double output = 0;
  double cache_read = -1;
  double cache_write = -1;
  std::string_view source{};  // the page that says so, or the release of LiteLLM that knows it
};

// The rows of a model stand side by side.
std::span<const PriceRow> price_table() noexcept;
std::string_view price_table_date() noexcept;     // "2026-11-23"
std::string_view price_table_release() noexcept;  // "LiteLLM 1.109.1"

}  // namespace mellea::telemetry
