#include "mellea/backends/llama_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "mellea/backends/local_log.h"
#include "mellea/core/bell.h"
#include "mellea/core/scope.h"
#include "mellea/core/signals.h"

namespace mellea {
namespace {

using std::chrono::milliseconds;

[[noreturn]] void throw_after_fork() {
  throw Error(Errc::after_fork,
              "local: this backend belongs to the parent process: make a new one after fork()");
}

// A port that nobody had a moment ago.
int free_port() {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (!socket || ::bind(socket.get(), any, size) != 0 ||
      ::getsockname(socket.get(), any, &size) != 0)
    throw Error(Errc::transport_error,
                "local: no port on loopback: " + std::generic_category().message(errno),
                {.retryable = true});
  return ntohs(address.sin_port);
}

// Whether a program of this user listens there. It may be that somebody else was quicker to take
// the port, and answers.
bool is_ours(int port) {
  std::array<char, 20> wanted{};
  std::snprintf(wanted.data(), wanted.size(), "0100007F:%04X", static_cast<unsigned>(port));
  std::ifstream table("/proc/self/net/tcp");
  std::string line;
  if (!std::getline(table, line)) return true;  // where this can't be told
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits;
    unsigned user = 0;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user;
    constexpr std::string_view kListening = "0A";
    if (local == wanted.data() && state == kListening) return user == ::geteuid();
  }
  return true;
}

std::string secret() { return Id::random().text() + Id::random().text(); }

// One question after the other whether the server answers.
class Readiness {
 public:
  Readiness(Network& network, std::string url, std::string key, std::shared_ptr<Bell> bell)
      : network_(network), url_(std::move(url)), key_(std::move(key)), bell_(std::move(bell)) {}

  // Never blocks; rings the bell when there is more to do. Throws Error if nothing can be asked.
  bool is_up(Instant now) {
    if (!question_ && now >= next_) ask();
    while (question_) {
      try {
        switch (question_->try_next()) {
          case HttpNext::pending:
            if (question_->when_ready([bell = bell_] { bell->ring(); })) return false;
            continue;
          case HttpNext::head: break;
          default: continue;
        }
        if (take(question_->head().status)) return true;
      } catch (const Error& error) {
        if (error.code() == Errc::shutdown || error.code() == Errc::after_fork) throw;
        healthy_ = false;
      }
      question_.reset();
      if (!healthy_) {
        next_ = now + pause_;
        pause_ = std::min(2 * pause_, milliseconds(500));
      } else {
        ask();
      }
    }
    return false;
  }

  // When to look again, bell aside.
  Instant next() const noexcept { return question_ ? Instant::max() : next_; }

 private:
  // First /health, which anybody may ask, then something that needs the key.
  void ask() {
    HttpRequest request{
        .method = "GET", .url = url_ + (healthy_ ? "/props" : "/health"), .proxy = ""};
    if (healthy_) request.headers.emplace_back("authorization", "Bearer " + key_);
    request.limits.connect = request.limits.whole = milliseconds(5'000);
    question_ = network_.start(std::move(request));
  }

  bool take(int status) {
    constexpr int kOk = 200, kNotFound = 404, kNotImplemented = 501;  // of servers without /props
    const bool was_healthy = std::exchange(healthy_, false);
    if (was_healthy) return status == kOk || status == kNotFound || status == kNotImplemented;
    healthy_ = status == kOk && is_ours(port());
    return false;
  }

  int port() const { return std::stoi(url_.substr(url_.rfind(':') + 1)); }

  Network& network_;
  const std::string url_;
  const std::string key_;
  const std::shared_ptr<Bell> bell_;
  std::unique_ptr<HttpExchange> question_;  // null between two
  bool healthy_ = false;                    // /health has said so
  Instant next_{};
  milliseconds pause_{20};
};

}  // namespace

std::optional<LlamaServerAddress> LlamaServerWait::try_get() const {
  if (fork_mark_.inherited()) throw_after_fork();
  const std::lock_guard lock(mutex_);
  if (const auto* error = std::get_if<Error>(&result_)) throw Error(*error);
  if (const auto* address = std::get_if<LlamaServerAddress>(&result_)) return *address;
  return {};
}

void LlamaServerWait::wait(Instant until) {
  if (fork_mark_.inherited()) return;
  std::unique_lock lock(mutex_);
  const auto known = [this] { return result_.index() != 0; };
  if (until == Instant::max())
    changed_.wait(lock, known);
  else
    changed_.wait_until(lock, until, known);
}

bool LlamaServerWait::when_ready(std::function<void()> wake) {
  if (fork_mark_.inherited()) return false;
  const std::lock_guard lock(mutex_);
  if (result_.index() != 0) return false;
  wake_ = std::move(wake);
  return true;
}

void LlamaServerWait::cancel() noexcept { settle(Error(Errc::cancelled, "local: cancelled")); }

void LlamaServerWait::settle(Result result) {
  if (fork_mark_.inherited()) return;
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    if (result_.index() != 0) return;
    result_ = std::move(result);
    wake.swap(wake_);
  }
  changed_.notify_all();
  if (wake) wake();
}

