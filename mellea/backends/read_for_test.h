// What the backend tests share: a stream, read to its end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mellea/backends/backend.h"
#include "mellea/core/error.h"

namespace mellea {

// What a stream gave, and the Error it ended with.
struct Read {
  Reply reply{};
  std::vector<Notice> notices{};
  std::optional<Error> error{};
  std::string outcome() const { return error ? std::string(to_string(error->code())) : "ok"; }
  std::string what() const { return error ? error->what() : ""; }
};

inline Read read(ReplyStream& stream) {
  Read all;
  Chunk chunk;
  try {
    for (Next next{}; (next = stream.try_next(chunk)) != Next::end;) {
      if (next == Next::pending)
        stream.wait(Instant::max());
      else if (const auto* notice = std::get_if<Notice>(&chunk.what))
        all.notices.push_back(*notice);
      else
        add(all.reply, chunk);
    }
  } catch (const Error& error) {
    all.error = error;
  }
  return all;
}

}  // namespace mellea
