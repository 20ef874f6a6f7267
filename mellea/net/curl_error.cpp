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
  for (const std::string_view prefix : {"SSL certificate problem: ", "SSL: "})
    if (reason.starts_with(prefix)) reason.remove_prefix(prefix.size());
  return std::string(reason);
}

// "OpenSSL SSL_read: OpenSSL/3.0.19: error:0A000418:SSL routines::tlsv1 alert unknown ca, errno 0"
// says "tlsv1 alert unknown ca".
std::string tls_reason(std::string_view reason) {
  constexpr std::string_view kBefore = "SSL routines::";
  if (const auto found = reason.find(kBefore); found != reason.npos)
    reason.remove_prefix(found + kBefore.size());
  return std::string(reason.substr(0, reason.find(", errno ")));
}

Error bad_file(const CurlFailure& failure, std::string what, const std::string& reason) {
  return Error(Errc::invalid_request, std::string(failure.server) + ": can't use " +
                                          std::move(what) + ": " + tls_reason(reason));
}

Error bad_authorities(const CurlFailure& failure, const std::string& reason) {
  return bad_file(failure,
                  failure.ca_file.empty()
                      ? "the system's certificates"
                      : "the certificates in \"" + std::string(failure.ca_file) + '"',
                  reason);
}

Error bad_certificate(const CurlFailure& failure, const std::string& reason) {
  std::string what = "the client's certificate in \"" + std::string(failure.certificate_file) + '"';
  if (!failure.key_file.empty())
    what += " with the key in \"" + std::string(failure.key_file) + '"';
  return bad_file(failure, std::move(what), reason);
}

Error no_tls(const CurlFailure& failure, const std::string& reason, bool retryable) {
  const bool in_the_clear = reason.find("wrong version number") != reason.npos ||
                            reason.find("packet length too long") != reason.npos;
  return transport(std::string(failure.server) + ": no TLS connection: " + tls_reason(reason) +
                       (in_the_clear ? ": does the server speak http:// only?" : ""),
                   retryable);
}

// The other side ended a connection that we thought was good: with TLS 1.3 it sees our certificate,
// or that there is none, after we have begun to speak.
Error tls_was_refused(const CurlFailure& failure, const std::string& reason) {
  const bool wants_certificate = reason.find("certificate required") != reason.npos;
  return transport(std::string(failure.server) +
                       (wants_certificate ? ": the server wants a certificate of the client's"
                                          : ": TLS was refused: " + tls_reason(reason)),
                   false);
}

Error proxy_refused(const CurlFailure& failure, const std::string& reason) {
  const auto digits = reason.find_last_of(' ') + 1;
  const std::string status = reason.substr(digits);
  return transport(std::string(failure.server) + ": the proxy refused with status " + status +
                       (status == "407" ? ": it wants a user and a password" : ""),
                   status.starts_with('5'));
}

// libcurl has one code for a connection lost and for bytes that make no sense.
bool is_malformed(std::string_view reason) {
  return reason.find("chunk") != reason.npos || reason.find("header") != reason.npos;
}

// A handshake that ended because the other side went, and not because it disagreed.
bool is_lost(const CurlFailure& failure) {
  return failure.os_error == ECONNRESET || failure.reason.find("SYSCALL") != failure.reason.npos ||
         failure.reason.find("reset by peer") != failure.reason.npos ||
         failure.reason.find("unexpected eof") != failure.reason.npos;
}

// A SOCKS proxy that wants another name or password will not change its mind.
bool is_of_authentication(std::string_view reason) {
  return reason.find("uthentication") != reason.npos || reason.find("password") != reason.npos;
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
                     ": the proxy, of the request or of the environment (http_proxy, https_proxy, "
                     "all_proxy), is no URL of a proxy");
  if (reason.find("CONNECT tunnel failed") != reason.npos) return proxy_refused(failure, reason);
  switch (failure.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return transport("no such host: " + std::string(failure.host), true);
    case CURLE_COULDNT_RESOLVE_PROXY: return transport(server + ": " + reason, true);
    case CURLE_COULDNT_CONNECT:
      return transport("connect to " + server + ": " + connect_reason(failure), true);
    case CURLE_PEER_FAILED_VERIFICATION:
      return transport(
          server + ": the server's certificate is not valid: " + certificate_reason(reason), false);
    case CURLE_SSL_CONNECT_ERROR: return no_tls(failure, reason, is_lost(failure));
    case CURLE_SSL_CACERT_BADFILE: return bad_authorities(failure, reason);
    case CURLE_SSL_CERTPROBLEM: return bad_certificate(failure, reason);
    case CURLE_SSL_CLIENTCERT:
      return transport(server + ": the server wants a certificate of the client's", false);
    case CURLE_PROXY: return transport(server + ": " + reason, !is_of_authentication(reason));
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      if (reason.find(" alert ") != reason.npos) return tls_was_refused(failure, reason);
      if (is_malformed(reason))
        return transport(server + ": the answer is not HTTP: " + reason, false);
      [[fallthrough]];
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
      return transport(server + ": connection lost after " + how_far(failure), true);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return transport(server + ": the answer is not HTTP: " + reason, false);
    default: return transport(server + ": " + reason, false);
  }
}

}  // namespace mellea
