#include "mellea/net/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part(const Handle& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return {};
  const std::unique_ptr<char, decltype(&curl_free)> owned(text, &curl_free);
  return owned.get();
}

// Works on any text, also on one that is no URL: what stands before an @ may be a password.
// And what follows a ? may be a key.
std::string masked(std::string_view text) {
  const auto query = text.find('?');
  const std::string_view hidden = query == text.npos ? "" : "?***";
  text = text.substr(0, query);
  const auto slashes = text.find("://");
  const auto begin = slashes == text.npos ? 0 : slashes + 3;
  const auto at = text.substr(0, text.find_first_of("/?#", begin)).rfind('@');
  std::string shown(text);
  if (at != text.npos && at >= begin) shown.replace(begin, at - begin, "***");
  return one_line(shown.append(hidden));
}

// What is no URL may have a password with a slash in it: all before the last @ is hidden.
[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  const auto slashes = text.find("://");
  const auto begin = slashes == text.npos ? 0 : slashes + 3;
  const auto at = text.rfind('@');
  std::string shown(text);
  if (at != text.npos && at >= begin) shown.replace(begin, at - begin, "***");
  // With a question mark before it, what follows the @ may be a key.
  if (at != text.npos && text.find('?') < at) shown.resize(begin);
  shown.resize(std::min(shown.find('?'), shown.size()));
  throw Error(Errc::invalid_request, "not a URL to send to: \"" + one_line(shown) + "\": " + why);
}

}  // namespace

std::string Url::authority() const {
  const bool ipv6 = host.find(':') != host.npos;
  return (ipv6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

Url parse_url(std::string_view text) {
  const auto host = text.find("://");
  if (host == text.npos) refuse(text, "it must begin with http:// or https://");
  if (text.substr(host + 3).starts_with('/')) refuse(text, "it has no host");
  const Handle handle(curl_url(), &curl_url_cleanup);
  const std::string whole(text);
  const CURLUcode code =
      curl_url_set(handle.get(), CURLUPART_URL, whole.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK || whole.find('\0') != whole.npos) {
    refuse(text, code == CURLUE_OK ? "it has a zero byte" : curl_url_strerror(code));
  }
  Url url{.scheme = part(handle, CURLUPART_SCHEME),
          .host = part(handle, CURLUPART_HOST),
          .port = 0,
          .path = part(handle, CURLUPART_PATH),
          .shown = masked(text)};
  if (url.scheme != "http" && url.scheme != "https")
    refuse(text, "the scheme is not http or https");
  for (char& c : url.host) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  // libcurl decodes a host: what is left of its percent signs would be decoded once more.
  if (url.host.find('%') != url.host.npos) refuse(text, "a host has no percent sign");
  if (url.host.front() == '[') url.host = url.host.substr(1, url.host.size() - 2);
  url.port = std::stoi(part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT));
  return url;
}

std::string join_url(std::string_view base, std::string_view path) {
  const auto query = std::min(base.find_first_of("?#"), base.size());
  std::string_view front = base.substr(0, query);
  while (front.ends_with('/')) front.remove_suffix(1);
  while (path.starts_with('/')) path.remove_prefix(1);
  std::string joined(front);
  if (!path.empty()) (joined += '/') += path;
  std::string_view rest = base.substr(query);
  if (rest.starts_with('?') && path.find('?') != path.npos) {
    joined += '&';
    rest.remove_prefix(1);
  }
  return joined += rest;
}

}  // namespace mellea
