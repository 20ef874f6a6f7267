// A hundred calls at once, and no thread that waits for one: each answer comes to a callback, which
// may call again.
//
//   14_async [BASE_URL [MODEL [CALLS]]]
#include <mellea/mellea.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>

namespace {

// Callbacks come on several threads.
class Tally {
 public:
  explicit Tally(int expected) : left_(expected) {}

  void add(const std::exception_ptr& error, const std::optional<mellea::Result>& answer) {
    const std::lock_guard lock(mutex_);
    if (error)
      failure_ = error;
    else if (answer->usage())
      tokens_ += answer->usage()->output_tokens.value_or(0);
    --left_;
    changed_.notify_one();
  }

  // When all have come: their tokens. Throws if one failed.
  std::int64_t wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return left_ == 0; });
    if (failure_) std::rethrow_exception(failure_);
    return tokens_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int left_;
  std::int64_t tokens_ = 0;
  std::exception_ptr failure_;  // the last; null if none
};

}  // namespace

int main(int argc, char** argv) {
  const int calls = argc > 3 ? std::stoi(argv[3]) : 100;
  Tally tally(2 * calls);
  mellea::Runtime runtime;  // its end waits for callbacks, so what they use is there before
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    for (int call = 0; call < calls; ++call)
      session.chat_async(
          "Tell me of the sea.", {}, [&tally, session](auto error, auto answer) mutable {
            const std::string more = answer ? "Shorter: " + answer->text() : "Try again.";
            tally.add(error, answer);
            session.chat_async(more, {},
                               [&tally](auto failed, auto shorter) { tally.add(failed, shorter); });
          });
    const std::int64_t tokens = tally.wait();
    std::cout << 2 * calls << " answers, " << tokens << " tokens\n";
  } catch (const mellea::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
