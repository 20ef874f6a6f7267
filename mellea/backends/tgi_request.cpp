#include "mellea/backends/tgi_request.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/json_writer.h"
#include "mellea/backends/request_checks.h"

namespace mellea {
namespace {

constexpr RequestChecks kChecks("huggingface");

class RequestWriter {
 public:
  explicit RequestWriter(const Request& request) : request_(request), options_(request.options) {
    kChecks.extra(options_);
    if (request_.prompts.empty()) kChecks.refuse("no prompts");
  }

  TgiRequest completion() && {
    json_.begin_object();
    sampling();
    several();
    logprobs();
    stop();
    grammar();
    if (member("details")) json_.boolean(true);  // token counts, finish reason
    unknown();
    extra();
    const std::string parameters = std::move(json_.end_object()).take();
    WrittenBatch& written = out_.written;
    written.path = request_.stream ? "/generate_stream" : "/generate";
    for (std::size_t i = 0; i < request_.prompts.size(); ++i) {
      JsonWriter body;
      body.begin_object().key("inputs").text(kChecks.text(request_.prompts[i], {"prompt", i + 1}));
      body.key("parameters").raw(parameters).end_object();
      written.bodies.push_back(std::move(body).take());
    }
    return std::move(out_);
  }

 private:
  // Writes a key of the parameters, unless `extra` has that key and so the last word.
  bool member(std::string_view name) {
    if (options_.extra && options_.extra->contains(name)) return false;
    json_.key(name);
    return true;
  }

  void ignored(std::string_view option, std::string_view why) {
    out_.written.notices.push_back(kChecks.ignored(option, why));
  }

  void number(std::string_view name, const Option<double>& option) {
    if (option && member(name)) json_.number(kChecks.number(*option, name));
  }
  void number(std::string_view name, const Option<std::int64_t>& option) {
    if (option && member(name)) json_.number(*option);
  }

  bool is_greedy() const { return options_.temperature && *options_.temperature == 0; }
  bool has_several() const {
    return options_.choices && *options_.choices > 1 && !is_greedy() && !request_.stream;
  }

  void sampling() {
    const bool samples = !is_greedy() && (options_.temperature || options_.seed || has_several());
    if ((is_greedy() || samples) && member("do_sample")) json_.boolean(samples);
    if (!is_greedy()) number("temperature", options_.temperature);
    if (options_.top_p && *options_.top_p != 1) number("top_p", options_.top_p);
    if (options_.top_k && *options_.top_k != 0) number("top_k", options_.top_k);
    number("frequency_penalty", options_.frequency_penalty);
    number("max_new_tokens", options_.max_tokens);
  }

  void several() {
    if (has_several()) {
      out_.asked.answers =
          static_cast<std::size_t>(std::min<std::int64_t>(*options_.choices, 1024));
      if (options_.seed) ignored("seed", "TGI takes none for several choices");
      number("best_of", options_.choices);
      return;
    }
    number("seed", options_.seed);
    if (!options_.choices || *options_.choices == 1) return;
    if (*options_.choices < 1)
      kChecks.refuse("option choices: " + std::to_string(*options_.choices) + " answers");
    ignored("choices", request_.stream ? "TGI streams one answer"
                                       : "at a temperature of 0 all answers are the same");
  }

  void logprobs() {
    const bool off = options_.logprobs && !*options_.logprobs;
    out_.asked.logprobs = !off && (options_.logprobs || options_.top_logprobs);
    if (out_.asked.logprobs && options_.top_logprobs && *options_.top_logprobs > 0)
      number("top_n_tokens", options_.top_logprobs);
  }

  void stop() {
    if (!options_.stop) return;
    for (const std::string& stop : *options_.stop) kChecks.text(stop, {"option stop"});
    if (!member("stop")) return;
    out_.asked.stop = *options_.stop;
    json_.begin_array();
    for (const std::string& stop : *options_.stop) json_.text(stop);
    json_.end_array();
  }

  void grammar() {
    if (!request_.format || !member("grammar")) return;
    const Json& schema = request_.format->schema;
    json_.begin_object().key("type").text("json").key("value");
    json_.raw(schema ? schema.text() : R"({"type":"object"})").end_object();
  }

  void unknown() {
    if (options_.context_window) ignored("context_window", "the server has decided");
    if (options_.min_p) ignored("min_p", "TGI knows none");
    if (options_.presence_penalty)
      ignored("presence_penalty", "TGI knows none for completions: x.repetition_penalty is near");
    if (options_.think) ignored("think", "completions do not think");
    if (options_.parallel_tool_calls) ignored("parallel_tool_calls", "completions have no tools");
    if (options_.user) ignored("user", "TGI knows none");
    if (options_.service_tier) ignored("service_tier", "TGI has none");
    if (!request_.tools.empty()) ignored("tools", "completions have none");
  }

  void extra() {
    if (!options_.extra) return;
    for (const auto& [name, value] : options_.extra->items())
      json_.key(kChecks.text(name, {"extra"})).raw(Json(value).text());
  }

  const Request& request_;
  const ModelOptions& options_;
  JsonWriter json_;  // the parameters
  TgiRequest out_{};
};

}  // namespace

TgiRequest write_tgi_request(const Request& request) { return RequestWriter(request).completion(); }

}  // namespace mellea
