// One exchange as the event loop sees it: how far it is, when it must be looked at, what failed.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "mellea/core/error.h"
#include "mellea/core/fork.h"
#include "mellea/net/answer_queue.h"
#include "mellea/net/curl_error.h"
#include "mellea/net/http_head.h"
#include "mellea/net/network.h"
#include "mellea/net/url.h"

struct curl_slist;

namespace mellea {

class EventLoop;

// Handles of libcurl, whose header only .cpp files see.
struct FreedByCurl {
  void operator()(void* easy_handle) const noexcept;
  void operator()(curl_slist* list) const noexcept;
};
using EasyHandle = std::unique_ptr<void, FreedByCurl>;
using HeaderList = std::unique_ptr<curl_slist, FreedByCurl>;

enum class Phase { delayed, queued, connecting, waiting, receiving, finishing, over };

// Why a transfer is looked at when no socket asks for it.
enum class Due { never, start, connect, first_byte, silence, whole, until, grace };
struct Deadline {
  Instant at = Instant::max();
  Due due = Due::never;
};

// What the loop and the handle of an exchange share. The constants never change, `queue` is for
// both sides, and all below it is the loop thread's own.
struct Transfer {
  // Throws Error (invalid_request) for a URL or a header that is none.
  Transfer(HttpRequest what, std::shared_ptr<const Url> its_url, std::shared_ptr<EventLoop> where);

  const HttpRequest request;
  const std::shared_ptr<const Url> url;
  const std::string server;  // "127.0.0.1:11434"
  const std::shared_ptr<EventLoop> loop;
  const Instant began;
  const ForkMark mark{};

  AnswerQueue queue;

  Phase phase = Phase::delayed;
  Instant phase_began{};
  EasyHandle easy{};  // null unless libcurl works on it
  HeaderList headers{};
  HttpHeadParser head;
  bool head_given = false;
  std::string staged{};  // bytes that libcurl gave since the loop's last look
  Instant staged_at{};
  bool touched = false;      // has a head or bytes for the reader
  bool paused = false;       // the socket is not read
  std::int64_t sent = 0;     // bytes of the request's body, when it was last looked at
  std::size_t received = 0;  // bytes of the answer's body
  Instant last_arrival{};
  Deadline armed{};                // what stands in the loop's timers
  std::optional<Error> refusal{};  // why we told libcurl to stop
  std::array<char, 256> reason{};  // where libcurl says why it failed

  // Whether both may use one connection, one after the other.
  bool same_server(const Transfer& other) const noexcept {
    return server == other.server && url->scheme == other.url->scheme;
  }
  std::int64_t body_size() const noexcept {
    return request.body ? static_cast<std::int64_t>(request.body->size()) : 0;
  }
  // The next moment at which something is due, if nothing arrives until then.
  Deadline deadline() const;
  // The error for a deadline that has come.
  Error timeout(Due due) const;
  // The error for a CURLcode.
  Error error(int code) const;
  void refuse(const std::string& why);

 private:
  CurlFailure failure(int code) const;
};
using TransferPtr = std::shared_ptr<Transfer>;

}  // namespace mellea
