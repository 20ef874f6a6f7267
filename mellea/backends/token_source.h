// Tokens that let requests in: fetched before they are needed, and again before they wear out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/reply.h"

namespace mellea {

// May be used from several threads at once. Nothing here blocks.
class TokenSource {
 public:
  // How far one reply is in its wait for a token. A reply that needs another begins with {}.
  struct Wait {
    std::uint64_t fetch = 0;  // the one it waits for; 0: it has not asked yet
    std::uint64_t news = 0;   // how much of it the reply has heard
  };

  virtual ~TokenSource() = default;

  // Nothing while a token is being fetched: then when_news() tells when to ask again. Throws Error
  // if it can't be had. Before either, what there is to be told is appended to `notices`.
  virtual std::optional<std::string> token(Wait& wait, std::vector<Notice>& notices) = 0;

  // False if there were news since token() was asked; then `wake` is not kept. Else it is called
  // once, on any thread, when there are: it must not block, throw, or call back.
  [[nodiscard]] virtual bool when_news(const Wait& wait, std::function<void()> wake) = 0;

  // A server takes that token no longer, so it is not given out again.
  virtual void refused(std::string_view token) = 0;
};

}  // namespace mellea
