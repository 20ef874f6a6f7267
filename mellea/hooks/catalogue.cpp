#include "mellea/hooks/catalogue.h"

#include <tuple>

namespace mellea {
namespace {

// What the type of an event can't tell. Names of fields are separated by spaces.
template <class E>
struct Row {
  std::optional<Kind> operation;
  Place place;
  std::string_view fields;
  std::string_view changeable{};
};

// One row for each event: without one, or with two, this file does not compile.
constexpr std::tuple kRows{
    Row<CallBegin>{{}, Place::outside, "scope origin labels", "origin labels"},
    Row<UserCodeBegin>{{}, Place::outside, "scope held", "held"},
    Row<Diagnostic>{{}, Place::outside, "scope notice target"},

    Row<SessionPreInit>{Kind::session, Place::opening,
                        "scope at backend context span model options trace stopped",
                        "model options trace"},
    Row<SessionPostInit>{Kind::session, Place::between, "opening"},
    Row<SessionReset>{Kind::session, Place::between, "scope previous"},
    Row<ContextCompacted>{Kind::session, Place::between, "scope how before after"},
    Row<SessionCleanup>{Kind::session, Place::closing, "opening ending context interactions"},

    Row<AgentStart>{Kind::agent, Place::opening,
                    "scope at agent provider goal tools conversation max_steps trace stopped",
                    "max_steps trace"},
    Row<AgentEnd>{Kind::agent, Place::closing, "opening ending steps answer"},

    Row<ComponentPreExecute>{Kind::action, Place::opening,
                             "scope at component action context conversation prompt options format "
                             "tools requirements strategy trace stopped",
                             "options format tools requirements strategy trace"},
    Row<ComponentPostSuccess>{Kind::action, Place::closing,
                              "opening ending reply generations attempts chosen context"},
    Row<ComponentPostError>{Kind::action, Place::closing, "opening ending context"},

    Row<SamplingLoopStart>{Kind::sampling, Place::opening,
                           "scope at strategy component action context requirements "
                           "budget trace stopped",
                           "requirements budget trace"},
    Row<SamplingIteration>{Kind::sampling, Place::between, "scope strategy attempt"},
    Row<SamplingRepair>{Kind::sampling, Place::between, "scope strategy repair_type failed next"},
    Row<SamplingLoopEnd>{Kind::sampling, Place::closing, "opening ending attempts chosen success"},

    Row<GenerationPreCall>{Kind::generation, Place::opening,
                           "scope at target request headers trace stopped",
                           "request headers trace"},
    Row<GenerationEvent>{Kind::generation, Place::between, "scope chunk index"},
    Row<GenerationRetry>{Kind::generation, Place::between, "scope at notice target index"},
    Row<GenerationPostCall>{Kind::generation, Place::closing,
                            "opening ending reply effort stopped"},
    Row<GenerationError>{Kind::generation, Place::closing, "opening ending reply effort"},
    Row<GenerationParseError>{Kind::generation, Place::after, "scope error reply"},

    Row<GenerationBatchPreCall>{Kind::batch, Place::opening,
                                "scope at target request headers trace stopped",
                                "request headers trace"},
    Row<GenerationBatchPostCall>{Kind::batch, Place::closing,
                                 "opening ending replies usage effort stopped"},
    Row<GenerationBatchError>{Kind::batch, Place::closing, "opening ending replies usage effort"},

    Row<ValidationPreCheck>{Kind::validation, Place::opening,
                            "scope at evaluated reply context conversation requirements options "
                            "trace stopped",
                            "requirements options trace"},
    Row<ValidationPostCheck>{Kind::validation, Place::closing, "opening ending checks stopped",
                             "checks"},

    Row<ToolPreInvoke>{Kind::tool, Place::opening,
                       "scope at tool control_flow asked_by conversation call trace stopped",
                       "call trace"},
    Row<ToolPostInvoke>{Kind::tool, Place::closing, "opening ending took remote output stopped",
                        "output"},

    Row<StreamingStart>{Kind::stream, Place::opening,
                        "scope at chunking component conversation requirements trace stopped",
                        "requirements trace"},
    Row<StreamingEvent>{Kind::stream, Place::between, "scope at what"},
    Row<StreamingEnd>{Kind::stream, Place::closing,
                      "opening ending success failures length generation"},
};
static_assert(std::tuple_size_v<decltype(kRows)> == kEventCount);

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

std::vector<std::string_view> verbs_for(Allows allows) {
  std::vector<std::string_view> verbs;
  if (allows.stop) verbs.push_back("intercept");
  if (allows.change) verbs.push_back("transform");
  if (allows.stop) verbs.push_back("guard");
  verbs.push_back("observe");
  verbs.push_back("background");
  return verbs;
}

template <class E>
EventDescription describe() {
  const auto& row = std::get<Row<E>>(kRows);
  return {.name = E::name,
          .operation = row.operation,
          .place = row.place,
          .allows = E::allows,
          .verbs = verbs_for(E::allows),
          .fields = words(row.fields),
          .changeable = words(row.changeable)};
}

template <class... Es>
std::vector<EventDescription> describe_all(std::tuple<Es...>* /*type only*/) {
  return {describe<Es>()...};
}

}  // namespace

std::string_view to_string(Place place) noexcept {
  switch (place) {
    case Place::outside: return "outside";
    case Place::opening: return "opening";
    case Place::between: return "between";
    case Place::closing: return "closing";
    case Place::after: break;
  }
  return "after";
}

const std::vector<EventDescription>& event_catalogue() {
  static const std::vector<EventDescription> all = describe_all(static_cast<Events*>(nullptr));
  return all;
}

}  // namespace mellea
