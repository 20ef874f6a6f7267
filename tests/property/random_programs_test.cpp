// The property that everything hangs on: every operation has exactly one end and the right parent,
// on every path that random programs find.
//
// MELLEA_RANDOM_PROGRAMS says how many, MELLEA_RANDOM_SEED which; the seed of a failure is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "chaos.h"
#include "mellea/hooks/testing/recorder.h"
#include "mellea/mellea.h"
#include "mellea/telemetry.h"
#include "mellea/telemetry/memory_exporter.h"
#include "random_program.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;
using telemetry::MemoryExporter;
using telemetry::SpanPtr;

// What is wrong with the spans of a program: a span that was not ended, is there twice, or whose
// parent is not the span of what encloses it.
std::vector<std::string> problems_of(const std::vector<SpanPtr>& spans) {
  using telemetry::Fact;
  std::vector<std::string> problems;
  std::map<std::array<std::uint8_t, 8>, SpanPtr> by_id;
  for (const SpanPtr& span : spans) {
    const std::string name(span->name);
    if (!by_id.emplace(span->ids.span, span).second) problems.push_back(name + " is there twice");
    if (span->ended < span->began) problems.push_back(name + " ended before it began");
    if (span->find(Fact::unfinished)) problems.push_back(name + " was never ended");
  }
  const std::set<std::string> outside = {"", "session"};  // of any operation
  const std::map<std::string, std::set<std::string>> parents = {
      {"session", {""}},
      {"action", {"", "session", "invoke_agent react", "execute_tool ask", "validation"}},
      {"sampling", {"action"}},
      {"chat demo", {"action", "sampling", "validation", "stream"}},
      {"validation", {"", "session", "action", "sampling", "stream"}},
      {"execute_tool ask", {"", "session", "invoke_agent react"}},
      {"execute_tool see", {"", "session", "invoke_agent react"}},
      {"execute_tool final_answer", {"invoke_agent react"}},
      {"execute_tool unknown", {"", "session", "invoke_agent react"}},
      {"invoke_agent react", outside},
      {"stream", outside},
      {"text_completion demo", outside},
      {"embeddings demo", outside}};
  for (const SpanPtr& span : spans) {
    const auto parent = by_id.find(span->parent);
    const bool root = span->parent == std::array<std::uint8_t, 8>{};
    const std::string around = parent == by_id.end() ? "" : std::string(parent->second->name);
    if (!root && parent == by_id.end())
      problems.push_back(std::string(span->name) + " lost its parent");
    const auto known = parents.find(std::string(span->name));
    if (known == parents.end() || !known->second.contains(around))
      problems.push_back(std::string(span->name) + " is in \"" + around + "\"");
    if (parent != by_id.end() && parent->second->ids.trace != span->ids.trace)
      problems.push_back(std::string(span->name) + " is in another trace than its parent");
  }
  return problems;
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Nothing hears the ends here, so other paths are taken; what is left to see is that all of it
// ends.
TEST(RandomProgramsTest, ProgramsWithoutPluginsEndToo) {
  const std::uint64_t programs = number_from("MELLEA_RANDOM_PROGRAMS", 10'000) / 5;
  const std::uint64_t first = number_from("MELLEA_RANDOM_SEED", std::random_device{}());
  std::cout << "MELLEA_RANDOM_SEED=" << first << std::endl;
  for (std::uint64_t seed = first; seed < first + programs; ++seed) {
    const auto before = std::chrono::steady_clock::now();
    run_random_program(seed, {});
    ASSERT_FALSE(HasFailure()) << "MELLEA_RANDOM_SEED=" << seed;
    ASSERT_LT(std::chrono::steady_clock::now() - before, 4s) << "MELLEA_RANDOM_SEED=" << seed;
  }
}

TEST(RandomProgramsTest, EveryOperationHasOneEndAndTheRightParent) {
  const std::uint64_t programs = number_from("MELLEA_RANDOM_PROGRAMS", 10'000);
  const std::uint64_t first = number_from("MELLEA_RANDOM_SEED", std::random_device{}());
  std::cout << "MELLEA_RANDOM_SEED=" << first << " MELLEA_RANDOM_PROGRAMS=" << programs
            << std::endl;
  std::size_t generations = 0;
  std::size_t spans_seen = 0;
  for (std::uint64_t seed = first; seed < first + programs; ++seed) {
    const auto recorder =
        std::make_shared<testing::Recorder>(testing::Recorder::Options{.chunks = seed % 3 == 0});
    const auto memory = std::make_shared<MemoryExporter>();
    Telemetry telemetry(telemetry::Config{.exporters = {memory}});
    Plugins plugins = telemetry.plugins();
    plugins.push_back(recorder);
    if (seed % 4 != 0) plugins.push_back(std::make_shared<Chaos>(seed));
    run_random_program(seed, plugins);
    ASSERT_FALSE(HasFailure()) << "MELLEA_RANDOM_SEED=" << seed;
    telemetry.shutdown();

    const auto spans = memory->take();
    const auto chats = static_cast<std::size_t>(std::count_if(
        spans.begin(), spans.end(), [](const SpanPtr& span) { return span->name == "chat demo"; }));
    ASSERT_EQ(recorder->problems(), std::vector<std::string>{})
        << "MELLEA_RANDOM_SEED=" << seed << " MELLEA_RANDOM_PROGRAMS=1\n"
        << ::testing::PrintToString(recorder->lines());
    ASSERT_EQ(problems_of(spans), std::vector<std::string>{})
        << "MELLEA_RANDOM_SEED=" << seed << " MELLEA_RANDOM_PROGRAMS=1\n"
        << ::testing::PrintToString(recorder->lines());
    ASSERT_EQ(chats, recorder->count("generation_pre_call")) << "MELLEA_RANDOM_SEED=" << seed;
    generations += recorder->count("generation_pre_call");
    spans_seen += spans.size();
  }
  std::cout << generations << " generations, " << spans_seen << " spans\n";
}

}  // namespace
}  // namespace mellea
