// A model provider for measuring: chats over HTTP/1.1 in the protocols of OpenAI, Ollama and
// watsonx, by the path that is asked, on one thread, as fast as epoll goes; with TLS on a second
// port. Plus /v1/traces, which counts the spans it is sent, /identity/token, and /counters, which
// tells how much of what has come.
//
//   mellea_bench_provider CORE
//
// prints "PORT TLS_PORT CA_FILE" and serves until the thread that started it is gone. The name of
// the model says what is answered:
//
//   plain              a whole answer
//   stream-N-W-R       N events, W in one write, R writes a second (0: as fast as they are read).
//                      Each is an HTTP chunk of its own, as from a real server. The text of an
//                      event is the steady clock's nanoseconds when it was written, where R is not
//                      0.
//   silent-S           an event, S seconds of silence, an event
//   hold               an event, and then nothing
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <protozero/pbf_reader.hpp>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

int checked(int result, const char* what) {
  if (result < 0) die(what);
  return result;
}

// ---- What is said -------------------------------------------------------------------------------

std::string http_chunk(std::string_view data) {
  char size[16];
  const int length = std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return std::string(size, static_cast<std::size_t>(length)).append(data).append("\r\n");
}

std::string whole(std::string_view type, std::string_view body) {
  return "HTTP/1.1 200 OK\r\ncontent-type: " + std::string(type) +
         "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string stream_head(std::string_view type) {
  return "HTTP/1.1 200 OK\r\ncontent-type: " + std::string(type) +
         "\r\ntransfer-encoding: chunked\r\n\r\n";
}

constexpr std::string_view kText =
    "The sea keeps no diary, only tides; what it wrote at dawn it wipes away by noon.";

constexpr std::string_view kPiece = " tides and salt";

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

// What one protocol says. All of it is ready but for the times that paced events carry.
struct Protocol {
  std::string plain{};  // a whole answer
  std::string begin{};  // of a stream
  std::string (*event)(std::string_view text) = nullptr;
  std::string same_event{};  // of what is not paced
  std::string end{};         // of a stream

  std::string stamped_event() const {
    return event(std::to_string(Clock::now().time_since_epoch().count()));
  }
};

// ---- OpenAI

std::string openai_event(std::string_view delta, std::string_view finish_reason) {
  std::string data =
      R"(data: {"id":"chatcmpl-Bq0uTq7Y2bV1","object":"chat.completion.chunk","created":1767225600,)"
      R"("model":"bench-2026-01-01","system_fingerprint":"fp_0a1b2c3d4e",)"
      R"("choices":[{"index":0,"delta":{)";
  data.append(delta).append(R"(},"logprobs":null,"finish_reason":)").append(finish_reason);
  return http_chunk(data.append("}]}\n\n"));
}

std::string openai_text(std::string_view text) {
  return openai_event(R"("content":)" + quoted(text), "null");
}

Protocol openai() {
  return {.plain = whole(
              "application/json",
              R"({"id":"chatcmpl-Bq0uTq7Y2bV1","object":"chat.completion","created":1767225600,)"
              R"("model":"bench-2026-01-01","choices":[{"index":0,"message":{"role":"assistant",)"
              R"("content":)" +
                  quoted(kText) +
                  R"(,"refusal":null},"logprobs":null,"finish_reason":"stop"}],)"
                  R"("usage":{"prompt_tokens":11,"completion_tokens":19,"total_tokens":30},)"
                  R"("system_fingerprint":"fp_0a1b2c3d4e"})"),
          .begin = stream_head("text/event-stream") +
                   openai_event(R"("role":"assistant","content":"")", "null"),
          .event = openai_text,
          .same_event = openai_text(kPiece),
          .end = openai_event("", R"("stop")") + http_chunk("data: [DONE]\n\n") + "0\r\n\r\n"};
}

// ---- Ollama

