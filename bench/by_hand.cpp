#include "by_hand.h"

#include <curl/curl.h>
#include <simdjson.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <stdexcept>
#include <utility>

namespace mellea::bench {
namespace {

using simdjson::ondemand::parser;

// As a request is written by hand: no text here needs an escape.
std::string body_of(std::string_view model, std::string_view text, std::string_view members) {
  std::string body = R"({"model":")";
  body.append(model).append(R"(","messages":[{"role":"user","content":")").append(text);
  return body.append(R"("}])").append(members).append("}");
}

struct Headers {
  curl_slist* list = nullptr;
  explicit Headers(const char* authorization) {
    for (const char* line : {"Expect:", "content-type: application/json", authorization})
      if (line != nullptr) list = curl_slist_append(list, line);
  }
  ~Headers() { curl_slist_free_all(list); }
};

void set_up(CURL* easy, const Headers& headers) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.list);
}

void set_request(CURL* easy, const std::string& url, const std::string& body) {
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
}

std::string text_of_answer(const Wire& wire, parser& parser, std::string& bytes) {
  bytes.reserve(bytes.size() + simdjson::SIMDJSON_PADDING);
  auto document = parser.iterate(bytes.data(), bytes.size(), bytes.capacity());
  auto message = wire.has_choices ? document["choices"].at(0)["message"] : document["message"];
  return std::string(std::string_view(message["content"]));
}

}  // namespace

// ---- With a loop thread
// ---------------------------------------------------------------------------

struct ByHand::Call {
  struct Piece {
    std::size_t end = 0;
    Clock::time_point at{};
  };
  struct Arrived {
    std::string bytes{};
    std::vector<Piece> pieces{};
  };

  Call(const Wire& wire, const ProviderProcess& provider)
      : headers(wire.authorization),
        url(provider.url(wire.path)),
        stream_url(provider.url(wire.stream_path)),
        easy(curl_easy_init()) {
    set_up(easy, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Call::on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  }
  ~Call() { curl_easy_cleanup(easy); }

  // What arrives in one turn of the loop is handed over at once, as ours does.
  static std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* user) {
    Call& call = *static_cast<Call*>(user);
    if (call.staged.bytes.empty()) call.staged.pieces.push_back({.at = Clock::now()});
    call.staged.bytes.append(bytes, size);
    call.staged.pieces.back().end = call.staged.bytes.size();
    return size;
  }

  void hand_over() {
    if (staged.bytes.empty()) return;
    {
      const std::scoped_lock lock(mutex);
      const std::size_t before = arrived.bytes.size();
      if (before == 0) {
        std::swap(arrived, staged);
      } else {
        arrived.bytes += staged.bytes;
        for (const Piece& piece : staged.pieces)
          arrived.pieces.push_back({.end = before + piece.end, .at = piece.at});
      }
    }
    changed.notify_one();
    staged.bytes.clear();
    staged.pieces.clear();
  }

  void end() {
    {
      const std::scoped_lock lock(mutex);
      ended = true;
    }
    changed.notify_one();
  }

  // Waits for more. False at the end.
  bool take(Arrived& into) {
    into.bytes.clear();
    into.pieces.clear();
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return ended || !arrived.bytes.empty(); });
    std::swap(into, arrived);
    return !into.bytes.empty();
  }

  const Headers headers;
  const std::string url;
  const std::string stream_url;
  CURL* const easy;
  std::string body{};
  Arrived staged{};  // the loop thread's

  std::mutex mutex;
  std::condition_variable changed;
  Arrived arrived{};   // guarded by mutex
  bool ended = false;  // guarded by mutex

  // The caller's.
  simdjson::ondemand::parser parser{};
  Arrived reading{};
};

