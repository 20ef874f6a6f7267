#include "mellea/net/event_loop.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>

#include "mellea/core/signals.h"

namespace mellea {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr long kReceiveBuffer = 16L << 10;      // bytes, of each open stream
constexpr long kIdleConnections = 128;          // kept for the next request
constexpr std::size_t kIdleHandles = 16;        // libcurl's easy handles, kept likewise
constexpr long kCurlConnectTimeout = 1L << 30;  // milliseconds: none but ours

// libcurl's own initialisation, which is the process's and must not be run twice at once.
void initialise_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw Error(Errc::unknown, "libcurl can't be initialised");
}

std::string in_kib(std::size_t bytes) { return std::to_string(bytes >> 10U) + " KiB"; }

Transfer* owner(CURL* easy) {
  char* transfer = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
  return reinterpret_cast<Transfer*>(transfer);
}

void mark_sent(Transfer& transfer) {
  transfer.phase_began = steady_clock::now();
  transfer.queue.put_sent(transfer.phase_began);
}

// libcurl 7.88 puts bytes of one HTTP/2 stream into another when one of them is held back and one
// is cancelled; 8.14 does not.
bool http2_streams_may_share() {
  return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080e00;
}

MultiHandle new_multi() {
  initialise_curl();
  MultiHandle multi(curl_multi_init());
  if (!multi) throw std::bad_alloc();
  return multi;
}

}  // namespace

void MultiFreedByCurl::operator()(void* multi_handle) const noexcept {
  curl_multi_cleanup(multi_handle);
}

FileDescriptor::FileDescriptor(int number) : number_(number) {
  if (number < 0) {
    const std::string why = std::generic_category().message(errno);
    throw Error(Errc::unknown, "the network can't be started: " + why);
  }
}
FileDescriptor::~FileDescriptor() { ::close(number_); }

EventLoop::EventLoop(std::function<void(const Notice&)> diagnostic)
    : diagnostic_(std::move(diagnostic)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_up_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      multi_(new_multi()) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = *wake_up_}};
  ::epoll_ctl(*epoll_, EPOLL_CTL_ADD, *wake_up_, &event);
  curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &EventLoop::on_socket);
  curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &EventLoop::on_timer);
  curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, kIdleConnections);
  if (!http2_streams_may_share())
    curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "mellea-net");
}

bool EventLoop::post(Command command, TransferPtr transfer) {
  bool first = false;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return false;
    first = commands_.empty();
    commands_.emplace_back(command, std::move(transfer));
  }
  if (first) ::eventfd_write(*wake_up_, 1);
  return true;
}

void EventLoop::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(*wake_up_, 1);
  std::call_once(joined_, [this] { thread_.join(); });
}

void EventLoop::run() {
  std::array<epoll_event, 512> events;
  for (;;) {
    const int count = ::epoll_wait(*epoll_, events.data(), static_cast<int>(events.size()),
                                   milliseconds_to_wait());
    if (count < 0) continue;  // the process was stopped and goes on: nothing was looked at yet
    on_events(events.data(), count);
    if (!take_commands()) break;
    on_curl_timer();
    reap();
    // What has arrived counts before a deadline does, so all of it must have been looked at.
    if (count < static_cast<int>(events.size())) on_deadlines();
  }
  close_all();
}

