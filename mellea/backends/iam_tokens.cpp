#include "mellea/backends/iam_tokens.h"

#include <algorithm>
#include <utility>

#include "mellea/backends/http_reply.h"
#include "mellea/backends/secret.h"
#include "mellea/net/url.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kPath = "/identity/token";
constexpr std::chrono::milliseconds kEarliest = 5min;  // before a token expires
constexpr std::chrono::milliseconds kRest = 30s;       // after a token could not be renewed
constexpr Limits kLimits{.first_byte = 30s, .whole = 60s};

BackendOptions whole(BackendOptions options) {
  std::string& url = options.watsonx.iam_url;
  if (url.empty()) url = "https://iam.cloud.ibm.com";
  const std::string path = parse_url(url).path;
  if (path.empty() || path == "/") url = join_url(url, kPath);
  return options;
}

std::string without_query(const std::string& url) {
  const std::string shown = parse_url(url).shown;
  return shown.substr(0, shown.find('?'));
}

// As a value in a form's body.
std::string form_encoded(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kPlain.find(c) != kPlain.npos)
      out += c;
    else
      out.append({'%', kHex[byte >> 4U], kHex[byte & 0xFU]});
  }
  return out;
}

}  // namespace

// Who waits for the answer to an exchange. Apart from all else, since it is told by the network's
// thread, which must wait for nobody.
class IamTokens::News {
 public:
  std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

  bool wait(std::uint64_t heard, std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    if (heard != count_) return false;
    wakes_.push_back(std::move(wake));
    return true;
  }

  void tell() {
    std::vector<std::function<void()>> wakes;
    {
      const std::lock_guard lock(mutex_);
      ++count_;
      wakes.swap(wakes_);
    }
    for (const auto& wake : wakes) wake();
  }

 private:
  mutable std::mutex mutex_;
  std::uint64_t count_ = 0;                   // guarded by mutex_
  std::vector<std::function<void()>> wakes_;  // guarded by mutex_
};

IamTokens::IamTokens(const BackendOptions& options, std::weak_ptr<Network> network, Clock now)
    : options_(whole(options)),
      names_(std::make_shared<const RequestNames>(
          RequestNames{.provider = "watsonx",
                       .request = "POST " + without_query(options_.watsonx.iam_url),
                       .auth_hint = "check WATSONX_API_KEY"})),
      network_(std::move(network)),
      now_(std::move(now)),
      news_(std::make_shared<News>()),
      tell_([news = news_] { news->tell(); }) {}

std::optional<std::string> IamTokens::token(Wait& wait, std::vector<Notice>& notices) {
  if (mark_.inherited())  // mutex_ may be held for ever
    throw Error(Errc::after_fork,
                "watsonx: this backend belongs to the parent process: make a new one after fork()");
  const std::lock_guard lock(mutex_);
  wait.news = news_->count();
  read_on(notices);
  const Instant now = now_();
  const bool is_good = !token_.empty() && now < expires_;
  if (wait.fetch != 0) {
    // Who has waited takes what has come, however short its life.
    if (!token_.empty() && token_fetch_ >= wait.fetch) return token_;
    if (!is_good && failed_ >= wait.fetch) throw Error(*failure_);
  }
  if (is_good) {
    if (!fetch_ && now >= renew_at_) renew(now);
    return token_;
  }
  if (!fetch_) begin_fetch();
  wait.fetch = fetches_;
  return {};
}

bool IamTokens::when_news(const Wait& wait, std::function<void()> wake) {
  return news_->wait(wait.news, std::move(wake));
}

void IamTokens::refused(std::string_view token) {
  const std::lock_guard lock(mutex_);
  if (token_ == token) token_.clear();
}

// All that has arrived of the answer.
void IamTokens::read_on(std::vector<Notice>& notices) {
  if (!fetch_) return;
  try {
    for (Chunk chunk;;) {
      const Next next = fetch_->try_next(chunk);
      if (next == Next::end) return got_token(notices);
      if (next == Next::pending) {
        if (fetch_->when_ready(tell_)) return;
      } else if (auto* notice = std::get_if<Notice>(&chunk.what)) {
        notice->text = without_secret(notice->text, options_.api_key);
        notices.push_back(std::move(*notice));
      }
    }
  } catch (const Error& error) {
    got_none(error);
  }
}

// In time. If it can't begin, who needs the next token will hear why.
void IamTokens::renew(Instant now) {
  try {
    begin_fetch();
  } catch (const Error&) {
    renew_at_ = now + kRest;
  }
}

void IamTokens::begin_fetch() {
  const std::shared_ptr<Network> network = network_.lock();
  if (!network) throw Error(Errc::shutdown, "watsonx: the network was stopped");
  HttpCall call{.names = names_, .make_decoder = [this] {
                  return make_iam_decoder(names_,
                                          [this](IamToken token) { fetched_ = std::move(token); });
                }};
  call.request = {.url = options_.watsonx.iam_url,
                  .headers = {{"content-type", "application/x-www-form-urlencoded"},
                              {"accept", "application/json"}},
                  .body = std::make_shared<const std::string>(
                      "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey=" +
                      form_encoded(options_.api_key)),
                  .limits = kLimits,
                  .ca_file = options_.ca_file,
                  .certificate_file = options_.certificate_file,
                  .key_file = options_.key_file,
                  .proxy = options_.proxy};
  began_ = now_();
  fetch_ = start_http_reply(network, std::move(call), {});
  ++fetches_;
  if (!fetch_->when_ready(tell_)) news_->tell();
}

void IamTokens::got_token(std::vector<Notice>& notices) {
  token_ = std::move(fetched_.value);
  const std::chrono::milliseconds life = fetched_.life.value_or(std::chrono::milliseconds::max());
  expires_ = later(began_, life);
  renew_at_ = later(began_, life - std::min(kEarliest, life / 10));
  if (std::exchange(token_fetch_, fetches_) > 0)
    notices.push_back({.kind = Notice::Kind::token_renewed,
                       .text = "watsonx: a new token came from " + names_->request.substr(5)});
  fetch_.reset();
  news_->tell();
}

void IamTokens::got_none(const Error& error) {
  failure_ = without_secret(error, options_.api_key);
  failed_ = fetches_;
  renew_at_ = now_() + kRest;
  fetch_.reset();
  news_->tell();
}

}  // namespace mellea
