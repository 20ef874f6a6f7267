#include "mellea/telemetry/propagation_plugin.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mellea/core/text.h"
#include "mellea/core/trace_context.h"
#include "mellea/hooks/events.h"
#include "mellea/telemetry/environment_variables.h"
#include "mellea/telemetry/facts.h"

namespace mellea::telemetry {
namespace {

// After the tracing plugins, and after who finds the caller in the thread.
constexpr How kHow{.priority = kTelemetryPriority + 10};
constexpr std::size_t kLongestLabel = 256;  // code points

// Of the allow-list.
struct AllowedHost {
  std::string name{};  // in lower case, with no brackets; begins with a dot: all that is below it
  int port = 0;        // 0: any

  bool is(const Endpoint& endpoint) const noexcept {
    if (port != 0 && port != endpoint.port) return false;
    if (!name.starts_with('.')) return endpoint.address == name;
    return endpoint.address.size() > name.size() && endpoint.address.ends_with(name);
  }
};

// Nothing if it is none: a port that is no number, a path, a star that stands for anything else.
std::optional<AllowedHost> read_host(std::string_view text) {
  AllowedHost host;
  std::string_view name = text;
  std::string_view port;
  const std::size_t bracket = name.starts_with('[') ? name.find(']') : name.npos;
  if (bracket != name.npos) {
    port = name.substr(bracket + 1);
    name = name.substr(1, bracket - 1);
    if (!port.empty() && !port.starts_with(':')) return {};
  } else if (const std::size_t colon = name.find(':');
             colon != name.npos && colon == name.rfind(':')) {
    port = name.substr(colon);  // several are an IPv6 address
    name = name.substr(0, colon);
  }
  if (!port.empty()) {
    const char* const end = port.data() + port.size();
    const auto [read_to, error] = std::from_chars(port.data() + 1, end, host.port);
    if (error != std::errc() || read_to != end || host.port < 1 || host.port > 65'535) return {};
  }
  if (name.empty() || name.starts_with('.')) return {};
  if (name.starts_with("*.")) {
    constexpr std::string_view kDigits = "0123456789";
    if (name.find_first_not_of(kDigits, name.rfind('.') + 1) == name.npos)
      return {};  // nothing, or an address, which has nothing below it
    name.remove_prefix(1);
  }
  if (name.find_first_of("*/@[] ") != name.npos) return {};
  host.name = lower(name);
  return host;
}

class PropagationPlugin : public Plugin {
 public:
  PropagationPlugin(std::shared_ptr<Tracer> tracer, std::vector<AllowedHost> hosts,
                    std::vector<std::string> baggage, std::vector<std::string> labels)
      : tracer_(std::move(tracer)),
        hosts_(std::move(hosts)),
        baggage_(std::move(baggage)),
        labels_(std::move(labels)) {}

  std::string_view name() const override { return "propagation"; }

  void subscribe(Subscriber& hooks) override {
    if (!labels_.empty())
      hooks.transform<CallBegin>([this](CallBegin& event) { add_labels(event); }, kHow);
    if (hosts_.empty()) return;
    hooks.transform<GenerationPreCall>([this](auto& event) { add_headers(event); }, kHow);
    hooks.transform<GenerationBatchPreCall>([this](auto& event) { add_headers(event); }, kHow);
  }

 private:
  void add_labels(CallBegin& event) const {
    if (!event.origin) return;
    for (const BaggageMember& member : baggage_members(event.origin->baggage)) {
      if (std::find(labels_.begin(), labels_.end(), member.key) == labels_.end()) continue;
      const std::string value = to_utf8(percent_decoded(member.value));
      if (value.empty()) continue;
      event.labels.insert_or_assign(std::string(member.key),
                                    std::string(first_code_points(value, kLongestLabel)));
    }
  }

  template <class Opening>
  void add_headers(Opening& event) const {
    const auto hears = [&](const AllowedHost& host) { return host.is(event.target->endpoint); };
    if (std::none_of(hosts_.begin(), hosts_.end(), hears)) return;
    const Origin* const origin = event.scope.nearest_origin();
    std::string state = tracer_ ? tracer_->trace_state_of(event.scope.id()) : std::string();
    if (state.empty() && origin) state = tracestate_for(event.trace, *origin);
    if (!state.empty()) replace(event.headers, {{"tracestate", std::move(state)}});
    if (!origin) return;
    if (std::string baggage = baggage_of(origin->baggage, baggage_); !baggage.empty())
      replace(event.headers, {{"baggage", std::move(baggage)}});
  }

  const std::shared_ptr<Tracer> tracer_;  // null: nothing is traced
  const std::vector<AllowedHost> hosts_;
  const std::vector<std::string> baggage_;  // keys that may leave
  const std::vector<std::string> labels_;   // keys that become labels
};

}  // namespace

std::shared_ptr<Plugin> make_propagation_plugin(std::shared_ptr<Tracer> tracer,
                                                const PropagationOptions& options,
                                                Warnings& warnings) {
  std::vector<AllowedHost> hosts;
  for (const std::string& text : options.hosts) {
    if (auto host = read_host(text))
      hosts.push_back(std::move(*host));
    else
      warnings.add("propagation: \"" + one_line(text) +
                   "\" is no host: it is left out; \"llm.internal\" and \"*.example.com\" are");
  }
  std::vector<std::string> labels;
  for (const std::string& key : options.labels) {
    if (names_a_fact(key))
      warnings.add("propagation: \"" + one_line(key) + "\" is an attribute of ours, and no label");
    else
      labels.push_back(key);
  }
  if (hosts.empty() && labels.empty()) return nullptr;
  return std::make_shared<PropagationPlugin>(std::move(tracer), std::move(hosts), options.baggage,
                                             std::move(labels));
}

}  // namespace mellea::telemetry
