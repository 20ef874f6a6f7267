#include "mellea/telemetry/metric_labels.h"

#include <functional>
#include <memory>
#include <utility>

#include "mellea/core/text.h"

namespace mellea::telemetry {
namespace {

constexpr std::size_t kLongestText = 200;  // code points
constexpr std::string_view kOther = "other";

std::size_t mixed(std::size_t hash, std::size_t more) {
  return (hash ^ more) * 0x9E3779B97F4A7C15ULL ^ (hash >> 29U);
}

std::size_t hash_of(const MetricLabel& label) {
  const auto hash = [](const auto& value) {
    return std::hash<std::decay_t<decltype(value)>>()(value);
  };
  const std::size_t of_value = std::visit(hash, label.value);
  return mixed(mixed(std::visit(hash, label.key), label.key.index()),
               mixed(of_value, label.value.index()));
}

Value value_of(const LabelValue& value) {
  return std::visit([](const auto& known) { return Value(known); }, value);
}

bool is_same(const Value& a, const LabelValue& b) {
  return std::visit(
      [&](const auto& value) {
        const auto* same = std::get_if<std::decay_t<decltype(value)>>(&a);
        return same && *same == value;
      },
      b);
}

}  // namespace

LabelRef LabelTable::find(const MetricLabel& label, std::size_t hash) const noexcept {
  return table_.find(hash, [&](const KeptLabel& one) {
    return one.attribute.key == label.key && is_same(one.attribute.value, label.value);
  });
}

LabelRef LabelTable::kept(const MetricLabel& label, std::size_t most) {
  const std::size_t hash = hash_of(label);
  if (const LabelRef found = find(label, hash)) return found;
  if (fork_.inherited()) return &none_;
  if (const auto* text = std::get_if<std::string_view>(&label.value))
    if (const std::string plain = one_line(*text, kLongestText); plain != *text)
      return kept({label.key, plain}, most);
  const std::lock_guard lock(mutex_);
  if (const LabelRef found = find(label, hash)) return found;  // another thread was faster
  std::size_t& count = counts_[{label.key.index(), std::string(name_of(label.key)), most}];
  if (count < most) {
    ++count;
    return add(label, hash);
  }
  const MetricLabel other{label.key, kOther};
  const std::size_t other_hash = hash_of(other);
  const LabelRef there = find(other, other_hash);
  return there ? there : add(other, other_hash);
}

LabelRef LabelTable::add(const MetricLabel& label, std::size_t hash) {
  auto one = std::make_unique<KeptLabel>();
  one->hash = hash;
  one->attribute = {label.key, value_of(label.value)};
  if (const auto* key = std::get_if<std::string_view>(&label.key)) {
    one->key = *key;
    one->attribute.key = std::string_view(one->key);
  }
  if (const auto* text = std::get_if<std::string_view>(&label.value)) {
    one->text = *text;
    one->attribute.value = std::string_view(one->text);
  }
  return &table_.insert(std::move(one));
}

}  // namespace mellea::telemetry
