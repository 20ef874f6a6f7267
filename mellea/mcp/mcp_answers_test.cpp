#include "mellea/mcp/mcp_answers.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mellea/core/error.h"

namespace mellea {
namespace {

template <class Read>
std::string refusal(const Read& read, const char* result) {
  try {
    (void)read(Json::parse(result));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::parse_error);
    return error.what();
  }
  return "";
}

std::string text_of(const char* result) { return read_mcp_tool_answer(Json::parse(result)).text; }

TEST(McpAnswersTest, AGreetingSaysWhoTheServerIsAndWhatItCan) {
  const McpGreeting greeting = read_mcp_greeting(Json::parse(
      R"({"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"instructions":"Be brief.",
          "serverInfo":{"name":"files","version":"1.2"}})"));
  EXPECT_EQ(greeting.revision, "2025-06-18");
  EXPECT_EQ(greeting.name, "files");
  EXPECT_EQ(greeting.version, "1.2");
  EXPECT_EQ(greeting.instructions, "Be brief.");
  EXPECT_TRUE(greeting.has_tools);
  EXPECT_FALSE(read_mcp_greeting(Json::parse(R"({"protocolVersion":"x"})")).has_tools);
  EXPECT_EQ(refusal(read_mcp_greeting, "{}"), "it does not say its protocolVersion");
  EXPECT_EQ(refusal(read_mcp_greeting, R"({"protocolVersion":1})"), "protocolVersion is no text");
}

TEST(McpAnswersTest, KnowsTheRevisionsThatAreServedTheSameWay) {
  EXPECT_TRUE(is_known_mcp_revision(kMcpRevision));
  EXPECT_TRUE(is_known_mcp_revision("2025-06-18"));
  EXPECT_FALSE(is_known_mcp_revision("2030-01-01"));
}

TEST(McpAnswersTest, APageHasToolsAndWhereTheNextOneIs) {
  const McpToolsPage page = read_mcp_tools(Json::parse(
      R"({"tools":[{"name":"a","description":"does a","inputSchema":{"type":"object"}},
                   {"name":"b","title":"B","inputSchema":{"type":"object"},
                    "execution":{"taskSupport":"optional"}},
                   {"name":"c","inputSchema":{},"execution":{"taskSupport":"required"}}],
          "nextCursor":"2"})"));
  ASSERT_EQ(page.tools.size(), 2U);
  EXPECT_EQ(page.tools[0].name, "a");
  EXPECT_EQ(page.tools[0].description, "does a");
  EXPECT_EQ(page.tools[0].parameters.text(), R"({"type":"object"})");
  EXPECT_EQ(page.tools[1].description, "B");
  EXPECT_EQ(page.next_cursor, "2");
  EXPECT_EQ(read_mcp_tools(Json::parse(R"({"tools":[]})")).next_cursor, "");
}

TEST(McpAnswersTest, WhatIsNoListOfToolsIsRefused) {
  EXPECT_EQ(refusal(read_mcp_tools, "{}"), "there is no list of tools");
  EXPECT_EQ(refusal(read_mcp_tools, R"({"tools":[5]})"), "a tool has no name");
  EXPECT_EQ(refusal(read_mcp_tools, R"({"tools":[{"name":5}]})"), "name is no text");
  EXPECT_EQ(refusal(read_mcp_tools, R"({"tools":[{"name":"a"}]})"),
            "the tool a has no inputSchema");
}

TEST(McpAnswersTest, ContentBecomesText) {
  EXPECT_EQ(text_of(R"({"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})"),
            "a\nb");
  EXPECT_EQ(text_of(R"({"content":[{"type":"image","mimeType":"image/png","data":"aGVsbG8="}]})"),
            "[image: image/png, 5 bytes]");
  EXPECT_EQ(text_of(R"({"content":[{"type":"audio","mimeType":"audio/wav","data":"aGk="}]})"),
            "[audio: audio/wav, 2 bytes]");
  EXPECT_EQ(text_of(R"({"content":[{"type":"resource","resource":{"uri":"u","text":"t"}}]})"), "t");
  EXPECT_EQ(text_of(R"({"content":[{"type":"resource","resource":{"uri":"u","blob":"aGVs"}}]})"),
            "[resource: 3 bytes]");
  EXPECT_EQ(text_of(R"({"content":[{"type":"resource_link","uri":"file:///c","name":"c"}]})"),
            "[link: c, file:///c]");
  EXPECT_EQ(text_of(R"({"content":[{"type":"hologram"}]})"), "[hologram]");
  EXPECT_EQ(text_of(R"({"content":[]})"), "");
}

TEST(McpAnswersTest, StructuredContentIsTakenWhereThereIsNoOther) {
  EXPECT_EQ(text_of(R"({"content":[{"type":"text","text":"21"}],"structuredContent":{"d":21}})"),
            "21");
  EXPECT_EQ(text_of(R"({"content":[],"structuredContent":{"d":21}})"), R"({"d":21})");
  EXPECT_EQ(text_of(R"({"structuredContent":{"d":21}})"), R"({"d":21})");
}

TEST(McpAnswersTest, AToolMaySayThatItFailed) {
  EXPECT_TRUE(read_mcp_tool_answer(Json::parse(R"({"content":[],"isError":true})")).failed);
  EXPECT_FALSE(read_mcp_tool_answer(Json::parse(R"({"content":[],"isError":false})")).failed);
  EXPECT_FALSE(read_mcp_tool_answer(Json::parse(R"({"content":[]})")).failed);
}

TEST(McpAnswersTest, WhatIsNoContentIsRefused) {
  EXPECT_EQ(refusal(read_mcp_tool_answer, "{}"), "there is no content");
  EXPECT_EQ(refusal(read_mcp_tool_answer, R"({"content":"text"})"), "there is no content");
  EXPECT_EQ(refusal(read_mcp_tool_answer, R"({"content":[5]})"),
            "a part of the content has no type");
  EXPECT_EQ(refusal(read_mcp_tool_answer, R"({"content":[{"type":"text","text":5}]})"),
            "text is no text");
  EXPECT_EQ(refusal(read_mcp_tool_answer, R"({"content":[{"type":"resource"}]})"),
            "a part of the content has no resource");
}

TEST(McpAnswersTest, AFaultHasANumberAndASentence) {
  const McpFault fault = read_mcp_fault(Json::parse(R"({"code":-32602,"message":"Unknown tool"})"));
  EXPECT_EQ(fault.code, -32602);
  EXPECT_EQ(fault.message, "Unknown tool");
  EXPECT_EQ(read_mcp_fault(Json::parse("{}")).code, 0);
}

}  // namespace
}  // namespace mellea
