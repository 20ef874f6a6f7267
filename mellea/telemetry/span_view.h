// How one exporter shows spans: by which names, and whether with what was said.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <variant>

#include "mellea/telemetry/facts.h"
#include "mellea/telemetry/made_attribute.h"
#include "mellea/telemetry/span.h"
#include "mellea/telemetry/vocabulary.h"

namespace mellea::telemetry {

// Made once, then const: any thread may use it. A span is not copied; where an attribute is only
// called otherwise, nothing is.
class SpanView {
 public:
  SpanView() : SpanView(Vocabularies(), true) {}  // in `mellea`, with all that was recorded
  SpanView(const Vocabularies& vocabularies, bool content);

  const Vocabularies& vocabularies() const noexcept { return vocabularies_; }

  // Calls `use(std::string_view name, const Value& value)` for each attribute that it shows.
  template <class Use>
  void each_attribute(const SpanRecord& span, Use&& use) const {
    each(span.attributes(), use);
    if (!makes_more_) return;
    for (const MadeAttribute& made : made_of(span)) use(std::string_view(made.name), made.value());
  }
  template <class Use>
  void each_attribute(const SpanEvent& event, Use&& use) const {
    each(event.attributes, use);
  }

 private:
  struct Shown {
    std::string_view name{};     // empty: not shown by one
    std::string_view another{};  // empty: by one name at most
    bool as_number = false;
  };

  template <class Use>
  void each(std::span<const Attribute> attributes, Use& use) const {
    for (const Attribute& attribute : attributes) {
      if (const auto* fact = std::get_if<Fact>(&attribute.key)) {
        const Shown& shown = shown_[static_cast<std::size_t>(*fact)];
        if (shown.as_number)
          use(shown.name, as_number(attribute.value));
        else if (!shown.name.empty())
          use(shown.name, attribute.value);
        if (!shown.another.empty()) use(shown.another, attribute.value);
      } else if (const auto label = *std::get_if<std::string_view>(&attribute.key);
                 !is_taken(label)) {
        use(label, attribute.value);
      }
    }
  }

  static Value as_number(const Value& value);
  bool is_taken(std::string_view label) const noexcept;
  MadeAttributes made_of(const SpanRecord& span) const;
  void add_variables(const SpanRecord& span, MadeAttributes& made) const;

  const Vocabularies vocabularies_;
  const bool content_;
  const bool makes_more_;
  std::array<Shown, kFacts> shown_{};
};

}  // namespace mellea::telemetry