int EventLoop::milliseconds_to_wait() const {
  const Instant next =
      timers_.empty() ? curl_timer_ : std::min(curl_timer_, timers_.begin()->first);
  if (next == Instant::max()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(next - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void EventLoop::on_events(const epoll_event* events, int count) {
  for (const epoll_event* event = events; event < events + count; ++event) {
    if (event->data.fd == *wake_up_) {
      eventfd_t ignored = 0;
      ::eventfd_read(*wake_up_, &ignored);
      continue;
    }
    int what = 0;
    if ((event->events & (EPOLLIN | EPOLLHUP)) != 0) what |= CURL_CSELECT_IN;
    if ((event->events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((event->events & EPOLLERR) != 0) what |= CURL_CSELECT_ERR;
    int running = 0;
    curl_multi_socket_action(multi_.get(), event->data.fd, what, &running);
    look();
  }
}

void EventLoop::on_curl_timer() {
  if (steady_clock::now() < curl_timer_) return;
  curl_timer_ = Instant::max();
  int running = 0;
  curl_multi_socket_action(multi_.get(), CURL_SOCKET_TIMEOUT, 0, &running);
  look();
}

bool EventLoop::take_commands() {
  bool go_on = true;
  {
    const std::scoped_lock lock(mutex_);
    taken_.swap(commands_);
    go_on = !stopping_;
  }
  for (const auto& [command, transfer] : taken_) act(command, transfer);
  taken_.clear();
  return go_on;
}

void EventLoop::act(Command command, const TransferPtr& transfer) {
  if (command == Command::start) {
    open_.emplace(transfer.get(), transfer);
    if (transfer->request.delay > milliseconds(0))
      arm(*transfer);
    else if (!queue(*transfer))
      begin(*transfer);
    return;
  }
  if (transfer->phase == Phase::over) return;
  switch (command) {
    case Command::start: break;
    case Command::drop:
      release(*transfer);
      call(transfer->queue.take_wake());
      break;
    case Command::resume: resume(*transfer); break;
    case Command::finish:
      transfer->phase = Phase::finishing;
      transfer->phase_began = steady_clock::now();
      finishing_.push_back(transfer.get());
      resume(*transfer);
      arm(*transfer);
      break;
  }
}

// Lets it wait for a moment if a connection to its server is about to be free: many servers send
// the end mark of a stream first and the end of the answer a few microseconds later, when the next
// request may be there already. False if there is none to wait for.
bool EventLoop::queue(Transfer& transfer) {
  const auto of_its_server = [&](const std::vector<Transfer*>& all) {
    return std::count_if(all.begin(), all.end(),
                         [&](const Transfer* other) { return transfer.same_server(*other); });
  };
  if (of_its_server(finishing_) <= of_its_server(queued_)) return false;
  transfer.phase = Phase::queued;
  transfer.phase_began = steady_clock::now();
  queued_.push_back(&transfer);
  arm(transfer);
  return true;
}

void EventLoop::begin_queued(const Transfer& finished) {
  const auto next = std::find_if(queued_.begin(), queued_.end(), [&](const Transfer* other) {
    return other->same_server(finished);
  });
  if (next != queued_.end()) begin(**next);
}

void EventLoop::begin(Transfer& transfer) {
  std::erase(queued_, &transfer);
  transfer.phase = Phase::connecting;
  transfer.phase_began = steady_clock::now();
  if (idle_.empty()) {
    transfer.easy.reset(curl_easy_init());
  } else {
    transfer.easy = std::move(idle_.back());
    idle_.pop_back();
  }
  if (!transfer.easy) return completed(transfer, CURLE_OUT_OF_MEMORY);
  configure(transfer);
  if (curl_multi_add_handle(multi_.get(), transfer.easy.get()) != CURLM_OK)
    return completed(transfer, CURLE_FAILED_INIT);
  arm(transfer);
}

void EventLoop::configure(Transfer& transfer) {
  CURL* const easy = transfer.easy.get();
  const HttpRequest& request = transfer.request;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  const long version = request.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // or a cancel waits for the resolver's thread
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // For libcurl to divide among several addresses; the deadline itself is kept here.
  const auto connect = std::min<std::int64_t>(request.limits.connect.count(), kCurlConnectTimeout);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   connect > 0 ? static_cast<long>(connect) : kCurlConnectTimeout);
  transfer.reason[0] = '\0';
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.reason.data());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &EventLoop::on_connected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &EventLoop::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &EventLoop::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);

  if (request.body || request.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t{transfer.body_size()});
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body ? request.body->data() : "");
  }
  if (request.method == "HEAD")
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  else
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  configure_tls(transfer);
  if (request.proxy) {
    curl_easy_setopt(easy, CURLOPT_PROXY, request.proxy->c_str());
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  }
  add_headers(transfer);
}

void EventLoop::configure_tls(Transfer& transfer) {
  CURL* const easy = transfer.easy.get();
  const auto set = [easy](CURLoption option, const std::string& file) {
    if (!file.empty()) curl_easy_setopt(easy, option, file.c_str());
  };
  // A folder of certificates costs 0.7 MiB a connection, with OpenSSL.
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, nullptr);
  set(CURLOPT_CAINFO, transfer.request.ca_file);
  set(CURLOPT_PROXY_CAINFO, transfer.request.ca_file);
  set(CURLOPT_SSLCERT, transfer.request.certificate_file);
  set(CURLOPT_SSLKEY, transfer.request.key_file);
}

