// How much tracing asks of the heap. Replaces operator new for the whole test program.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "mellea/telemetry/tracing_for_test.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MELLEA_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MELLEA_SANITIZED
#endif
#endif

#ifndef MELLEA_SANITIZED
namespace {
thread_local long allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace mellea::telemetry {
namespace {

class AllocationsTest : public TracingTest {};

TEST_F(AllocationsTest, OneTracedGenerationTakesAtMostFive) {
  const auto conversation = std::make_shared<const std::string>(Id::random().text());
  const GenerationPreCall event{
      .scope = Scope::root(Kind::generation),
      .at = kStart,
      .target = std::make_shared<const Target>(
          Target{.provider = "openai",
                 .endpoint = {.address = "api.openai.com", .port = 443},
                 .component = "Instruction",
                 .conversation = conversation}),
      .request =
          Request{.model = "granite4:micro-with-a-long-name",
                  .options = {.temperature = 0.5, .top_p = 0.9, .max_tokens = 64, .seed = 7}}};
  const auto reply = std::make_shared<const Reply>(
      Reply{.finish_reasons = {"stop"},
            .response = {.id = "chatcmpl-0123456789012345678901234567", .model = "granite4:micro"},
            .usage = Usage{.input_tokens = 42, .output_tokens = 18, .total_tokens = 60}});
  long least = 1'000'000;
  constexpr int kRounds = 2000;
  double ns = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    auto opening = std::make_shared<GenerationPreCall>(event);
    const auto started = std::chrono::steady_clock::now();
    const long before = allocations;
    static_cast<void>(hooks_.decide(*opening));
    hooks_.tell<GenerationPreCall>(*opening);
    hooks_.tell(
        GenerationPostCall{.opening = opening, .ending = {.at = kStart + 5ms}, .reply = reply});
    least = std::min(least, allocations - before);
    ns = std::min(ns, static_cast<double>((std::chrono::steady_clock::now() - started).count()));
  }
  const std::size_t attributes = memory_->spans().at(0)->attributes().size();
  std::printf("one generation, %zu attributes: %ld allocations, at best %.0f ns with its hooks\n",
              attributes, least, ns);
  EXPECT_GE(attributes, 20U);
  EXPECT_LE(least, 5);
}

}  // namespace
}  // namespace mellea::telemetry
#endif
