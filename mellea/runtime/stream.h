// An answer that is read in chunks, and checked while it comes in.
//
//   mellea::Stream stream = session.stream(
//       "Tell me about the sea.",
//       {.chunking = mellea::Chunking::sentence(), .checks = {{no_weather}}, .retries = 1});
//   while (auto sentence = stream.next()) std::cout << *sentence << '\n';
//   if (!stream.ok()) std::cerr << stream.failures().front().reason << '\n';
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/outcome.h"
#include "mellea/core/requirement.h"
#include "mellea/runtime/chunking.h"
#include "mellea/runtime/result.h"

namespace mellea {

class StreamState;

// What has come of an answer, up to the chunk that is to be checked.
struct PartialAnswer {
  std::string_view chunk{};
  std::string_view text{};  // the chunk is its end
  std::size_t index = 0;    // of the chunk, from 0
  const Context& context;   // what was said before
};

// Nothing: it can't be known yet. Then the chunk is given out.
using PartialCheck =
    std::function<std::optional<ValidationResult>(const PartialAnswer&, const Call&)>;

// What is asked of each chunk before it is given out.
struct StreamCheck {
  Requirement requirement;
  // Empty: the requirement's own check, or a model that judges, gets the chunk as if it were the
  // answer.
  PartialCheck check{};
};

struct StreamOptions {
  Chunking chunking = Chunking::delta();
  std::vector<StreamCheck> checks{};
  Requirements requirements{};  // of the whole answer, checked at its end
  int retries = 0;              // how often it is asked for again when a check failed
};

// A handle on an answer in progress; copies are handles on the same one. When the last is destroyed
// before the end, the call is cancelled (CancelReason::consumer); the destructor neither waits nor
// runs plugin code. Any thread may call anything; one reads at a time, the others wait. Checks and
// plugins run on the thread that reads. They must not read the stream that they are part of.
//
// Outlives its Session and its Runtime: then every read of an unfinished call throws
// Errc::shutdown. In a child of fork() every read throws Errc::after_fork.
class Stream {
 public:
  // Blocks for the next chunk that passed its checks. Nothing at the end, which has been announced
  // to plugins by then: the answer is whole, or a check failed and it was left; see ok(). Throws
  // Error, again at each call, if there is no answer: with the text as far as it was given out, or
  // all that had come if nothing is checked.
  std::optional<std::string> next();

  // Blocks until the end; chunks that it passes over are given out to nobody. Throws as next()
  // does. The answer is whole, or ends with the last chunk that passed.
  Result wait();

  // Of the chunk that next() gave last, from 1. Where it grows, the answer begins anew: a check
  // failed, and what was read before is void.
  int attempt() const;

  bool done() const noexcept;
  // Whether the answer came whole, and meets its requirements; false before that is known.
  bool ok() const;
  // What it does not meet: a check that it was left for, or requirements of the whole. Nothing
  // before the end.
  std::vector<Failure> failures() const;
  void cancel(CancelReason reason = CancelReason::consumer) noexcept;
  const Scope& scope() const noexcept;  // of the stream

 private:
  friend class StreamState;
  class Handle;
  explicit Stream(std::shared_ptr<Handle> handle);

  std::shared_ptr<Handle> handle_;
};

}  // namespace mellea
