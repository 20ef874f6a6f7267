#include "mellea/mcp/mcp_client.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/core/error.h"
#include "mellea/core/fork.h"
#include "mellea/core/program_environment.h"
#include "mellea/core/text.h"
#include "mellea/core/trace_context.h"
#include "mellea/mcp/http_link.h"
#include "mellea/mcp/mcp_answers.h"
#include "mellea/mcp/mcp_link.h"
#include "mellea/mcp/program_link.h"
#include "mellea/net/network.h"
#include "mellea/net/url.h"

namespace mellea {
namespace {

using nlohmann::json;

std::string name_of(const McpServer& server) {
  if (const auto* url = std::get_if<McpUrl>(&server)) return parse_url(url->url).authority();
  const std::string& command = std::get<McpProgram>(server).command;
  return one_line(command.substr(command.rfind('/') + 1), 60);
}

Endpoint endpoint_of(const McpServer& server) {
  const auto* url = std::get_if<McpUrl>(&server);
  if (!url) return {};
  const Url parsed = parse_url(url->url);
  return {.address = parsed.host, .port = parsed.port};
}

void check(const McpServer& server, const McpOptions& options) {
  const auto* program = std::get_if<McpProgram>(&server);
  if (program && program->command.empty())
    throw Error(Errc::invalid_request, "mcp: no command given: name the server's program");
  if (!options.baggage.empty() && !options.trusted)
    throw Error(Errc::invalid_request,
                "mcp: baggage \"" + one_line(options.baggage.front(), 60) +
                    "\" is for a server that is trusted, and this one is not");
}

// Null for an argument that may be missing is one that is missing.
json without_nulls(json arguments, const std::set<std::string>& required) {
  for (auto argument = arguments.begin(); argument != arguments.end();)
    argument = argument->is_null() && !required.contains(argument.key()) ? arguments.erase(argument)
                                                                         : std::next(argument);
  return arguments;
}

std::set<std::string> required_of(const ToolSpec& spec) {
  std::set<std::string> names;
  const auto required = spec.parameters->find("required");
  if (required != spec.parameters->end() && required->is_array())
    for (const json& name : *required)
      if (name.is_string()) names.insert(name.get<std::string>());
  return names;
}

// Where the call is in the trace that it is part of.
json trace_of(const Scope& scope, const McpOptions& options) {
  const Origin* const origin = scope.nearest_origin();
  TraceRef trace = scope.trace();
  if (!trace) trace = scope.parent_trace();
  if (!trace && origin) trace = TraceRef::from_traceparent(origin->traceparent);
  json meta = json::object();
  if (trace) meta["traceparent"] = trace.traceparent();
  if (!options.trusted || !origin) return meta;
  if (const std::string_view state = tracestate_for(trace, *origin); !state.empty())
    meta["tracestate"] = state;
  if (std::string baggage = baggage_of(origin->baggage, options.baggage); !baggage.empty())
    meta["baggage"] = std::move(baggage);
  return meta;
}

// What is passed on of progress. Numbers and texts that are none are left out.
McpProgress progress_of(const std::string& tool, const json& params) {
  McpProgress told{.tool = tool};
  if (const auto found = params.find("progress"); found != params.end() && found->is_number())
    told.progress = found->get<double>();
  if (const auto found = params.find("total"); found != params.end() && found->is_number())
    told.total = found->get<double>();
  if (const auto found = params.find("message"); found != params.end() && found->is_string())
    told.message = found->get<std::string>();
  return told;
}

Errc code_of(std::int64_t code) noexcept {
  constexpr std::int64_t kNoMethod = -32601, kBadParams = -32602, kNoRequest = -32600;
  if (code == kNoMethod) return Errc::not_found;
  return code == kBadParams || code == kNoRequest ? Errc::invalid_request : Errc::server_error;
}

// As the server wrote it; empty if that is no number.
std::string code_in(const Json& error) {
  const auto code = error->find("code");
  return code != error->end() && code->is_number_integer() ? code->dump() : std::string();
}

// What a server says unasked. Shared with the link, which must not hold the connection.
struct Unasked {
  std::atomic<bool> tools_changed = false;

