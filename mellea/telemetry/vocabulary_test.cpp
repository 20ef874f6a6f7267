#include "mellea/telemetry/vocabulary.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mellea::telemetry {
namespace {

using enum Vocabulary;
using Wanted = std::vector<Vocabulary>;

Vocabularies together(const Wanted& wanted, std::vector<std::string>& warnings) {
  return Vocabularies::together(wanted,
                                [&](std::string text) { warnings.push_back(std::move(text)); });
}

// Those that count, in the order of the enum.
Wanted of(const Wanted& wanted) {
  std::vector<std::string> warnings;
  const Vocabularies counting = together(wanted, warnings);
  EXPECT_TRUE(warnings.empty()) << warnings.front();
  Wanted all;
  for (const Vocabulary one : {mellea, otel_1_41, otel_2026_10, openinference, langfuse})
    if (counting.has(one)) all.push_back(one);
  return all;
}

TEST(VocabularyTest, IsKnownByItsWord) {
  for (const Vocabulary one : {mellea, otel_1_41, otel_2026_10, openinference, langfuse})
    EXPECT_EQ(vocabulary_named(to_string(one)), one);
  EXPECT_EQ(vocabulary_named("otel-latest"), otel_2026_10);
  EXPECT_EQ(to_string(otel_2026_10), "otel-2026-10");
  EXPECT_EQ(vocabulary_named("otel"), std::nullopt);
  EXPECT_EQ(vocabulary_named(""), std::nullopt);
}

TEST(VocabularyTest, MelleaIsSpokenWhereNothingIsAskedFor) {
  EXPECT_EQ(of({}), Wanted{mellea});
  EXPECT_EQ(of({langfuse}), (Wanted{mellea, langfuse}));
}

TEST(VocabularyTest, MelleaAndOpenInferenceStandOnOneSpanAndLangfuseBesideAny) {
  EXPECT_EQ(of({mellea, openinference}), (Wanted{mellea, openinference}));
  EXPECT_EQ(of({openinference, mellea}), (Wanted{mellea, openinference}));
  EXPECT_EQ(of({openinference, langfuse, mellea}), (Wanted{mellea, openinference, langfuse}));
  EXPECT_EQ(of({langfuse, otel_2026_10}), (Wanted{otel_2026_10, langfuse}));
  EXPECT_EQ(of({otel_1_41, otel_1_41}), Wanted{otel_1_41});
}

TEST(VocabularyTest, OfTwoThatDoNotGoTogetherTheFirstCountsAndOneSentenceNamesThem) {
  for (const Wanted& pair : {Wanted{mellea, otel_1_41}, Wanted{otel_1_41, otel_2026_10},
                             Wanted{otel_2026_10, openinference}}) {
    std::vector<std::string> warnings;
    EXPECT_EQ(together(pair, warnings), Vocabularies(pair.front()));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_TRUE(warnings.front().starts_with(std::string(to_string(pair.front())) + " and " +
                                             std::string(to_string(pair.back())) + " can't stand"))
        << warnings.front();
    EXPECT_TRUE(warnings.front().ends_with(std::string(to_string(pair.front())) + " is used"))
        << warnings.front();
  }
}

TEST(VocabularyTest, OneOfTheConventionsHasASchemaAndTwoHaveNone) {
  EXPECT_EQ(Vocabularies(otel_1_41).schema_url(), "https://opentelemetry.io/schemas/1.41.1");
  EXPECT_NE(Vocabularies(otel_2026_10).schema_url(), "");
  EXPECT_EQ(Vocabularies(mellea).schema_url(), "");
  EXPECT_EQ(Vocabularies(openinference).schema_url(), "");
  std::vector<std::string> warnings;
  EXPECT_EQ(together({otel_1_41, langfuse}, warnings).schema_url(), "");
}

TEST(VocabularyTest, MetricsAreInOneThatHasThem) {
  EXPECT_EQ(Vocabularies(otel_2026_10).of_metrics(), otel_2026_10);
  EXPECT_EQ(Vocabularies(openinference).of_metrics(), mellea);
  EXPECT_EQ(Vocabularies(langfuse).of_metrics(), mellea);
}

}  // namespace
}  // namespace mellea::telemetry
