#include "mellea/hooks/catalogue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace mellea {
namespace {

using Words = std::vector<std::string_view>;

TEST(CatalogueTest, HasEachEventOnce) {
  std::set<std::string_view> names;
  for (const EventDescription& event : event_catalogue()) names.insert(event.name);
  EXPECT_EQ(event_catalogue().size(), kEventCount);
  EXPECT_EQ(names.size(), kEventCount);
}

TEST(CatalogueTest, NamesTheFieldsThatMayBeChanged) {
  for (const EventDescription& event : event_catalogue()) {
    EXPECT_FALSE(event.fields.empty()) << event.name;
    EXPECT_EQ(event.changeable.empty(), !event.allows.change) << event.name;
    for (const std::string_view field : event.changeable)
      EXPECT_TRUE(std::count(event.fields.begin(), event.fields.end(), field)) << field;
  }
}

TEST(CatalogueTest, EveryOperationThatOpensCloses) {
  std::multiset<Kind> opened;
  std::set<Kind> closed;
  for (const EventDescription& event : event_catalogue()) {
    EXPECT_EQ(event.operation.has_value(), event.place != Place::outside) << event.name;
    if (event.place == Place::opening) opened.insert(*event.operation);
    if (event.place == Place::closing) closed.insert(*event.operation);
  }
  EXPECT_EQ(std::set<Kind>(opened.begin(), opened.end()), closed);
  EXPECT_EQ(opened.size(), closed.size());
}

TEST(CatalogueTest, TellsWhatTheTypesAllow) {
  const EventDescription& pre = description_of<GenerationPreCall>();
  EXPECT_EQ(pre.name, "generation_pre_call");
  EXPECT_EQ(pre.verbs, (Words{"intercept", "transform", "guard", "observe", "background"}));
  EXPECT_EQ(pre.changeable, (Words{"request", "headers", "trace"}));
  EXPECT_EQ(description_of<GenerationPostCall>().verbs,
            (Words{"intercept", "guard", "observe", "background"}));
  EXPECT_EQ(description_of<CallBegin>().verbs, (Words{"transform", "observe", "background"}));
  EXPECT_EQ(description_of<GenerationError>().verbs, (Words{"observe", "background"}));
}

}  // namespace
}  // namespace mellea
