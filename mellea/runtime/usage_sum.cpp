#include "mellea/runtime/usage_sum.h"

namespace mellea {
namespace {

using Count = std::optional<std::int64_t>;

void add_count(Count& sum, const Count& more) {
  if (sum && more)
    *sum += *more;
  else
    sum.reset();
}

}  // namespace

void UsageSum::add(const std::optional<Usage>& usage) {
  const Usage more = usage.value_or(Usage{});
  if (!sum_) {
    sum_ = more;
    return;
  }
  add_count(sum_->input_tokens, more.input_tokens);
  add_count(sum_->output_tokens, more.output_tokens);
  add_count(sum_->total_tokens, more.total_tokens);
  add_count(sum_->cache_read_tokens, more.cache_read_tokens);
  add_count(sum_->cache_write_tokens, more.cache_write_tokens);
  add_count(sum_->reasoning_tokens, more.reasoning_tokens);
}

std::optional<Usage> UsageSum::sum() const { return sum_ == Usage{} ? std::nullopt : sum_; }

}  // namespace mellea
