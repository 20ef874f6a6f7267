#!/usr/bin/env python3
"""Write mellea/telemetry/pricing_table.cpp from a release of LiteLLM's model_prices_and_context_window.json.
usage: price_table.py PRICES.json "LiteLLM 1.109.1" 2026-11-23 | clang-format-14 > mellea/telemetry/pricing_table.cpp"""
import json, re, sys

prices, release, date = json.load(open(sys.argv[1])), sys.argv[2], sys.argv[3]
WANTED = {
    "openai": r"(gpt-(3\.5-turbo|4o?|4o-mini|4o-2024-05-13|4-turbo|4\.1|4\.1-(mini|nano)|[56](\.\d)?|[56](\.\d)?-(mini|nano|pro|codex|codex-max|codex-mini|sol|terra|luna|astra))|o[134](-(mini|pro))?|text-embedding-.*-(large|small|002))",
    "anthropic": r"claude-.*[^\d](\d|\d-\d)",
    "deepseek": r"deepseek-(chat|reasoner|flash|v4-flash|v4-pro)",
    "watsonx": r"watsonx/(ibm|meta-llama|mistralai|openai)/.*",
}
FIELDS = {"input_cost_per_token": 0, "output_cost_per_token": 1,
          "cache_read_input_token_cost": 2, "cache_creation_input_token_cost": 3}
TIERS = {"": "standard", "_batches": "batch", "_flex": "flex", "_priority": "priority"}
KEY = re.compile("(%s)(?:_above_(\\d+)k_tokens)?(%s)" % ("|".join(FIELDS), "|".join(TIERS)))

rows, sources = [], {}
for model, entry in sorted(prices.items()):
    if not re.fullmatch(WANTED.get(entry.get("litellm_provider"), "(?!)"), model): continue
    if entry.get("mode") not in ("chat", "responses", "completion", "embedding"): continue
    rates = {}
    for key, value in entry.items():
        if (match := KEY.fullmatch(key)) and isinstance(value, (int, float)):
            rate = rates.setdefault((list(TIERS).index(match[3]), int(match[2] or 0) * 1000), [None] * 4)
            rate[FIELDS[match[1]]] = value
    source = entry.get("source") or release
    for (tier, above), rate in sorted(rates.items()):
        if rate[0] is not None: rows.append((model, list(TIERS.values())[tier], above, rate, source))
    sources[source] = "k" + {"openai": "OpenAi", "anthropic": "Anthropic", "deepseek": "DeepSeek", "watsonx": "Ibm"}[entry["litellm_provider"]]
sources[release] = "kRelease"

def number(price):  # USD of a million tokens
    return "kNone" if price is None else f"{price * 1e6:.10g}"

names = {}
for url, name in sorted(sources.items()):
    taken = [n for n in names.values() if n == name or re.fullmatch(name + r"\d+", n)]
    names[url] = name + (str(len(taken) + 1) if taken else "")
print(f"""// Written by tools/price_table.py; not to be edited.
#include "mellea/telemetry/pricing_table.h"

#include <array>

namespace mellea::telemetry {{
namespace {{

using enum Tier;

constexpr double kNone = -1;
""")
for url, name in names.items(): print(f'constexpr std::string_view {name} = "{url}";')
print("""
// Model, tier, above how many input tokens; USD of a million tokens of input, output, cache read and
// cache write; where that is said.
constexpr auto kTable = std::to_array<PriceRow>({""")
for model, tier, above, rate, source in rows:
    print(f'    {{"{model}", {tier}, {above}, {", ".join(map(number, rate))}, {names[source]}}},')
print(f"""}});

}}  // namespace

std::span<const PriceRow> price_table() noexcept {{ return kTable; }}

std::string_view price_table_date() noexcept {{ return "{date}"; }}

std::string_view price_table_release() noexcept {{ return kRelease; }}

}}  // namespace mellea::telemetry""")
