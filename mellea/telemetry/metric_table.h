// A set that only grows, in which anybody may look without a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace mellea::telemetry {

// Entries have a member `hash` and never move. find() by any thread at any time; insert() under a
// lock of the caller's.
template <class Entry>
class MetricTable {
 public:
  MetricTable() { publish(kFirstSlots); }
  MetricTable(const MetricTable&) = delete;
  MetricTable& operator=(const MetricTable&) = delete;

  // Null if there is none, or it came this very moment.
  template <class IsIt>
  Entry* find(std::size_t hash, const IsIt& is_it) const noexcept {
    const Slots& slots = *slots_.load(std::memory_order_acquire);
    for (std::size_t at = hash & slots.mask;; at = (at + 1) & slots.mask) {
      Entry* entry = slots.entries[at].load(std::memory_order_acquire);
      if (!entry || (entry->hash == hash && is_it(*entry))) return entry;
    }
  }

  Entry& insert(std::unique_ptr<Entry> entry) {
    if (2 * (entries_.size() + 1) > all_slots_.back()->mask) publish(2 * all_slots_.back()->size());
    put(*all_slots_.back(), entry.get());
    return *entries_.emplace_back(std::move(entry));
  }

  // In the order of their coming; under the lock.
  const std::vector<std::unique_ptr<Entry>>& entries() const noexcept { return entries_; }

 private:
  static constexpr std::size_t kFirstSlots = 16;  // a power of two, as all that follow

  struct Slots {
    explicit Slots(std::size_t count)
        : mask(count - 1), entries(std::make_unique<std::atomic<Entry*>[]>(count)) {}
    std::size_t size() const noexcept { return mask + 1; }

    const std::size_t mask;
    const std::unique_ptr<std::atomic<Entry*>[]> entries;  // null: nobody there yet
  };

  void publish(std::size_t count) {
    auto slots = std::make_unique<Slots>(count);
    for (const auto& entry : entries_) put(*slots, entry.get());
    slots_.store(slots.get(), std::memory_order_release);
    all_slots_.push_back(std::move(slots));
  }

  static void put(Slots& slots, Entry* entry) noexcept {
    std::size_t at = entry->hash & slots.mask;
    while (slots.entries[at].load(std::memory_order_relaxed)) at = (at + 1) & slots.mask;
    slots.entries[at].store(entry, std::memory_order_release);
  }

  std::atomic<const Slots*> slots_{nullptr};
  std::vector<std::unique_ptr<Slots>> all_slots_;  // the last is slots_; somebody may be in others
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace mellea::telemetry
