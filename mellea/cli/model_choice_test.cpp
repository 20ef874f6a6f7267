#include "mellea/cli/model_choice.h"

#include <gtest/gtest.h>

#include <map>

#include "mellea/cli/exit_code.h"

namespace mellea::cli {
namespace {

Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(ModelChoice, FlagsWinOverTheEnvironment) {
  const auto environment = environment_of({{"MELLEA_BACKEND", "scripted"},
                                           {"MELLEA_MODEL", "theirs"},
                                           {"MELLEA_BASE_URL", "http://theirs"},
                                           {"OPENAI_BASE_URL", "http://openai"},
                                           {"OPENAI_API_KEY", "key"}});
  const BackendOptions typed =
      choose_model({.backend = "openai", .model = "mine", .base_url = "http://mine"}, environment);
  EXPECT_EQ(typed.backend, "openai");
  EXPECT_EQ(typed.model, "mine");
  EXPECT_EQ(typed.base_url, "http://mine");
  EXPECT_EQ(typed.api_key, "key");
  const BackendOptions found = choose_model({}, environment);
  EXPECT_EQ(found.backend, "scripted");
  EXPECT_EQ(found.model, "theirs");
  EXPECT_EQ(found.base_url, "http://theirs");
  EXPECT_EQ(found.api_key, "");
}

TEST(ModelChoice, TakesTheProvidersOwnUrlLast) {
  EXPECT_EQ(choose_model({.backend = "openai"}, environment_of({{"OPENAI_BASE_URL", "http://o"}}))
                .base_url,
            "http://o");
}

TEST(ModelChoice, TakesTheKeyFromTheVariableThatIsNamed) {
  const auto environment = environment_of({{"OPENAI_API_KEY", "one"}, {"TEAM_KEY", "two"}});
  EXPECT_EQ(choose_model({.backend = "openai", .api_key_env = "TEAM_KEY"}, environment).api_key,
            "two");
  EXPECT_THROW(choose_model({.backend = "openai", .api_key_env = "NO_KEY"}, environment),
               UsageError);
}

TEST(ModelChoice, NeedsABackend) { EXPECT_THROW(choose_model({}, environment_of({})), UsageError); }

TEST(ModelChoice, ShowsAFewOfManyModels) {
  EXPECT_EQ(first_few({"a", "b"}), "a, b");
  EXPECT_EQ(first_few({"a", "b", "c", "d", "e", "f", "g", "h"}), "a, b, c, d, e, f and 2 more");
}

}  // namespace
}  // namespace mellea::cli
