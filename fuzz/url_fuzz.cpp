// A URL that was taken apart says the same when it is put together, and shows no password.
#include <curl/curl.h>
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "mellea/core/error.h"
#include "mellea/net/url.h"
#include "require.h"

namespace mellea {
namespace {

constexpr std::string_view kSecret = "s3cret-Word";

bool has_secret(std::string_view text) { return text.find(kSecret) != text.npos; }

// As libcurl has it, which sends it.
bool is_sent_as_user_or_password(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> handle(curl_url(), &curl_url_cleanup);
  if (curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return false;
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS}) {
    char* text = nullptr;
    if (curl_url_get(handle.get(), part, &text, 0) != CURLUE_OK) continue;
    const std::unique_ptr<char, decltype(&curl_free)> owned(text, &curl_free);
    if (has_secret(owned.get())) return true;
  }
  return false;
}

void check_good(const std::string& text, const Url& url) {
  require(url.scheme == "http" || url.scheme == "https", "the scheme is one of two");
  require(!url.host.empty(), "there is a host");
  require(url.port >= 0 && url.port <= 65535, "the port is one");
  require(url.path.starts_with('/'), "the path begins with a slash");
  require(std::none_of(url.shown.begin(), url.shown.end(),
                       [](unsigned char c) { return c < ' ' || c == 0x7f; }),
          "what is shown is one line");
  const auto query = text.find('?');
  if (query != text.npos && !has_secret(text.substr(0, query)))
    require(!has_secret(url.shown), "a query is not shown");
  if (is_sent_as_user_or_password(text) && text.rfind(kSecret) == text.find(kSecret))
    require(!has_secret(url.shown), "a password is not shown");

  const Url again = parse_url(url.scheme + "://" + url.authority() + url.path);
  require(again.scheme == url.scheme && again.host == url.host && again.port == url.port &&
              again.path == url.path,
          "put together, it is the same");
  const Url joined = parse_url(join_url(text, "chat/completions"));
  require(joined.host == url.host && joined.port == url.port, "a path leads to no other host");
}

void check(const std::string& text) {
  Url url;
  try {
    url = parse_url(text);
  } catch (const Error& error) {
    require(error.code() == Errc::invalid_request, "what is refused is an invalid request");
    const auto slashes = text.find("://");
    const auto begin = slashes == text.npos ? 0 : slashes + 3;  // of what may be a user
    const auto at = text.rfind('@');
    if (at != text.npos && at >= begin && !has_secret(text.substr(0, begin)) &&
        !has_secret(text.substr(at)))
      require(!has_secret(error.what()), "what may be a password is not shown");
    return;
  }
  check_good(text, url);
}

}  // namespace
}  // namespace mellea

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider input(bytes, size);
  const auto shape = input.ConsumeIntegralInRange<int>(0, 3);
  const std::string front = input.ConsumeRandomLengthString(40);
  const std::string rest = input.ConsumeRemainingBytesAsString();
  const std::string secret(mellea::kSecret);
  switch (shape) {
    case 0: mellea::check(front + rest); break;
    case 1: mellea::check("https://" + front + rest); break;
    case 2: mellea::check("http://" + front + secret + '@' + rest); break;
    default: mellea::check("https://" + front + '?' + secret + rest); break;
  }
  return 0;
}