void EventLoop::add_headers(Transfer& transfer) {
  const auto add = [&transfer](const std::string& line) {
    curl_slist* const list = curl_slist_append(transfer.headers.get(), line.c_str());
    if (list == nullptr) throw std::bad_alloc();
    static_cast<void>(transfer.headers.release());
    transfer.headers.reset(list);
  };
  add("Expect:");        // no "100-continue", which costs a second where servers ignore it
  add("Content-Type:");  // none but the caller's own, which comes later in the list
  for (const auto& [name, value] : transfer.request.headers)
    add(value.empty() ? name + ';' : name + ": " + value);
  curl_easy_setopt(transfer.easy.get(), CURLOPT_HTTPHEADER, transfer.headers.get());
}

void EventLoop::resume(Transfer& transfer) {
  if (!std::exchange(transfer.paused, false)) return;
  transfer.last_arrival = steady_clock::now();
  transfer.queue.resume(transfer.last_arrival);
  const CURLcode code = curl_easy_pause(transfer.easy.get(), CURLPAUSE_CONT);
  deliver();
  if (code != CURLE_OK) return completed(transfer, code);
  arm(transfer);
}

// A deadline that moved away is left where it stands and found to be early when it comes.
void EventLoop::arm(Transfer& transfer) {
  const Deadline next = transfer.deadline();
  if (transfer.armed.at <= next.at) return;
  if (transfer.armed.due != Due::never) timers_.erase({transfer.armed.at, &transfer});
  transfer.armed = next;
  timers_.emplace(next.at, &transfer);
}

void EventLoop::on_deadlines() {
  const Instant now = steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Transfer& transfer = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    transfer.armed = {};
    const Deadline deadline = transfer.deadline();
    if (deadline.at <= now)
      on_deadline(transfer, deadline.due);
    else
      arm(transfer);
  }
}

void EventLoop::on_deadline(Transfer& transfer, Due due) {
  if (due == Due::start) return begin(transfer);
  if (due == Due::grace) return release(transfer);
  if (due == Due::first_byte && sends_on(transfer)) return arm(transfer);
  close(transfer, transfer.timeout(due));
}

// Whether more of a request has left since this was asked last. Then its answer is not late yet.
bool EventLoop::sends_on(Transfer& transfer) {
  curl_off_t sent = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_SIZE_UPLOAD_T, &sent);
  if (sent <= transfer.sent || sent == transfer.body_size()) return false;
  transfer.sent = sent;
  transfer.phase_began = steady_clock::now();
  return true;
}

void EventLoop::touch(Transfer& transfer) {
  if (!std::exchange(transfer.touched, true)) touched_.push_back(&transfer);
}

// What libcurl has done. A reader hears once of an answer that has come as a whole.
void EventLoop::look() {
  reap();
  deliver();
}

void EventLoop::deliver() {
  for (Transfer* const transfer : touched_) deliver(*transfer);
  touched_.clear();
}

void EventLoop::deliver(Transfer& transfer) {
  transfer.touched = false;
  std::optional<HttpHead> head = new_head(transfer);
  if (head || !transfer.staged.empty())
    call(transfer.queue.put(std::move(head), transfer.staged, transfer.staged_at));
  arm(transfer);
}

std::optional<HttpHead> EventLoop::new_head(Transfer& transfer) {
  if (!transfer.head.done() || std::exchange(transfer.head_given, true)) return {};
  return transfer.head.take();
}

void EventLoop::reap() {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg == CURLMSG_DONE) completed(*owner(message->easy_handle), message->data.result);
  }
}

void EventLoop::completed(Transfer& transfer, int code) {
  const bool headless = code == CURLE_OK && !transfer.head.done();  // closed within the head
  if (code == CURLE_OK && !headless)
    close(transfer, std::nullopt);
  else
    close(transfer, transfer.error(headless ? CURLE_GOT_NOTHING : code));
}

void EventLoop::close(Transfer& transfer, std::optional<Error> failure) {
  if (transfer.touched)
    transfer.queue.put_last(new_head(transfer), transfer.staged, transfer.staged_at);
  transfer.queue.close(std::move(failure), steady_clock::now());
  const AnswerQueue::Wake wake = transfer.queue.take_wake();
  release(transfer);
  call(wake);
}