std::string ollama_line(std::string_view text, std::string_view rest) {
  return R"({"model":"bench","created_at":"2026-01-01T00:00:00.123456789Z","message":)"
         R"({"role":"assistant","content":)" +
         quoted(text) + R"(},"done":)" + std::string(rest) + "}\n";
}

std::string ollama_text(std::string_view text) { return http_chunk(ollama_line(text, "false")); }

Protocol ollama() {
  constexpr std::string_view kDone =
      R"(true,"done_reason":"stop","total_duration":4883583458,"load_duration":1334875,)"
      R"("prompt_eval_count":11,"prompt_eval_duration":342546000,"eval_count":19,)"
      R"("eval_duration":4535599000)";
  return {.plain = whole("application/json", ollama_line(kText, kDone)),
          .begin = stream_head("application/x-ndjson"),
          .event = ollama_text,
          .same_event = ollama_text(kPiece),
          .end = http_chunk(ollama_line("", kDone)) + "0\r\n\r\n"};
}

// ---- watsonx

std::string watsonx_event(std::string_view delta, std::string_view finish_reason,
                          std::string_view rest = "") {
  std::string event =
      "id: 7\nevent: message\ndata: "
      R"({"id":"chat-6f1d2b0a","object":"chat.completion.chunk","model_id":"ibm/bench",)"
      R"("model":"ibm/bench","choices":[{"index":0,"finish_reason":)";
  event.append(finish_reason).append(R"(,"delta":{)").append(delta).append("}}],");
  event.append(R"("created":1767225600,"model_version":"1.0.0",)");
  event.append(R"("created_at":"2026-01-01T00:00:00.123Z")").append(rest);
  return http_chunk(event.append("}\n\n"));
}

std::string watsonx_text(std::string_view text) {
  return watsonx_event(R"("content":)" + quoted(text), "null");
}

Protocol watsonx() {
  return {.plain = whole(
              "application/json",
              R"({"id":"chat-6f1d2b0a","object":"chat.completion","model_id":"ibm/bench",)"
              R"("model":"ibm/bench","choices":[{"index":0,"message":{"role":"assistant",)"
              R"("content":)" +
                  quoted(kText) +
                  R"(},"finish_reason":"stop"}],"created":1767225600,)"
                  R"("created_at":"2026-01-01T00:00:00.123Z",)"
                  R"("usage":{"completion_tokens":19,"prompt_tokens":11,"total_tokens":30}})"),
          .begin = stream_head("text/event-stream") +
                   watsonx_event(R"("role":"assistant","content":"")", "null"),
          .event = watsonx_text,
          .same_event = watsonx_text(kPiece),
          .end = watsonx_event(
                     "", R"("stop")",
                     R"(,"usage":{"completion_tokens":19,"prompt_tokens":11,"total_tokens":30})") +
                 "0\r\n\r\n"};
}

std::string token() {
  return whole("application/json",
               R"({"access_token":"bench-token","token_type":"Bearer","expires_in":3600})");
}

// ---- What is asked ------------------------------------------------------------------------------

struct Script {
  enum class Kind { plain, stream, silent, hold };
  Kind kind = Kind::plain;
  int events = 0;
  int per_write = 1;
  Clock::duration between{0};  // writes; 0: as fast as they are read
};

int next_number(std::string_view& text) {
  int number = 0;
  const char* const end = std::from_chars(text.data(), text.data() + text.size(), number).ptr;
  text.remove_prefix(std::min(text.size(), static_cast<std::size_t>(end - text.data()) + 1));
  return number;
}

