#include "mellea/telemetry/span.h"

#include <algorithm>
#include <chrono>

namespace mellea::telemetry {
namespace {

constexpr std::size_t kUsualAttributes = 28;

std::string_view text_in(const Value* value) noexcept {
  const auto* text = value ? std::get_if<std::string_view>(value) : nullptr;
  return text ? *text : std::string_view();
}

}  // namespace

std::string_view name_of(const Key& key) noexcept {
  const Fact* fact = std::get_if<Fact>(&key);
  return fact ? name_of(*fact) : *std::get_if<std::string_view>(&key);
}

SpanRecord::SpanRecord()
    : memory_(buffer_.data(), buffer_.size(), &overflow_),
      attributes_(&memory_),
      events_(&memory_),
      links_(&memory_) {
  attributes_.reserve(kUsualAttributes);
}

void SpanRecord::set(Fact fact, const std::vector<std::string>& texts) {
  std::pmr::polymorphic_allocator<std::string_view> allocator(&memory_);
  std::string_view* copies = allocator.allocate(texts.size());
  for (std::size_t at = 0; at < texts.size(); ++at) std::construct_at(copies + at, kept(texts[at]));
  attributes_.push_back({fact, std::span<const std::string_view>(copies, texts.size())});
}

const Value* SpanRecord::find(Fact fact) const noexcept { return find_key(fact); }

std::string_view SpanRecord::text(Fact fact) const noexcept { return text_in(find(fact)); }

const Value* SpanRecord::find_label(std::string_view key) const noexcept { return find_key(key); }

std::string_view SpanRecord::label(std::string_view key) const noexcept {
  return text_in(find_label(key));
}

const Value* SpanRecord::find_key(const Key& key) const noexcept {
  for (const Attribute& attribute : attributes_)
    if (attribute.key == key) return &attribute.value;
  return nullptr;
}

void SpanRecord::add_event(std::string_view static_name, Instant at,
                           std::span<const Attribute> attributes) {
  if (events_.size() < kMostPassingEvents)
    append(static_name, at, attributes);
  else
    ++dropped_events_;
}

void SpanRecord::add_last_event(std::string_view static_name, Instant at,
                                std::span<const Attribute> attributes) {
  if (events_.size() < kMostEvents)
    append(static_name, at, attributes);
  else
    ++dropped_events_;
}

void SpanRecord::append(std::string_view event, Instant at, std::span<const Attribute> attributes) {
  std::pmr::polymorphic_allocator<Attribute> allocator(&memory_);
  Attribute* copies = allocator.allocate(attributes.size());
  std::uninitialized_copy(attributes.begin(), attributes.end(), copies);
  for (Attribute& copy : std::span(copies, attributes.size())) copy.value = kept_value(copy.value);
  events_.push_back({event, unix_time(at), {copies, attributes.size()}});
}

std::string_view SpanRecord::kept(std::string_view text) {
  if (text.empty()) return {};
  char* copy = static_cast<char*>(memory_.allocate(text.size(), 1));
  std::copy(text.begin(), text.end(), copy);
  return {copy, text.size()};
}

std::string_view SpanRecord::kept(std::string_view first, std::string_view second) {
  const std::size_t size = first.size() + 1 + second.size();
  char* copy = static_cast<char*>(memory_.allocate(size, 1));
  char* end = std::copy(first.begin(), first.end(), copy);
  *end++ = ' ';
  std::copy(second.begin(), second.end(), end);
  return {copy, size};
}

Value SpanRecord::kept_value(const Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return kept(*text);
  const auto* texts = std::get_if<std::span<const std::string_view>>(&value);
  if (!texts) return value;
  std::pmr::polymorphic_allocator<std::string_view> allocator(&memory_);
  std::string_view* copies = allocator.allocate(texts->size());
  std::uninitialized_copy(texts->begin(), texts->end(), copies);
  for (std::string_view& copy : std::span(copies, texts->size())) copy = kept(copy);
  return std::span<const std::string_view>(copies, texts->size());
}

std::int64_t SpanRecord::unix_time(Instant at) const noexcept {
  return began + std::chrono::nanoseconds(at - started).count();
}

}  // namespace mellea::telemetry