bool LlamaServerWait::settled() const {
  const std::lock_guard lock(mutex_);
  return result_.index() != 0;
}

class LlamaServer::Supervisor {
 public:
  Supervisor(LlamaServerOptions options, std::shared_ptr<Network> network)
      : options_(std::move(options)), network_(std::move(network)), log_(options_.log_file) {}

  bool inherited() const noexcept { return fork_mark_.inherited(); }

  // Starts the thread, if there is none yet.
  static std::shared_ptr<LlamaServerWait> up(const std::shared_ptr<Supervisor>& self, int lost,
                                             Instant until) {
    auto wait = std::make_shared<LlamaServerWait>();
    const std::lock_guard lock(self->mutex_);
    self->new_waits_.push_back(
        {.wait = wait, .lost = lost, .since = Instant::clock::now(), .until = until});
    if (!self->thread_.joinable()) {
      const SignalsBlocked blocked;
      self->thread_ = std::thread([self] { self->run(); });
    }
    self->bell_->ring();
    return wait;
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    bell_->ring();
    if (!thread_.joinable()) return;
    if (thread_.get_id() == std::this_thread::get_id())
      thread_.detach();  // a wait that was settled held the last of us
    else
      thread_.join();
  }

 private:
  enum class Phase { idle, loading, up, failed };
  struct Waiting {
    std::shared_ptr<LlamaServerWait> wait;
    int lost = 0;
    Instant since{};
    Instant until{};
  };
  // After a connection broke off: how long the program is given to turn out dead.
  static constexpr milliseconds kBenefitOfTheDoubt{500};
  static constexpr int kMostPorts = 8;

  void run() {
    while (take_news()) {
      look(Instant::clock::now());
      sleep();
    }
    readiness_.reset();
    end();
    for (const Waiting& waiting : waits_)
      waiting.wait->settle(Error(Errc::shutdown, "local: the backend is gone"));
  }

  // False once it is to end.
  bool take_news() {
    const std::lock_guard lock(mutex_);
    for (Waiting& waiting : new_waits_) waits_.push_back(std::move(waiting));
    new_waits_.clear();
    return !stopped_;
  }

  void look(Instant now) {
    try {
      if (process_) {
        read_output();
        if (is_readable(process_->ended())) ended(now);
      }
      if (phase_ == Phase::loading) load(now);
      const bool wanted = !waits_.empty();
      if (phase_ == Phase::idle && wanted) start(now);
    } catch (const Error& error) {
      fail(error);
    }
    settle(now);
  }

  void start(Instant now) {
    log_.begin_run();
    phase_ = Phase::failed;  // unless all goes well
    address_.url = "http://127.0.0.1:" + std::to_string(port_ = free_port());
    address_.key = secret();
    ++address_.run;
    ProgramStart program = options_.start;
    program.user = "local";
    for (const char* word : {"--host", "127.0.0.1", "--port"}) program.arguments.emplace_back(word);
    program.arguments.push_back(std::to_string(port_));
    program.environment.push_back("LLAMA_API_KEY=" + address_.key);
    process_.emplace(program);
    output_open_ = true;
    readiness_.emplace(*network_, address_.url, address_.key, bell_);
    begun_ = now;
    phase_ = Phase::loading;
  }

  void load(Instant now) {
    if (readiness_->is_up(now)) {
      readiness_.reset();
      phase_ = Phase::up;
      begun_ = now;
      ports_tried_ = 0;
      return;
    }
    if (now < later(begun_, options_.start_limit)) return;
    throw Error(Errc::timeout,
                "local: llama-server was not ready within " +
                    std::to_string(options_.start_limit.count()) + " ms" + said(),
                {.retryable = true});
  }

  // The program has ended by itself.
  void ended(Instant now) {
    const std::string how = process_->wait();
    read_output();
    process_.reset();
    readiness_.reset();
    if (phase_ == Phase::loading) {
      if (port_was_taken() && ++ports_tried_ < kMostPorts) return start(now);
      throw Error(Errc::server_error,
                  "local: llama-server " + how + " before it was ready" + said());
    }
    if (phase_ != Phase::up) return;
    const bool steady = now >= later(begun_, options_.steady);
    if (restarted_ && !steady)
      throw Error(Errc::server_error, "local: llama-server " + how + " a second time" + said());
    restarted_ = true;
    address_.notice =
        Notice{.kind = Notice::Kind::server_restarted,
               .text = "local: llama-server " + how + " and was started again" + said()};
    start(now);
  }

  bool port_was_taken() const {
    return log_.has("couldn't bind") || log_.has("Address already in use");
  }

  // What may go well another time fails those who wait now only.
  void fail(const Error& error) {
    readiness_.reset();
    process_.reset();
    if (error.retryable()) {
      phase_ = Phase::idle;
      for (const Waiting& waiting : waits_) waiting.wait->settle(error);
    } else {
      phase_ = Phase::failed;
      failure_.emplace(error);
    }
  }