struct ByHand::Loop {
  Loop() : epoll(::epoll_create1(EPOLL_CLOEXEC)), wake_up(::eventfd(0, EFD_NONBLOCK)) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = wake_up}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, wake_up, &event);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Loop::on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Loop::on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    thread = std::thread([this] { run(); });
  }
  ~Loop() {
    stopping = true;
    ::eventfd_write(wake_up, 1);
    thread.join();
    curl_multi_cleanup(multi);
    ::close(wake_up);
    ::close(epoll);
  }

  void start(Call& call) {
    call.ended = false;
    next = &call;
    ::eventfd_write(wake_up, 1);
  }

  void run() {
    std::array<epoll_event, 64> events;
    while (!stopping) {
      const int wait =
          timer == Clock::time_point::max()
              ? -1
              : static_cast<int>(std::max<std::int64_t>(
                    0, std::chrono::ceil<std::chrono::milliseconds>(timer - Clock::now()).count()));
      const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), wait);
      int running = 0;
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.fd == wake_up) {
          eventfd_t ignored = 0;
          ::eventfd_read(wake_up, &ignored);
          continue;
        }
        int what = 0;
        if ((event.events & (EPOLLIN | EPOLLHUP)) != 0) what |= CURL_CSELECT_IN;
        if ((event.events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
        if ((event.events & EPOLLERR) != 0) what |= CURL_CSELECT_ERR;
        curl_multi_socket_action(multi, event.data.fd, what, &running);
      }
      if (Call* const call = next.exchange(nullptr)) {
        now = call;
        curl_multi_add_handle(multi, call->easy);
      }
      if (timer <= Clock::now()) {
        timer = Clock::time_point::max();
        curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
      }
      if (now != nullptr) now->hand_over();
      int left = 0;
      while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        curl_multi_remove_handle(multi, message->easy_handle);
        std::exchange(now, nullptr)->end();
      }
    }
  }

  static int on_socket(CURL*, curl_socket_t socket, int what, void* user, void* known) {
    Loop& loop = *static_cast<Loop*>(user);
    if (what == CURL_POLL_REMOVE) {
      ::epoll_ctl(loop.epoll, EPOLL_CTL_DEL, socket, nullptr);
      return 0;
    }
    epoll_event event{.events = 0, .data = {.fd = socket}};
    if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
    ::epoll_ctl(loop.epoll, known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
    curl_multi_assign(loop.multi, socket, user);
    return 0;
  }
  static int on_timer(CURLM*, long timeout, void* user) {
    static_cast<Loop*>(user)->timer =
        timeout < 0 ? Clock::time_point::max() : Clock::now() + std::chrono::milliseconds(timeout);
    return 0;
  }

  const int epoll;
  const int wake_up;
  CURLM* const multi = curl_multi_init();
  Clock::time_point timer = Clock::time_point::max();
  Call* now = nullptr;                // the loop thread's
  std::atomic<Call*> next = nullptr;  // to be started
  std::atomic<bool> stopping = false;
  std::thread thread;
};

ByHand::ByHand(const Wire& wire, const ProviderProcess& provider)
    : wire_(wire), loop_(std::make_unique<Loop>()), call_(std::make_unique<Call>(wire, provider)) {}
ByHand::~ByHand() = default;

std::string ByHand::chat(std::string_view model, std::string_view text) {
  Call& call = *call_;
  call.body = body_of(model, text, wire_.plain_members);
  set_request(call.easy, call.url, call.body);
  loop_->start(call);
  std::string answer;
  while (call.take(call.reading)) answer += call.reading.bytes;
  return text_of_answer(wire_, call.parser, answer);
}

void ByHand::stream(std::string_view model, std::string_view text, const Event& event) {
  const auto [begins, ends] = std::pair(wire_.event_begins, wire_.event_ends);
  Call& call = *call_;
  call.body = body_of(model, text, wire_.stream_members);
  set_request(call.easy, call.stream_url, call.body);
  loop_->start(call);
  std::string unfinished;  // an event that came in two halves
  while (call.take(call.reading)) {
    std::string& bytes = call.reading.bytes;
    bytes.insert(0, unfinished);
    const std::size_t shift = unfinished.size();
    bytes.reserve(bytes.size() + simdjson::SIMDJSON_PADDING);
    auto piece = call.reading.pieces.cbegin();
    std::size_t at = 0;
    for (std::size_t end = 0; (end = bytes.find(ends, at)) != bytes.npos; at = end + ends.size()) {
      while (piece->end + shift < end + ends.size()) ++piece;
      const std::string_view line = std::string_view(bytes).substr(at, end - at);
      const std::size_t json = line.find(begins);
      if (json == line.npos || line.ends_with("[DONE]")) continue;
      const std::string_view data = line.substr(json + begins.size());
      const auto offset = static_cast<std::size_t>(data.data() - bytes.data());
      auto document = call.parser.iterate(data.data(), data.size(), bytes.capacity() - offset);
      auto message = wire_.has_choices ? document["choices"].at(0)["delta"] : document["message"];
      std::string_view content;
      if (message["content"].get(content) == simdjson::SUCCESS) event(content, piece->at);
    }
    unfinished.assign(bytes, at, bytes.npos);
  }
}

// ---- Without ------------------------------------------------------------------------------------

struct EasyPerform::State {
  State(const Wire& wire, const ProviderProcess& provider)
      : headers(wire.authorization), url(provider.url(wire.path)) {
    set_up(easy, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &State::on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  }
  ~State() { curl_easy_cleanup(easy); }
  static std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* user) {
    static_cast<State*>(user)->answer.append(bytes, size);
    return size;
  }

  const Headers headers;
  const std::string url;
  CURL* const easy = curl_easy_init();
  simdjson::ondemand::parser parser{};
  std::string answer{};
};

EasyPerform::EasyPerform(const Wire& wire, const ProviderProcess& provider)
    : wire_(wire), state_(std::make_unique<State>(wire, provider)) {}
EasyPerform::~EasyPerform() = default;

std::string EasyPerform::chat(std::string_view model, std::string_view text) {
  const std::string body = body_of(model, text, wire_.plain_members);
  set_request(state_->easy, state_->url, body);
  state_->answer.clear();
  if (curl_easy_perform(state_->easy) != CURLE_OK) throw std::runtime_error("no answer");
  return text_of_answer(wire_, state_->parser, state_->answer);
}

}  // namespace mellea::bench