  std::string hear(const RpcMessage& message) {
    if (message.method == "notifications/tools/list_changed") tools_changed = true;
    if (message.kind != RpcMessage::Kind::request) return {};
    if (message.method == "ping") return rpc_result(message.id, json::object());
    constexpr int kNoMethod = -32601;
    return rpc_refusal(message.id, kNoMethod, "this client only calls tools");
  }
};

}  // namespace

class McpClient::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(McpServer server, McpOptions options)
      : server_(std::move(server)),
        options_(std::move(options)),
        name_("mcp " + (options_.name.empty() ? name_of(server_) : one_line(options_.name, 60))),
        endpoint_(endpoint_of(server_)) {
    if (std::holds_alternative<McpUrl>(server_) && !options_.network)
      options_.network = std::make_shared<Network>();
  }
  ~Connection() {  // the threads and sockets of a parent process are let be
    if (fork_mark_.inherited()) new std::shared_ptr<Open>(std::move(open_));
  }

  void connect(const std::stop_token& stop) {
    const Stops stops(stop, closing_.get_token());
    (void)open({.stop = stops.token()});
  }

  Tools tools(const std::stop_token& stop) {
    refuse_after_fork();
    const Stops stops(stop, closing_.get_token());
    const McpPatience patience = patience_for_call(stops);
    unasked_->tools_changed = false;
    Tools tools;
    if (!open(patience)->greeting.has_tools) return tools;
    std::string cursor;
    for (int page = 0; page < kMostPages; ++page) {
      json params = json::object();
      if (!cursor.empty()) params["cursor"] = cursor;
      McpToolsPage read =
          ask({.method = "tools/list", .params = std::move(params)}, patience, read_mcp_tools);
      for (ToolSpec& spec : read.tools) tools.push_back(tool(std::move(spec)));
      if (read.next_cursor.empty()) return tools;
      if (read.next_cursor == cursor) break;
      cursor = std::move(read.next_cursor);
    }
    throw Error(Errc::parse_error, name_ + ": tools/list: the list has no end");
  }

  std::string call(const std::string& tool, json arguments, const Call& call) {
    refuse_after_fork();
    const Stops stops(call.stop, closing_.get_token());
    json params{{"name", tool}, {"arguments", std::move(arguments)}};
    if (json meta = trace_of(call.scope, options_); !meta.empty())
      params["_meta"] = std::move(meta);
    const McpToolAnswer answer = ask(
        {.method = "tools/call", .tool = tool, .params = std::move(params), .remote = call.remote},
        patience_for_call(stops), read_mcp_tool_answer);
    if (!answer.failed) return answer.text;
    if (call.remote) call.remote->tool_failed = true;
    constexpr std::size_t kShown = 4000;  // code points
    throw Error(Errc::unknown,
                name_ + ": " + one_line(tool, 60) + ": " + one_line(answer.text, kShown),
                {.provider_code = "tool_error", .provider_message = to_utf8(answer.text)});
  }

  bool tools_changed() const noexcept { return unasked_->tools_changed; }

  McpServerInfo server() const {
    refuse_after_fork();
    const std::lock_guard lock(mutex_);
    return info_;
  }

