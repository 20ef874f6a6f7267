#include "mellea/programs/yaml.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace mellea {
namespace {

YamlTree tree_of(std::string_view text) {
  std::vector<Fault> faults;
  auto tree = parse_yaml(text, faults);
  for (const Fault& fault : faults) ADD_FAILURE() << to_string(fault, "a.yaml");
  return tree.value_or(YamlTree{});
}

std::string faults_of(std::string_view text) {
  std::vector<Fault> faults;
  parse_yaml(text, faults);
  std::string all;
  for (const Fault& fault : faults) all += to_string(fault, "a.yaml") + '\n';
  return all;
}

TEST(Yaml, EachThingKnowsWhereItStands) {
  const YamlTree tree = tree_of("a: 1\nb:\n  - x\n  - {c: [d, 'e']}\n");
  const YamlNode* list = tree.root.find("b");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->key_at, (Place{2, 1}));
  EXPECT_EQ(list->at, (Place{3, 3}));
  EXPECT_EQ(list->children[0].at, (Place{3, 5}));
  const YamlNode* inner = list->children[1].find("c");
  ASSERT_TRUE(inner);
  EXPECT_EQ(inner->key_at, (Place{4, 6}));
  EXPECT_EQ(inner->children[1].at, (Place{4, 13}));
  EXPECT_TRUE(inner->children[1].quoted);
}

TEST(Yaml, ColumnsCountCodePoints) {
  EXPECT_EQ(tree_of("{größe: 1, b: 2}").root.find("b")->key_at, (Place{1, 12}));
}

TEST(Yaml, OnlyUnquotedTrueFalseNullAndNumbersOfJsonAreNoTexts) {
  const YamlTree tree = tree_of(
      "[true, 'true', yes, no, on, True, null, ~, 12, -1.5e3, '12', 012, 0x1F, .5, +1, 1e999]");
  EXPECT_EQ(to_json(tree.root).dump(),
            R"([true,"true","yes","no","on","True",null,null,12,-1500.0,"12","012","0x1F",".5",)"
            R"("+1","1e999"])");
}

TEST(Yaml, JsonIsYamlWithItsTabsAndEscapes) {
  const YamlTree tree = tree_of(
      "{\n\t\"a\":\t[1, {\"b\":null}],\n\t\"\\ud83d\\ude00 \\u00e9\\n\\/\": \"\\\\ud83d\"\n}");
  EXPECT_EQ(to_json(tree.root), nlohmann::json::parse("{\"a\":[1,{\"b\":null}],\"\\ud83d\\ude00 "
                                                      "\\u00e9\\n/\":\"\\\\ud83d\"}"));
}

TEST(Yaml, AMemberWithoutAValueIsNullWhereItsKeyIs) {
  const YamlTree tree = tree_of("a:\nb: 1\n");
  EXPECT_EQ(tree.root.find("a")->kind, YamlNode::Kind::null);
  EXPECT_EQ(tree.root.find("a")->at, (Place{1, 1}));
}

TEST(Yaml, AKeyThatIsHereTwiceIsToldWithTheFirst) {
  EXPECT_EQ(faults_of("a: 1\nb: 2\na: 3\n"),
            "a.yaml:3:1: key \"a\" is here twice (first at line 1)\n");
}

TEST(Yaml, AliasesAnchorsTagsAndMergeKeysAreRefusedAllAtOnce) {
  EXPECT_EQ(faults_of("a: &x 1\nb: *x\nc: !!str 3\n<<: {d: 1}\n[e]: 1\n"),
            "a.yaml:1:4: there are no anchors here (a text that begins with & needs quotes)\n"
            "a.yaml:2:4: \"*x\": there are no aliases here: write out what is meant (a text that "
            "begins with * needs quotes)\n"
            "a.yaml:3:4: there are no tags here: \"tag:yaml.org,2002:str\" (a text that begins "
            "with ! needs quotes)\n"
            "a.yaml:4:1: \"<<\": there are no merge keys here: write out what is meant\n"
            "a.yaml:5:1: a key is a text\n");
  EXPECT_EQ(faults_of("a: *bold*\n"),
            "a.yaml:1:4: \"*bold*\": there are no aliases here: write out what is meant (a text "
            "that begins with * needs quotes)\n");
}

TEST(Yaml, WhatIsNotClosedIsToldWithItsBeginning) {
  EXPECT_EQ(faults_of("a: [1, 2\n"), "a.yaml:2:1: a list opened at 1:4 is not closed\n");
  EXPECT_EQ(faults_of("a: {b: 1\n"), "a.yaml:2:1: a map opened at 1:4 is not closed\n");
  EXPECT_EQ(faults_of("a: 'b\nc: 1\n"), "a.yaml:3:1: a text opened at 1:4 is not closed\n");
  EXPECT_EQ(faults_of("a: \"b\\\"\n"), "a.yaml:2:1: a text opened at 1:4 is not closed\n");
  EXPECT_EQ(faults_of("a: 'it''s' \nb: \"\\\"\"\nc: ''\n"), "");
}

TEST(Yaml, AnEscapeOfARegexIsToldHowToBeWritten) {
  EXPECT_EQ(faults_of("a: \"it's \\d+\"\n"),
            "a.yaml:1:10: \"\\d\" in double quotes is no YAML escape: write regexes in single "
            "quotes: 'it''s \\d+'\n");
}

TEST(Yaml, TheShapeOfTheFileIsToldInWords) {
  EXPECT_EQ(faults_of("a: b: c\n"),
            "a.yaml:1:5: a \":\" of no key: a text with \": \" in it needs quotes\n");
  EXPECT_EQ(faults_of("a: 1\n---\nb: 1\n"),
            "a.yaml:2:1: a second document begins here: one file is one program\n");
  EXPECT_EQ(faults_of(" a: 1\nb: 2\n"),
            "a.yaml:2:1: this belongs to nothing above it: is the indentation right?\n");
  EXPECT_EQ(faults_of("a: [1]]\n"), "a.yaml:1:7: a bracket that closes nothing\n");
  EXPECT_EQ(faults_of("a: @b\n"),
            "a.yaml:1:4: a text that begins with a letter like this needs quotes\n");
}

TEST(Yaml, WhatIsNoTextIsRefusedBeforeItIsRead) {
  EXPECT_EQ(faults_of(std::string_view("a: \0b", 5)), "a.yaml:1:4: a control character (0)\n");
  EXPECT_EQ(faults_of("a: 1\nb: \x04\nc"), "a.yaml:2:4: a control character (4)\n");
  EXPECT_EQ(faults_of("a: 1\nb: \xFF\nc: 1"),
            "a.yaml:2:1: this line is not UTF-8: convert the file, with iconv\n");
}

TEST(Yaml, WhatIsNestedTooDeepIsNotRead) {
  EXPECT_EQ(faults_of(std::string(65, '[') + std::string(65, ']')),
            "a.yaml:1:65: nested more than 64 deep\n");
  EXPECT_EQ(faults_of(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_NE(faults_of(std::string(1'000'000, '[')), "");
}

TEST(Yaml, NothingIsNull) {
  for (const char* text : {"", "# a comment\n", "---\n", "\xEF\xBB\xBF"})
    EXPECT_EQ(tree_of(text).root.kind, YamlNode::Kind::null) << text;
}

}  // namespace
}  // namespace mellea
