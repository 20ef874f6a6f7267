#include "mellea/telemetry/tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "mellea/core/text.h"
#include "mellea/telemetry/spans_for_test.h"
#include "mellea/telemetry/tree_exporter.h"

namespace mellea::telemetry {
namespace {

// The program's demo, but for what later versions add: a stream, a retry, a block, a cancel.
std::vector<SpanPtr> demo() {
  auto streamed = make_chat({3, 2, "chat demo-small", 0, 181}, 42, 18);
  streamed->set(Fact::request_stream, true);
  streamed->set(Fact::time_to_first_chunk, 0.031);
  auto retried = make_chat({5, 4, "chat demo-small", 182, 350}, 38, 12);
  const Attribute retry[] = {{Fact::retry_attempt, std::int64_t{1}},
                             {Fact::http_status, std::int64_t{429}},
                             {Fact::error_type, "rate_limit"},
                             {Fact::retry_delay, 0.05}};
  retried->add_event("retry", Instant(), retry);
  auto blocked = make_action({6, 1, "Message", 571, 572});
  blocked->status = SpanStatus::error;
  blocked->set(Fact::error_type, "blocked");
  blocked->set(Fact::block_plugin, "no_secrets");
  auto cancelled = make_action({7, 1, "Message", 574, 641});
  auto left = make_chat({8, 7, "chat demo-small", 574, 641});
  left->set(Fact::request_stream, true);
  left->set(Fact::chunk_count, std::int64_t{3});
  for (const auto& record : {cancelled, left}) {
    record->set(Fact::outcome, "cancelled");
    record->set(Fact::cancel_reason, "consumer");
  }
  return {streamed,  make_action({2, 1, "Message", 0, 182}),
          retried,   make_action({4, 1, "Message", 182, 350}),
          blocked,   left,
          cancelled, make_span({1, 0, "session", 0, 641})};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// A tree that begins on the line below.
std::string_view below(std::string_view text) { return text.substr(1); }

TEST(TreeTest, ShowsWhatWasSaidWhereTheSpanDoes) {
  auto chat = make_chat({2, 0, "chat demo-small", 0, 181}, 42, 18);
  chat->set(Fact::input_messages,
            R"([{"role":"user","parts":[{"type":"text","content":"Earlier"}]},)"
            R"({"role":"user","parts":[{"type":"text","content":"Why?"}]}])");
  chat->set(Fact::output_messages,
            R"([{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},)"
            R"({"type":"text","content":"Because\nso"},)"
            R"({"type":"tool_call","name":"f","arguments":{"a":1}}],"finish_reason":"stop"}])");
  const SpanPtr broken = [] {
    auto record = make_chat({3, 0, "chat broken", 200, 300}, 1, 1);
    record->set(Fact::input_messages, "no JSON");
    return record;
  }();
  const std::string text = render_tree(std::vector<SpanPtr>{chat, broken});
  EXPECT_NE(text.find("asked: Why?\n"), std::string::npos) << text;
  EXPECT_NE(text.find("said: Because so f {\"a\":1}\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("Earlier"), std::string::npos) << text;
}

TEST(TreeTest, ShowsWhatHappened) {
  EXPECT_EQ(render_tree(demo()), below(R"(
trace 00000000000000000000000000000001       in/out tokens     time  0                        641 ms
session                                             80/30    641 ms  ███████████████████████████████
├─ action Message                                   42/18    182 ms  ████████▊
│  └─ chat demo-small  stream, first chunk 31 ms    42/18    181 ms  ████████▊
├─ action Message                                   38/12    168 ms          ████████▏
│  └─ chat demo-small                               38/12    168 ms          ████████▏
│     · retry 1: 429 rate_limit, waited 50 ms
├─ action Message  BLOCKED by no_secrets                       1 ms                             ▏
└─ action Message  CANCELLED by consumer                -     67 ms                             ███▎
   └─ chat demo-small  3 chunks                         -     67 ms                             ███▎
)"));
}

TEST(TreeTest, IsAsciiWhereLettersBeyondCannotBeShown) {
  auto chat = make_chat({2, 1, "chat modèle", 0, 50}, 4, 2);
  const std::vector<SpanPtr> spans = {chat, make_span({3, 1, "other", 50, 100}),
                                      make_action({1, 0, "Message", 0, 100})};
  EXPECT_EQ(render_tree(spans, {.width = 80, .utf8 = false}), below(R"(
trace 00000000000000000000000000000001       in/out tokens     time  0    100 ms
action Message                                        4/2    100 ms  ###########
|- chat mod?le                                        4/2     50 ms  ######
`- other                                                      50 ms       ######
)"));
}

TEST(TreeTest, HasNoBarsWhereThereIsNoRoom) {
  const std::vector<SpanPtr> spans = {make_chat({1, 0, "chat m", 0, 12'345}, 4)};
  EXPECT_EQ(render_tree(spans, {.width = 70}), below(R"(
trace 00000000000000000000000000000001          in/out tokens     time
chat m                                                   4/-    12.3 s
)"));
}

TEST(TreeTest, ColoursTheMarkAndTheBarOnly) {
  auto chat = make_chat({1, 0, "chat m", 0, 5});
  chat->status = SpanStatus::error;
  chat->set(Fact::error_type, "rate_limit");
  chat->set(Fact::http_status, std::int64_t{429});
  const std::string text = render_tree(std::vector<SpanPtr>{chat}, {.width = 80, .colour = true});
  EXPECT_NE(text.find("chat m  \x1b[31mERROR rate_limit 429\x1b[0m "), std::string::npos) << text;
  EXPECT_EQ(render_tree(std::vector<SpanPtr>{chat}).find('\x1b'), std::string::npos);
}

TEST(TreeTest, CutsWhatIsTooLongAndShowsNoControlCharacters) {
  const std::string name = "chat \x1b[31m" + std::string(300, 'x');
  const auto lines = lines_of(render_tree(std::vector<SpanPtr>{make_chat({.name = name}, 1, 2)}));
  EXPECT_EQ(code_points(lines[1]), 100U);
  EXPECT_EQ(lines[1].find('\x1b'), std::string::npos);
  EXPECT_NE(lines[1].find("…"), std::string::npos);
}

TEST(TreeTest, SeveralRootsStandBesideEachOtherAndTracesUnderHeadersOfTheirOwn) {
  const std::vector<SpanPtr> spans = {make_span({1, 9, "lost", 1, 2}), make_span({2, 0, "first"}),
                                      make_span({3, 0, "later", 5, 6, 2})};
  const auto lines = lines_of(render_tree(spans, {.width = 70}));
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_TRUE(lines[1].starts_with("first"));
  EXPECT_TRUE(lines[2].starts_with("lost"));
  EXPECT_TRUE(lines[3].starts_with("trace 00000000000000000000000000000002"));
  EXPECT_TRUE(lines[4].starts_with("later"));
}

TEST(TreeTest, DeepAndWideTreesKeepTheirWidth) {
  std::vector<SpanPtr> deep;
  std::vector<SpanPtr> wide = {make_span({1, 0, "root", 0, 1000})};
  for (int at = 1; at <= 1000; ++at) {
    deep.push_back(make_span({at, at - 1, "span", at, 2000 - at}));
    wide.push_back(make_span({at + 1, 1, "span", at, at + 1}));
  }
  for (const auto& spans : {deep, wide}) {
    const auto lines = lines_of(render_tree(spans));
    EXPECT_EQ(lines.size(), spans.size() + 1);
    EXPECT_TRUE(std::all_of(lines.begin(), lines.end(),
                            [](const auto& line) { return code_points(line) <= 100; }));
    EXPECT_NE(lines.back().find("span"), std::string::npos);
  }
}

TEST(TreeTest, NothingIsNothing) { EXPECT_EQ(render_tree({}), ""); }

class TreeExporterTest : public testing::Test {
 protected:
  void ended(const SpanPtr& span) { exporter_.export_spans({&span, 1}); }

  std::vector<std::string> trees_;
  TreeExporter exporter_{{.width = 70}, [this](auto tree) { trees_.emplace_back(tree); }};
};

TEST_F(TreeExporterTest, WritesATraceWhenItsRootHasEnded) {
  ended(make_span({3, 2, "chat"}));
  ended(make_span({2, 1, "action"}));
  ended(make_span({7, 6, "of another trace", 0, 1, 2}));
  EXPECT_TRUE(trees_.empty());
  ended(make_span({1, 0, "session"}));
  ASSERT_EQ(trees_.size(), 1U);
  EXPECT_EQ(lines_of(trees_[0]).size(), 4U);
  exporter_.flush({});
  ASSERT_EQ(trees_.size(), 2U);
  EXPECT_EQ(lines_of(trees_[1]).size(), 2U);
  exporter_.shutdown({});
  EXPECT_EQ(trees_.size(), 2U);
}

TEST_F(TreeExporterTest, TwoCallsInOneTraceOfTheHostAreTwoTrees) {
  const auto remote = [](const SpanShape& shape) {
    auto record = make_span(shape);
    record->remote_parent = true;
    return record;
  };
  ended(make_span({3, 1, "chat of 1"}));
  ended(make_span({4, 2, "chat of 2"}));
  ended(remote({1, 100, "action 1"}));
  ended(remote({2, 100, "action 2"}));
  ASSERT_EQ(trees_.size(), 2U);
  EXPECT_NE(trees_[0].find("chat of 1"), std::string::npos);
  EXPECT_EQ(trees_[0].find("chat of 2"), std::string::npos);
  EXPECT_NE(trees_[1].find("chat of 2"), std::string::npos);
}

TEST_F(TreeExporterTest, HoldsBackSoManyAndNoMore) {
  for (std::size_t count = 0; count < TreeExporter::kMostHeldBack; ++count)
    ended(make_span({2, 1, "action"}));
  EXPECT_EQ(trees_.size(), 1U);
}

}  // namespace
}  // namespace mellea::telemetry