  void close() {
    if (fork_mark_.inherited()) return;
    closing_.request_stop();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !opening_ && uses_ == 0; });
    std::shared_ptr<Open> last = std::move(open_);
    lock.unlock();
    last.reset();
  }

 private:
  static constexpr int kMostPages = 1000;

  // A connection that was made.
  struct Open {
    std::unique_ptr<McpLink> link{};
    McpGreeting greeting{};
  };
  struct Question {
    std::string method{};
    std::string tool{};  // empty: it is not about one
    json params{};
    RemoteCall* remote = nullptr;  // what is to be said of it; null: nobody listens
  };

  // Stops with each of two.
  class Stops {
   public:
    Stops(const std::stop_token& one, const std::stop_token& other)
        : one_(one, Forward{source_}), other_(other, Forward{source_}) {}
    std::stop_token token() const noexcept { return source_.get_token(); }

   private:
    struct Forward {
      std::stop_source& source;
      void operator()() const noexcept { source.request_stop(); }
    };
    std::stop_source source_;
    std::stop_callback<Forward> one_;
    std::stop_callback<Forward> other_;
  };

  // Keeps close() waiting.
  class Use {
   public:
    explicit Use(Connection& connection) : connection_(connection) { add(1); }
    ~Use() { add(-1); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    void add(int more) {
      const std::lock_guard lock(connection_.mutex_);
      connection_.uses_ += more;
      connection_.changed_.notify_all();
    }
    Connection& connection_;
  };

  // The turn of one thread to connect ends with it.
  class Turn {
   public:
    explicit Turn(Connection& connection) : connection_(connection) {}
    ~Turn() {
      const std::lock_guard lock(connection_.mutex_);
      connection_.opening_ = false;
      connection_.changed_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Connection& connection_;
  };

  McpPatience patience_for_call(const Stops& stops) const {
    return {.until = later(Instant::clock::now(), options_.call), .stop = stops.token()};
  }

  void refuse_after_fork() const {
    if (fork_mark_.inherited())
      throw Error(Errc::after_fork,
                  name_ + ": this client belongs to the parent process: connect after fork()");
  }

  // The connection; made, if there is none, by one thread, for which the others wait.
  std::shared_ptr<Open> open(const McpPatience& patience) {
    std::unique_lock lock(mutex_);
    const bool free =
        changed_.wait_until(lock, patience.stop, patience.until, [this] { return !opening_; });
    if (patience.stop.stop_requested()) throw about("", Error(Errc::cancelled, "cancelled"));
    if (!free) throw about("", Error(Errc::timeout, "not connected in time"));
    if (open_ && !open_->link->lost()) return open_;
    opening_ = true;
    std::shared_ptr<Open> lost = std::move(open_);
    lock.unlock();
    const Turn turn(*this);
    lost.reset();  // what is left of the old server is gone before there is a new one
    std::shared_ptr<Open> made = make(patience);
    lock.lock();
    info_ = {.name = made->greeting.name,
             .version = made->greeting.version,
             .revision = made->greeting.revision,
             .instructions = made->greeting.instructions,
             .session = made->link->session()};
    open_ = made;
    lock.unlock();
    return made;
  }

  std::shared_ptr<Open> make(const McpPatience& most) {
    const McpPatience patience{
        .until = std::min(most.until, later(Instant::clock::now(), options_.connect)),
        .stop = most.stop};
    auto open = std::make_shared<Open>();
    open->link = start();
    try {
      open->greeting = greet(*open->link, patience);
    } catch (const Error& error) {
      throw about("initialize", error);
    }
    return open;
  }

  std::unique_ptr<McpLink> start() {
    const McpListener listener = [unasked = unasked_](const RpcMessage& message) {
      return unasked->hear(message);
    };
    if (const auto* url = std::get_if<McpUrl>(&server_))
      return start_http_link(options_.network,
                             {.url = url->url,
                              .headers = url->headers,
                              .connect = options_.connect,
                              .close = options_.close,
                              .max_message = options_.max_message},
                             listener);
    const auto& program = std::get<McpProgram>(server_);
    ProgramStart start{.arguments = program.arguments,
                       .environment = plain_environment(program.environment),
                       .folder = program.folder,
                       .conversation = true};
    try {
      start.program = find_program(program.command, start.environment);
      return start_program_link(
          {.start = std::move(start), .close = options_.close, .max_message = options_.max_message},
          listener);
    } catch (const Error& error) {
      throw about("", error);
    }
  }

  McpGreeting greet(McpLink& link, const McpPatience& patience) {
    const json params = {{"protocolVersion", kMcpRevision},
                         {"capabilities", json::object()},
                         {"clientInfo", {{"name", "mellea"}, {"version", MELLEA_VERSION}}}};
    const std::int64_t id = ++last_id_;
    const auto answer =
        link.ask({.id = id, .text = rpc_request(id, "initialize", params), .patience = patience});
    McpGreeting greeting = read_mcp_greeting(result_of(answer));
    if (!is_known_mcp_revision(greeting.revision))
      throw Error(Errc::parse_error, "it speaks MCP of " + one_line(greeting.revision, 40) +
                                         ", which this client does not");
    link.agreed(greeting.revision);
    link.tell(rpc_notification("notifications/initialized", nullptr), patience);
    return greeting;
  }

  // What `read` makes of the result. A server that has forgotten the session is asked once more.
  template <class Value>
  Value ask(const Question& question, const McpPatience& patience,
            Value (*read)(const Json& result)) {
    const Use use(*this);
    std::optional<RpcMessage> answer = ask(*open(patience), question, patience);
    if (!answer) answer = ask(*open(patience), question, patience);
    if (question.remote && answer && answer->kind == RpcMessage::Kind::error)
      question.remote->status_code = code_in(answer->body);
    try {
      return read(result_of(answer));
    } catch (const Error& error) {
      throw about(question, error);
    }
  }

  std::optional<RpcMessage> ask(const Open& open, const Question& question,
                                const McpPatience& patience) {
    McpLink& link = *open.link;
    McpQuestion asked{.id = ++last_id_, .patience = patience};
    if (question.remote)
      *question.remote = {.method = question.method,
                          .revision = open.greeting.revision,
                          .session = link.session(),
                          .request_id = std::to_string(asked.id),
                          .transport = std::holds_alternative<McpUrl>(server_) ? "tcp" : "pipe",
                          .server = endpoint_};
    json params = question.params;
    std::exception_ptr thrown;  // by on_progress
    if (options_.on_progress && !question.tool.empty()) {
      params["_meta"]["progressToken"] = asked.id;
      asked.progressed = [&](const Json& told) {
        try {
          options_.on_progress(progress_of(question.tool, *told));
        } catch (...) {
          thrown = std::current_exception();
          throw Error(Errc::cancelled, "on_progress has thrown");
        }
      };
    }
    asked.text = rpc_request(asked.id, question.method, std::move(params));
    try {
      return link.ask(asked);
    } catch (const Error& error) {
      const bool late = error.code() == Errc::timeout;
      if (late || error.code() == Errc::cancelled)
        link.tell_later(
            rpc_notification("notifications/cancelled",
                             {{"requestId", asked.id},
                              {"reason", late ? "it took too long" : "nobody waits for it"}}));
      if (thrown) std::rethrow_exception(thrown);
      throw about(question, error);
    }
  }

  static Json result_of(const std::optional<RpcMessage>& answer) {
    if (!answer) throw Error(Errc::transport_error, "the server has forgotten the session at once");
    if (answer->kind == RpcMessage::Kind::result) return answer->body;
    McpFault fault = read_mcp_fault(answer->body);
    throw Error(
        code_of(fault.code), std::to_string(fault.code) + ": " + one_line(fault.message),
        {.provider_code = std::to_string(fault.code), .provider_message = to_utf8(fault.message)});
  }

  Tool tool(ToolSpec spec) {
    Tool::Run run = [self = shared_from_this(), name = spec.name, required = required_of(spec)](
                        const Json& arguments, const Call& call) {
      return self->call(name, without_nulls(*arguments, required), call);
    };
    try {
      return Tool(spec, run);
    } catch (const Error&) {  // its schema says more than Schema knows
      return Tool::unchecked(std::move(spec), std::move(run));
    }
  }

  // The same error, and what it was about.
  Error about(const Question& question, const Error& error) const {
    return about(question.method + (question.tool.empty() ? "" : ' ' + one_line(question.tool, 60)),
                 error);
  }
  Error about(const std::string& what, const Error& error) const {
    if (closing_.stop_requested()) return Error(Errc::shutdown, name_ + ": this client was closed");
    return Error(error.code(), name_ + (what.empty() ? "" : ": " + what) + ": " + error.what(),
                 error.details());
  }

  const ForkMark fork_mark_{};
  const McpServer server_;
  McpOptions options_;
  const std::string name_;   // "mcp files"
  const Endpoint endpoint_;  // nothing of a program
  const std::shared_ptr<Unasked> unasked_ = std::make_shared<Unasked>();
  std::atomic<std::int64_t> last_id_ = 0;
  std::stop_source closing_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  // Guarded by mutex_.
  McpServerInfo info_;
  int uses_ = 0;                // calls under way
  bool opening_ = false;        // some thread connects
  std::shared_ptr<Open> open_;  // null before the first, while opening_, and after close()
};

McpClient McpClient::connect(McpServer server, McpOptions options, std::stop_token stop) {
  check(server, options);
  auto connection = std::make_shared<Connection>(std::move(server), std::move(options));
  connection->connect(stop);
  return McpClient(std::move(connection));
}

McpClient::McpClient(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

Tools McpClient::tools(std::stop_token stop) const { return connection_->tools(stop); }

bool McpClient::tools_changed() const noexcept { return connection_->tools_changed(); }

McpServerInfo McpClient::server() const { return connection_->server(); }

void McpClient::close() const { connection_->close(); }

}  // namespace mellea
