#include "mellea/net/curl_error.h"

#include <curl/curl.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "mellea/core/text.h"

namespace mellea {
namespace {

Error transport(const std::string& what, bool retryable) {
  return Error(Errc::transport_error, what, {.retryable = retryable});
}

std::string os_reason(int os_error) {
  switch (os_error) {
    case 0: return "failed";
    case ECONNREFUSED: return "refused";
    case ENETUNREACH: return "the network can't be reached";
    case EHOSTUNREACH: return "the host can't be reached";
    default: return one_line(std::generic_category().message(os_error));
  }
}

// Behind a proxy it is not the server that can't be reached; libcurl's words name the proxy.
std::string connect_reason(const CurlFailure& failure) {
  std::string why = os_reason(failure.os_error);
  if (failure.reason.find(failure.host) == failure.reason.npos && !failure.reason.empty())
    why += " (" + one_line(failure.reason) + ")";
  return why;
}

std::string certificate_reason(std::string_view reason) {
  constexpr std::string_view kPrefix = "SSL certificate problem: ";
  if (reason.starts_with(kPrefix)) reason.remove_prefix(kPrefix.size());
  return one_line(reason);
}

// libcurl has one code for a connection lost and for bytes that make no sense.
bool is_malformed(std::string_view reason) {
  return reason.find("chunk") != reason.npos || reason.find("header") != reason.npos;
}

// A handshake that ended because the other side went, and not because it disagreed.
bool is_lost(const CurlFailure& failure) {
  return failure.os_error == ECONNRESET || failure.reason.find("SYSCALL") != failure.reason.npos ||
         failure.reason.find("reset by peer") != failure.reason.npos;
}

}  // namespace

std::string how_far(const CurlFailure& failure) {
  if (failure.received > 0) {
    const bool one = failure.received == 1;
    return std::to_string(failure.received) + (one ? " byte" : " bytes") + " of the answer";
  }
  return failure.head_arrived ? "the head of the answer" : "the request";
}

Error to_error(const CurlFailure& failure) {
  const std::string server(failure.server);
  const std::string reason =
      one_line(failure.reason.empty() ? curl_easy_strerror(static_cast<CURLcode>(failure.code))
                                      : failure.reason);
  if (failure.reason.starts_with("Unsupported proxy"))  // libcurl quotes it, password and all
    return Error(Errc::invalid_request,
                 server +
                     ": the proxy of the environment (http_proxy, https_proxy, all_proxy) is "
                     "no URL of a proxy");
  switch (failure.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return transport("no such host: " + std::string(failure.host), true);
    case CURLE_COULDNT_RESOLVE_PROXY: return transport(server + ": " + reason, true);
    case CURLE_COULDNT_CONNECT:
      return transport("connect to " + server + ": " + connect_reason(failure), true);
    case CURLE_PEER_FAILED_VERIFICATION:
      return transport(
          server + ": the server's certificate is not valid: " + certificate_reason(reason), false);
    case CURLE_SSL_CONNECT_ERROR:
      return transport(server + ": no TLS connection: " + reason, is_lost(failure));
    case CURLE_SSL_CACERT_BADFILE:
      return Error(Errc::invalid_request, server + ": can't load certificates: " + reason);
    case CURLE_RECV_ERROR:
      if (reason.find("CONNECT tunnel failed") != reason.npos)
        return transport(server + ": the proxy refused: " + reason, false);
      if (reason.find(" alert ") != reason.npos)
        return transport(server + ": TLS was refused: " + reason, false);
      if (is_malformed(reason))
        return transport(server + ": the answer is not HTTP: " + reason, false);
      [[fallthrough]];
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
      return transport(server + ": connection lost after " + how_far(failure), true);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return transport(server + ": the answer is not HTTP: " + reason, false);
    default: return transport(server + ": " + reason, false);
  }
}

}  // namespace mellea
