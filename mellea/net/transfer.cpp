#include "mellea/net/transfer.h"

#include <curl/curl.h>

#include <string_view>
#include <utility>

#include "mellea/core/text.h"

namespace mellea {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kGrace{100};    // for the rest of an answer that nobody needs
constexpr milliseconds kPatience{10};  // for a connection that such a rest is about to free

// "250 ms", "1.5 s", "600 s".
std::string shown(milliseconds time) {
  if (time < milliseconds(1000)) return std::to_string(time.count()) + " ms";
  std::string text = std::to_string(time.count() / 1000);
  if (std::string rest = std::to_string(time.count() % 1000 + 1000).substr(1); rest != "000") {
    rest.resize(rest.find_last_not_of('0') + 1);
    text += '.' + rest;
  }
  return text + " s";
}

// A header that comes from outside must not become two.
void check(const Headers& headers) {
  for (const auto& [name, value] : headers) {
    const bool bad_name = name.empty() || name.find_first_of({"\r\n: \0", 5}) != name.npos;
    if (bad_name || value.find_first_of({"\r\n\0", 3}) != value.npos)
      throw Error(Errc::invalid_request, "not an HTTP header: \"" + one_line(name, 80) + "\"");
  }
}

}  // namespace

void FreedByCurl::operator()(void* easy_handle) const noexcept { curl_easy_cleanup(easy_handle); }
void FreedByCurl::operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }

Transfer::Transfer(HttpRequest what, std::shared_ptr<const Url> its_url,
                   std::shared_ptr<EventLoop> where)
    : request(std::move(what)),
      url(std::move(its_url)),
      server(url->authority()),
      loop(std::move(where)),
      began(steady_clock::now()) {
  static_assert(sizeof(reason) >= CURL_ERROR_SIZE);
  check(request.headers);
}

Deadline Transfer::deadline() const {
  const Limits& limits = request.limits;
  Deadline next;
  const auto consider = [&next](Instant at, Due due) {
    if (at < next.at) next = {at, due};
  };
  const auto limit = [&consider](Instant since, milliseconds time, Due due) {
    if (time > milliseconds(0)) consider(later(since, time), due);
  };
  switch (phase) {
    case Phase::delayed: consider(later(began, request.delay), Due::start); break;
    case Phase::queued: consider(later(phase_began, kPatience), Due::start); break;
    case Phase::connecting: limit(phase_began, limits.connect, Due::connect); break;
    case Phase::waiting: limit(phase_began, limits.first_byte, Due::first_byte); break;
    case Phase::receiving:
      if (!paused) limit(last_arrival, limits.silence, Due::silence);
      break;
    case Phase::finishing: return {later(phase_began, kGrace), Due::grace};
    case Phase::over: return {};
  }
  limit(began, limits.whole, Due::whole);
  if (request.until != Instant{}) consider(request.until, Due::until);
  return next;
}

Error Transfer::timeout(Due due) const {
  const Limits& limits = request.limits;
  const bool connected = phase > Phase::connecting;
  const std::string where = connected ? server + ": " : "connect to " + server + ": ";
  const auto error = [&](const std::string& what) {
    return Error(Errc::timeout, where + what, {.retryable = due == Due::connect});
  };
  switch (due) {
    case Due::connect: return error("no answer within " + shown(limits.connect));
    case Due::first_byte: return error("no answer within " + shown(limits.first_byte));
    case Due::silence:
      return error("silent for " + shown(limits.silence) + " after " + how_far(failure(CURLE_OK)));
    case Due::whole: return error("not done within " + shown(limits.whole));
    default: return error("not done when its time was up");
  }
}

CurlFailure Transfer::failure(int code) const {
  long os_error = 0;
  if (easy) curl_easy_getinfo(easy.get(), CURLINFO_OS_ERRNO, &os_error);
  return {.code = code,
          .os_error = static_cast<int>(os_error),
          .reason = reason.data(),
          .host = url->host,
          .server = server,
          .ca_file = request.ca_file,
          .certificate_file = request.certificate_file,
          .key_file = request.key_file,
          .head_arrived = head.done(),
          .received = received};
}

Error Transfer::error(int code) const {
  if (refusal) return *refusal;
  if (code == CURLE_OPERATION_TIMEDOUT) return timeout(Due::connect);
  return to_error(failure(code));
}

void Transfer::refuse(const std::string& why) {
  refusal = Error(Errc::transport_error, server + ": " + why);
}

}  // namespace mellea
