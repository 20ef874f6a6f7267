#include "mellea/telemetry/facts.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace mellea::telemetry {
namespace {

TEST(FactsTest, EachFactHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const FactRow& row : fact_table()) {
    EXPECT_FALSE(row.name.empty());
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(names_a_fact(row.name));
  }
  EXPECT_FALSE(names_a_fact("user.id"));
}

std::string_view registry_type(FactType type) {
  switch (type) {
    case FactType::text: return "string";
    case FactType::integer: return "int";
    case FactType::number: return "double";
    case FactType::boolean: return "boolean";
    case FactType::texts: break;
  }
  return "string[]";
}

// In neither registry file: of OpenTelemetry's general conventions, or newer than the files.
const std::set<std::string_view> kGeneral = {"http.response.status_code", "gen_ai.token.modality"};

TEST(FactsTest, EachNameIsTheConventionsOrOurs) {
  const std::string folder = MELLEA_SOURCE_DIR "/../shared/reference/genai-registry/";
  nlohmann::json attributes;
  for (const auto* file : {"registry-v1.41.1.json", "registry-2026-08-03-fe5608e.json"}) {
    std::ifstream in(folder + file);
    if (!in) GTEST_SKIP() << folder << file << " is not here";
    attributes.update(nlohmann::json::parse(in).at("attributes"));
  }
  for (const FactRow& row : fact_table()) {
    const auto found = attributes.find(std::string(row.name));
    if (found == attributes.end()) {
      EXPECT_TRUE(row.name.starts_with("mellea.") || kGeneral.contains(row.name)) << row.name;
    } else if (const std::string type = found->at("type"); type == "any") {
      EXPECT_EQ(row.type, FactType::text) << row.name;  // JSON
    } else {
      EXPECT_EQ(type, registry_type(row.type)) << row.name;
    }
  }
}

}  // namespace
}  // namespace mellea::telemetry
