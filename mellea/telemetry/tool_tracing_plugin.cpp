#include "mellea/telemetry/tool_tracing_plugin.h"

#include <chrono>
#include <utility>

#include "mellea/core/text.h"
#include "mellea/hooks/events.h"
#include "mellea/telemetry/operation_facts.h"
#include "mellea/telemetry/span_opening.h"
#include "mellea/telemetry/tool_arguments.h"

namespace mellea::telemetry {
namespace {

constexpr How kHow{.priority = kTelemetryPriority + 3};
constexpr std::string_view kOperation = "execute_tool";
constexpr std::string_view kToolError = "tool_error";  // the conventions' word
constexpr std::size_t kLongestDescription = 500;       // code points

// A name that the model made up is not shown: it might be anything.
void describe(SpanRecord& record, const ToolPreInvoke& event, const Content& content) {
  const std::string_view tool = event.tool ? std::string_view(event.tool->name) : "unknown";
  record.name = record.kept(kOperation, tool);
  record.set(Fact::operation, kOperation);
  record.set(Fact::tool_name, tool);
  if (event.tool) {
    record.set(Fact::tool_type, "function");
    set_text(record, Fact::tool_description,
             one_line(event.tool->description, kLongestDescription));
  }
  set_text(record, Fact::tool_call_id, event.call.id);
  set_text(record, Fact::arguments_hash, arguments_hash(event.call.arguments));
  record.set(Fact::is_control_flow, event.control_flow);
  set_conversation(record, event.conversation);
  set_generation(record, event.asked_by);
  if (content.in_spans()) content.set_arguments(record, event.call.arguments);
}

// The conventions have a tool of an MCP server on one span, and not the request on one of its own.
void set_remote(SpanRecord& record, const RemoteCall& remote) {
  record.set(Fact::mcp_method, remote.method);
  set_text(record, Fact::mcp_revision, remote.revision);
  if (is_foreign_id(remote.session)) record.set(Fact::mcp_session, remote.session);
  set_text(record, Fact::rpc_request_id, remote.request_id);
  set_text(record, Fact::rpc_status_code, remote.status_code);
  set_text(record, Fact::network_transport, remote.transport);
  set_text(record, Fact::server_address, remote.server.address);
  if (remote.server.port != 0) record.set(Fact::server_port, std::int64_t{remote.server.port});
  if (remote.tool_failed) record.set(Fact::error_type, kToolError);
}

// What a plugin stopped the model is not told, and a failure is no result.
void complete(SpanRecord& record, const ToolPostInvoke& event, const Content& content) {
  const bool good = event.ending.outcome == Outcome::ok && !event.stopped;
  if (event.ending.outcome != Outcome::cancelled)
    record.set(Fact::tool_status, good ? "success" : "failure");
  if (good && content.in_spans()) content.set_result(record, event.output);
  if (event.remote) set_remote(record, *event.remote);
  if (event.took.count() == 0) return;  // it never ran
  using std::chrono::milliseconds;
  record.set(Fact::tool_time,
             std::int64_t{std::chrono::duration_cast<milliseconds>(event.took).count()});
}

class ToolTracingPlugin : public Plugin {
 public:
  ToolTracingPlugin(std::shared_ptr<Tracer> tracer, std::shared_ptr<const Content> content)
      : tracer_(std::move(tracer)), content_(std::move(content)) {}

  std::string_view name() const override { return "tool_tracing"; }

  void subscribe(Subscriber& hooks) override {
    open_spans<ToolPreInvoke>(hooks, tracer_, kHow, showing(content_, describe));
    close_spans<ToolPostInvoke>(hooks, tracer_, kHow, showing(content_, complete));
  }

 private:
  const std::shared_ptr<Tracer> tracer_;
  const std::shared_ptr<const Content> content_;  // never null
};

}  // namespace

std::shared_ptr<Plugin> make_tool_tracing_plugin(std::shared_ptr<Tracer> tracer,
                                                 std::shared_ptr<const Content> content) {
  return std::make_shared<ToolTracingPlugin>(std::move(tracer), std::move(content));
}

}  // namespace mellea::telemetry