bool took(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

Script script_of(std::string_view model) {
  using std::chrono::seconds;
  if (took(model, "stream-")) {
    Script script{.kind = Script::Kind::stream};
    script.events = next_number(model);
    script.per_write = next_number(model);
    if (const int rate = next_number(model)) script.between = Clock::duration(seconds(1)) / rate;
    return script;
  }
  if (took(model, "silent-"))
    return {.kind = Script::Kind::silent, .events = 2, .between = seconds(next_number(model))};
  return {.kind = model == "hold" ? Script::Kind::hold : Script::Kind::plain};
}

// The text after `before`, up to `end`.
std::string_view between(std::string_view text, std::string_view before, char end) {
  const std::size_t at = text.find(before);
  if (at == text.npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find(end));
}

int spans_in(std::string_view traces) {
  int spans = 0;
  protozero::pbf_reader request(traces.data(), traces.size());
  while (request.next(1)) {  // resource_spans
    protozero::pbf_reader resource = request.get_message();
    while (resource.next(2)) {  // scope_spans
      protozero::pbf_reader scope = resource.get_message();
      while (scope.next(2)) {  // spans
        scope.skip();
        ++spans;
      }
    }
  }
  return spans;
}

// ---- TLS ----------------------------------------------------------------------------------------

struct Tls {
  SSL_CTX* context = nullptr;
  std::string ca_file{};
};

// A certificate of our own for 127.0.0.1, in memory: nothing is left behind on the disk.
Tls make_tls() {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_set_pubkey(certificate, key);
  X509_NAME* const name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("bench"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::array<std::pair<int, const char*>, 2> extensions = {
      {{NID_subject_alt_name, "IP:127.0.0.1"}, {NID_basic_constraints, "critical,CA:TRUE"}}};
  for (const auto& [id, value] : extensions) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate, key, EVP_sha256());

  Tls tls{.context = SSL_CTX_new(TLS_server_method())};
  SSL_CTX_use_certificate(tls.context, certificate);
  SSL_CTX_use_PrivateKey(tls.context, key);
  SSL_CTX_set_mode(tls.context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  const int file = checked(::memfd_create("ca", 0), "memfd_create");
  FILE* const stream = ::fdopen(file, "w");
  PEM_write_X509(stream, certificate);
  std::fflush(stream);
  tls.ca_file = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file);
  return tls;
}

// ---- The server ---------------------------------------------------------------------------------

struct Connection {
  int socket = -1;
  std::uint64_t serial = 0;  // descriptors are used again
  SSL* tls = nullptr;
  bool shaken = true;  // hands, with TLS
  bool wants_to_write = false;
  std::string in{};
  std::string out{};  // from `written` on
  std::size_t written = 0;
  const Protocol* protocol = nullptr;  // null before its first request
  Script script{};
  int left = 0;  // events of the stream that is under way

  ~Connection() {
    if (tls != nullptr) SSL_free(tls);
    ::close(socket);
  }
};

class Provider {
 public:
  Provider()
      : epoll_(checked(::epoll_create1(0), "epoll_create1")),
        timer_(checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "timerfd_create")),
        tls_(make_tls()) {
    watch(timer_, EPOLLIN, EPOLL_CTL_ADD);
    std::printf("%d %d %s\n", listen(plain_listener_), listen(tls_listener_), tls_.ca_file.c_str());
    std::fflush(stdout);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 512> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const int file = events[static_cast<std::size_t>(i)].data.fd;
        if (file == timer_)
          on_timer();
        else if (file == plain_listener_ || file == tls_listener_)
          accept(file);
        else if (const auto found = connections_.find(file); found != connections_.end())
          on_event(*found->second);
      }
    }
  }

 private:
  struct Due {
    Clock::time_point at{};
    int socket = -1;
    std::uint64_t serial = 0;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  int listen(int& listener) {
    listener = checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    checked(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), "bind");
    checked(::listen(listener, 8192), "listen");
    checked(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    watch(listener, EPOLLIN, EPOLL_CTL_ADD);
    return ntohs(address.sin_port);
  }

  void watch(int file, std::uint32_t what, int operation) const {
    epoll_event event{.events = what, .data = {.fd = file}};
    checked(::epoll_ctl(epoll_, operation, file, &event), "epoll_ctl");
  }

  void accept(int listener) {
    for (int socket = 0; (socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const int on = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto connection = std::make_unique<Connection>();
      connection->socket = socket;
      connection->serial = ++accepted_;
      if (listener == tls_listener_) {
        connection->tls = SSL_new(tls_.context);
        SSL_set_fd(connection->tls, socket);
        connection->shaken = false;
      }
      watch(socket, EPOLLIN, EPOLL_CTL_ADD);
      connections_[socket] = std::move(connection);
    }
  }

  void on_event(Connection& connection) {
    if (!connection.shaken) {
      const int result = SSL_accept(connection.tls);
      if (result != 1) return keep_open(connection, again(connection, result));
      connection.shaken = true;
    }
    bool open = receive(connection);
    while (open && !connection.wants_to_write && take_request(connection)) {
    }
    if (open && (connection.left > 0 || !connection.out.empty())) open = send(connection);
    keep_open(connection, open);
  }

  void keep_open(Connection& connection, bool open) {
    if (!open) connections_.erase(connection.socket);
  }

  // Whether TLS only waits for the socket.
  static bool again(Connection& connection, int result) {
    const int error = SSL_get_error(connection.tls, result);
    ERR_clear_error();  // or the next connection is taken for failed too
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  // False once the client has gone.
  static bool receive(Connection& connection) {
    static std::array<char, 256U << 10U> buffer;
    for (;;) {
      ssize_t size = 0;
      if (connection.tls != nullptr) {
        size = SSL_read(connection.tls, buffer.data(), static_cast<int>(buffer.size()));
        if (size <= 0) return again(connection, static_cast<int>(size));
      } else {
        size = ::recv(connection.socket, buffer.data(), buffer.size(), 0);
        if (size < 0) return errno == EAGAIN;
        if (size == 0) return false;
      }
      connection.in.append(buffer.data(), static_cast<std::size_t>(size));
      if (connection.tls == nullptr && static_cast<std::size_t>(size) < buffer.size()) return true;
    }
  }

  // False if no whole request is there.
  bool take_request(Connection& connection) {
    const std::string_view in = connection.in;
    const std::size_t head_end = in.find("\r\n\r\n");
    if (head_end == in.npos) return false;
    const std::string_view head = in.substr(0, head_end);
    std::string_view length = between(head, "ontent-Length: ", '\r');
    if (length.empty()) length = between(head, "ontent-length: ", '\r');
    const auto size = static_cast<std::size_t>(next_number(length));
    if (in.size() < head_end + 4 + size) return false;
    answer(connection, between(head, " ", ' '), in.substr(head_end + 4, size));
    connection.in.erase(0, head_end + 4 + size);
    return true;
  }

  void answer(Connection& connection, std::string_view path, std::string_view body) {
    if (path == "/counters") {
      connection.out +=
          whole("text/plain", std::to_string(accepted_) + ' ' + std::to_string(requests_) + ' ' +
                                  std::to_string(spans_));
      return;
    }
    ++requests_;
    if (path == "/v1/traces") {
      spans_ += spans_in(body);
      connection.out += whole("application/x-protobuf", "");
      return;
    }
    if (path == "/identity/token") {
      connection.out += token();
      return;
    }
    const Protocol& protocol = protocol_of(path);
    connection.protocol = &protocol;
    // watsonx calls it by another name.
    const std::string_view model = between(body, R"("model":")", '"');
    connection.script = script_of(model.empty() ? between(body, R"("model_id":")", '"') : model);
    const Script& script = connection.script;
    if (script.kind == Script::Kind::plain) {
      connection.out += protocol.plain;
      return;
    }
    connection.out += protocol.begin;
    if (script.kind == Script::Kind::hold) {
      connection.out += protocol.event("held");
      return;
    }
    connection.left = script.events;
    // The first write of a paced stream is a random part of its pace away: many streams together
    // are to be spread evenly.
    if (script.kind == Script::Kind::silent)
      put_off(connection, Clock::now());
    else if (script.between.count() > 0)
      put_off(connection, Clock::now() + script.between * (std::rand() % 1000) / 1000);
  }

  const Protocol& protocol_of(std::string_view path) const {
    if (path.starts_with("/api/")) return ollama_;
    return path.starts_with("/ml/") ? watsonx_ : openai_;
  }

  void put_off(const Connection& connection, Clock::time_point until) {
    due_.push({.at = until, .socket = connection.socket, .serial = connection.serial});
    set_timer();
  }

  void set_timer() {
    if (due_.empty() || due_.top().at == timer_set_to_) return;
    timer_set_to_ = due_.top().at;
    const auto since =
        std::max<Clock::duration>(timer_set_to_.time_since_epoch(), Clock::duration(1));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
    itimerspec when{};
    when.it_value.tv_sec = seconds.count();
    when.it_value.tv_nsec = (since - seconds).count();
    ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  void on_timer() {
    std::uint64_t ignored = 0;
    static_cast<void>(::read(timer_, &ignored, sizeof ignored));
    timer_set_to_ = {};
    // Not all that is due: who is late all the time must still accept and listen.
    for (int writes = 0; writes < 256; ++writes) {
      const Clock::time_point now = Clock::now();
      if (due_.empty() || due_.top().at > now) break;
      const Due due = due_.top();
      due_.pop();
      const auto found = connections_.find(due.socket);
      if (found == connections_.end() || found->second->serial != due.serial) continue;
      Connection& connection = *found->second;
      const int count = std::min(connection.left, connection.script.per_write);
      const std::string stamped = connection.protocol->stamped_event();
      for (int i = 0; i < count; ++i) connection.out += stamped;
      connection.left -= count;
      if (connection.left > 0)
        due_.push(
            {.at = due.at + connection.script.between, .socket = due.socket, .serial = due.serial});
      else
        connection.out += connection.protocol->end;
      keep_open(connection, send(connection));
    }
    set_timer();
  }

  // Writes what there is; of a stream that is not paced, for so long as the socket takes it, but no
  // longer than is fair to the others. False if the client has gone.
  bool send(Connection& connection) {
    const bool unpaced = connection.script.between.count() == 0;
    for (int writes = 0; writes < 64; ++writes) {
      if (connection.out.empty()) {
        if (!unpaced || connection.left == 0) break;
        const int count = std::min(connection.left, connection.script.per_write);
        for (int i = 0; i < count; ++i) connection.out += connection.protocol->same_event;
        connection.left -= count;
        if (connection.left == 0) connection.out += connection.protocol->end;
      }
      const char* const data = connection.out.data() + connection.written;
      const std::size_t size = connection.out.size() - connection.written;
      ssize_t sent = 0;
      if (connection.tls != nullptr) {
        sent = SSL_write(connection.tls, data, static_cast<int>(size));
        if (sent <= 0 && !again(connection, static_cast<int>(sent))) return false;
      } else {
        sent = ::send(connection.socket, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return false;
      }
      if (sent <= 0) break;
      connection.written += static_cast<std::size_t>(sent);
      if (connection.written < connection.out.size()) break;
      connection.out.clear();
      connection.written = 0;
    }
    const bool more = !connection.out.empty() || (unpaced && connection.left > 0);
    if (more != connection.wants_to_write)
      watch(connection.socket, more ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
    connection.wants_to_write = more;
    return true;
  }

  const int epoll_;
  const int timer_;
  const Tls tls_;
  int plain_listener_ = -1;
  int tls_listener_ = -1;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  Clock::time_point timer_set_to_{};
  std::uint64_t accepted_ = 0;
  std::uint64_t requests_ = 0;
  std::int64_t spans_ = 0;

  const Protocol openai_ = openai();
  const Protocol ollama_ = ollama();
  const Protocol watsonx_ = watsonx();
};

}  // namespace

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGPIPE, SIG_IGN);
  if (argc > 1) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(static_cast<unsigned>(std::atoi(argv[1])), &cores);
    ::sched_setaffinity(0, sizeof cores, &cores);
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  Provider().run();
}
