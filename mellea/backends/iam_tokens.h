// Tokens of IBM Cloud's IAM, which a key is exchanged for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mellea/backends/backend.h"
#include "mellea/backends/iam_reply.h"
#include "mellea/backends/token_source.h"
#include "mellea/core/fork.h"

namespace mellea {

// Keeps a token for as long as it is good. When a tenth of its life is left, at most 5 minutes, the
// next one is fetched, and until that is there the old one is given out. However many ask, one
// exchange is under way; it is tried again as other requests are (RetryRule), and its time is
// limited apart from theirs. No thread is its own: those who wait for it read its answer.
//
// The key is sent to that one URL and is in no error and no notice.
class IamTokens final : public TokenSource {
 public:
  using Clock = std::function<Instant()>;

  // Of `options` the key, where it is exchanged, and how to connect there. Throws Error
  // (Errc::invalid_request) for a URL that is none.
  IamTokens(const BackendOptions& options, std::weak_ptr<Network> network,
            Clock now = Instant::clock::now);

  std::optional<std::string> token(Wait& wait, std::vector<Notice>& notices) override;
  [[nodiscard]] bool when_news(const Wait& wait, std::function<void()> wake) override;
  void refused(std::string_view token) override;

 private:
  class News;

  // With mutex_ held.
  void read_on(std::vector<Notice>& notices);
  void renew(Instant now);
  void begin_fetch();
  void got_token(std::vector<Notice>& notices);
  void got_none(const Error& error);

  const BackendOptions options_;  // its iam_url is whole
  const std::shared_ptr<const RequestNames> names_;
  const std::weak_ptr<Network> network_;
  const Clock now_;
  const ForkMark mark_{};
  const std::shared_ptr<News> news_;
  const std::function<void()> tell_;  // the news, on the network's thread; shares them

  std::mutex mutex_;
  // All below is guarded by mutex_.
  std::string token_;              // empty: there is none, or it was refused
  std::uint64_t token_fetch_ = 0;  // the number of the fetch that it came with; 0: none ever came
  Instant expires_{};              // when it does
  Instant renew_at_{};             // when the next one is to be fetched
  std::unique_ptr<ReplyStream> fetch_;  // null: none is under way
  std::uint64_t fetches_ = 0;           // begun so far, which is the number of the last one
  Instant began_{};                     // when the last one did
  IamToken fetched_;                    // what it brought
  std::optional<Error> failure_;        // of the fetch that failed last,
  std::uint64_t failed_ = 0;            // and its number
};

}  // namespace mellea