// libcurl keeps the connection if the answer was whole, and closes it if not.
void EventLoop::release(Transfer& transfer) {
  transfer.phase = Phase::over;
  std::erase(queued_, &transfer);
  const bool frees_a_connection = std::erase(finishing_, &transfer) > 0;
  if (transfer.armed.due != Due::never) timers_.erase({transfer.armed.at, &transfer});
  if (transfer.easy) {
    curl_multi_remove_handle(multi_.get(), transfer.easy.get());
    curl_easy_reset(transfer.easy.get());
    if (idle_.size() < kIdleHandles) idle_.push_back(std::move(transfer.easy));
    transfer.easy.reset();
  }
  transfer.headers.reset();
  if (std::exchange(transfer.touched, false)) std::erase(touched_, &transfer);
  if (frees_a_connection) begin_queued(transfer);
  open_.erase(&transfer);
}

void EventLoop::close_all() {
  finishing_.clear();  // nothing is begun any more
  while (!open_.empty()) {
    Transfer& transfer = *open_.begin()->first;
    close(transfer, Error(Errc::shutdown, transfer.server + ": the network was stopped"));
  }
  idle_.clear();
  multi_.reset();
}

void EventLoop::call(const AnswerQueue::Wake& wake) noexcept {
  try {
    if (wake) wake();
  } catch (const std::exception& error) {
    tell_of_a_throw(error.what());
  } catch (...) {
    tell_of_a_throw("an exception that is no std::exception");
  }
}

void EventLoop::tell_of_a_throw(const char* what) const noexcept try {
  if (diagnostic_) diagnostic_({.kind = Notice::Kind::plugin_failed, .text = what});
} catch (...) {  // nobody is left to be told
}

int EventLoop::on_socket(CURL* easy, curl_socket_t socket, int what, void* loop,
                         void* known) noexcept {
  EventLoop& self = *static_cast<EventLoop*>(loop);
  if (what == CURL_POLL_REMOVE) {
    ::epoll_ctl(*self.epoll_, EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  epoll_event event{.events = 0, .data = {.fd = socket}};
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  ::epoll_ctl(*self.epoll_, known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
  curl_multi_assign(self.multi_.get(), socket, loop);

  // A request is on its way when libcurl wants to write no more.
  Transfer* const transfer = owner(easy);
  if (transfer != nullptr && transfer->phase == Phase::waiting && (what & CURL_POLL_OUT) == 0)
    mark_sent(*transfer);
  return 0;
}

int EventLoop::on_timer(CURLM*, long timeout, void* loop) noexcept {
  static_cast<EventLoop*>(loop)->curl_timer_ =
      timeout < 0 ? Instant::max() : later(steady_clock::now(), milliseconds(timeout));
  return 0;
}

// Called before the request is written, on a connection that is new or used again.
int EventLoop::on_connected(void* user, char*, char*, int, int) noexcept {
  Transfer& transfer = *static_cast<Transfer*>(user);
  if (transfer.phase != Phase::connecting) return CURL_PREREQFUNC_OK;
  transfer.phase = Phase::waiting;
  mark_sent(transfer);
  transfer.loop->arm(transfer);
  return CURL_PREREQFUNC_OK;
}

std::size_t EventLoop::on_header(char* line, std::size_t, std::size_t size, void* user) noexcept {
  Transfer& transfer = *static_cast<Transfer*>(user);
  if (transfer.phase == Phase::finishing) return size;
  transfer.phase = Phase::receiving;
  transfer.last_arrival = steady_clock::now();
  if (!transfer.head.take_line({line, size})) {
    transfer.refuse("the head of the answer is over " + in_kib(HttpHeadParser::kMaxBytes));
    return 0;
  }
  transfer.loop->touch(transfer);
  return size;
}

std::size_t EventLoop::on_body(char* bytes, std::size_t, std::size_t size, void* user) noexcept {
  Transfer& transfer = *static_cast<Transfer*>(user);
  if (transfer.phase == Phase::finishing) return size;
  if (size > transfer.request.max_body - transfer.received) {
    transfer.refuse("the answer is over " + std::to_string(transfer.request.max_body) + " bytes");
    return 0;
  }
  if (transfer.staged.empty()) transfer.staged_at = steady_clock::now();
  transfer.paused = transfer.queue.pause_if_full(transfer.staged.size(), transfer.staged_at);
  if (transfer.paused) return CURL_WRITEFUNC_PAUSE;
  transfer.staged.append(bytes, size);
  transfer.received += size;
  transfer.last_arrival = transfer.staged_at;
  transfer.loop->touch(transfer);
  return size;
}

}  // namespace mellea