  std::string said() const {
    std::string lines = log_.last_lines();
    return lines.empty() ? std::string() : ": " + lines;
  }

  void settle(Instant now) {
    std::erase_if(waits_, [&](const Waiting& waiting) {
      if (waiting.wait->settled()) return true;  // cancelled
      if (phase_ == Phase::failed) {
        waiting.wait->settle(*failure_);
      } else if (is_answer_to(waiting, now)) {
        waiting.wait->settle(address_);
        address_.notice.reset();
      } else if (now >= waiting.until) {
        waiting.wait->settle(
            Error(Errc::timeout, "local: no answer in time: llama-server is not ready yet"));
      } else {
        return false;
      }
      return true;
    });
  }

  bool is_answer_to(const Waiting& waiting, Instant now) const {
    return phase_ == Phase::up &&
           (address_.run > waiting.lost || now >= waiting.since + kBenefitOfTheDoubt);
  }

  void sleep() {
    std::array<pollfd, 3> news{{{.fd = bell_->descriptor(), .events = POLLIN, .revents = 0},
                                {.fd = -1, .events = POLLIN, .revents = 0},
                                {.fd = -1, .events = POLLIN, .revents = 0}}};
    if (process_) {
      news[1].fd = process_->ended();
      news[2].fd = output_open_ ? process_->output() : -1;
    }
    ::poll(news.data(), news.size(), time_to_sleep());
    bell_->hush();
  }

  // In milliseconds, as poll() has it.
  int time_to_sleep() const {
    Instant until = Instant::max();
    for (const Waiting& waiting : waits_) {
      until = std::min(until, waiting.until);
      if (phase_ == Phase::up) until = std::min(until, waiting.since + kBenefitOfTheDoubt);
    }
    if (phase_ == Phase::loading)
      until = std::min({until, readiness_->next(), later(begun_, options_.start_limit)});
    if (until == Instant::max()) return -1;
    const auto left = std::chrono::ceil<milliseconds>(until - Instant::clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
  }

  static bool is_readable(int descriptor) {
    pollfd look{.fd = descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&look, 1, 0) > 0;
  }

  // Some of it: whoever prints without end does not keep us from all else.
  void read_output() {
    std::array<char, 16'384> buffer;
    for (int i = 0; i < 64; ++i) {
      const ssize_t got = ::read(process_->output(), buffer.data(), buffer.size());
      if (got <= 0) {
        output_open_ = got < 0 && errno == EAGAIN;
        return;
      }
      log_.add(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
    }
  }

  // Asks the program to end, and ends it.
  void end() {
    if (!process_) return;
    process_->signal(SIGTERM);
    const Instant until = later(Instant::clock::now(), options_.end_limit);
    while (!is_readable(process_->ended()) && Instant::clock::now() < until) {
      std::array<pollfd, 2> news{
          {{.fd = process_->ended(), .events = POLLIN, .revents = 0},
           {.fd = output_open_ ? process_->output() : -1, .events = POLLIN, .revents = 0}}};
      const auto left = std::chrono::ceil<milliseconds>(until - Instant::clock::now());
      ::poll(news.data(), news.size(), static_cast<int>(left.count()));
      read_output();
    }
    process_.reset();
  }

  const ForkMark fork_mark_{};
  const LlamaServerOptions options_;
  const std::shared_ptr<Network> network_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();

  std::mutex mutex_;
  std::vector<Waiting> new_waits_;  // guarded by mutex_
  bool stopped_ = false;            // guarded by mutex_
  std::thread thread_;              // guarded by mutex_ until it is stopped

  // Of the thread.
  std::vector<Waiting> waits_;
  Phase phase_ = Phase::idle;
  std::optional<Error> failure_;  // of the phase `failed`
  LlamaServerAddress address_;    // of the latest run
  int port_ = 0;
  int ports_tried_ = 0;     // that others had taken
  bool restarted_ = false;  // after an end in the phase `up`
  Instant begun_{};         // of the phase
  LocalLog log_;
  std::optional<ChildProcess> process_;
  bool output_open_ = true;
  std::optional<Readiness> readiness_;  // in the phase `loading`
};

LlamaServer::LlamaServer(LlamaServerOptions options, std::shared_ptr<Network> network)
    : supervisor_(std::make_shared<Supervisor>(std::move(options), std::move(network))) {}

LlamaServer::~LlamaServer() {
  if (supervisor_->inherited())  // its thread and its child are another process's
    new std::shared_ptr<Supervisor>(std::move(supervisor_));
  else
    supervisor_->stop();
}

std::shared_ptr<LlamaServerWait> LlamaServer::up(int lost, Instant until) {
  if (supervisor_->inherited()) throw_after_fork();
  return Supervisor::up(supervisor_, lost, until);
}

}  // namespace mellea
