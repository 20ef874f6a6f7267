#include "mellea/backends/watsonx_request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/json_writer.h"
#include "mellea/backends/openai_request.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr RequestChecks kChecks("watsonx");
constexpr std::string_view kDeployment = "deployment/";

// The members of "parameters", of completions and of embeddings.
constexpr auto kParameters = std::to_array<std::string_view>(
    {"decoding_method", "include_stop_sequence", "length_penalty", "max_new_tokens",
     "min_new_tokens", "prompt_variables", "random_seed", "repetition_penalty", "return_options",
     "stop_sequences", "temperature", "time_limit", "top_k", "top_p", "truncate_input_tokens"});

bool is_parameter(std::string_view name) {
  return std::find(kParameters.begin(), kParameters.end(), name) != kParameters.end();
}

// Why an option is not sent.
struct Unknown {
  std::string_view option{};
  std::string_view why{};
};
constexpr auto kUnknownToChats = std::to_array<Unknown>({
    {"context_window", "the service has decided"},
    {"top_k", "watsonx's chats do not know it"},
    {"min_p", "watsonx does not know it"},
    {"parallel_tool_calls", "the model decides"},
    {"user", "watsonx knows none"},
    {"service_tier", "watsonx has none"},
});
constexpr auto kUnknownToCompletions = std::to_array<Unknown>({
    {"context_window", "the service has decided"},
    {"min_p", "watsonx does not know it"},
    {"frequency_penalty", "watsonx's completions know repetition_penalty"},
    {"presence_penalty", "watsonx's completions know repetition_penalty"},
    {"choices", "watsonx gives one answer"},
    {"think", "completions do not think"},
    {"parallel_tool_calls", "completions have no tools"},
    {"user", "watsonx knows none"},
    {"service_tier", "watsonx has none"},
});

class RequestWriter {
 public:
  RequestWriter(const Request& request, const WatsonxOptions& watsonx)
      : request_(request), options_(request.options), watsonx_(watsonx) {
    kChecks.extra(options_);
    if (options_.extra) extra_ = &*options_.extra;
  }

  WrittenRequest chat() && {
    if (request_.messages.empty()) kChecks.refuse("no messages");
    OpenAiPieces pieces = write_openai_pieces(request_, "watsonx");
    notices_ = std::move(pieces.notices);
    begin();
    if (member("messages")) json_.raw(pieces.messages);
    tools(pieces.tools);
    if (request_.format && member("response_format")) json_.raw(pieces.response_format);
    number("max_completion_tokens", options_.max_tokens);
    number("temperature", options_.temperature);
    number("top_p", options_.top_p);
    number("frequency_penalty", options_.frequency_penalty);
    number("presence_penalty", options_.presence_penalty);
    number("seed", options_.seed);
    number("n", options_.choices);
    if (options_.stop && member("stop")) texts(*options_.stop, "option stop");
    if (options_.logprobs && member("logprobs")) json_.boolean(*options_.logprobs);
    number("top_logprobs", options_.top_logprobs);
    think();
    ignore(kUnknownToChats);
    return std::move(*this).finish(request_.stream ? "chat_stream" : "chat");
  }

  WrittenRequest completion() && {
    if (request_.prompts.empty()) kChecks.refuse("no prompts");
    if (request_.prompts.size() > 1)
      kChecks.refuse(std::to_string(request_.prompts.size()) +
                     " prompts: watsonx takes one at a time: ask for each alone");
    begin();
    if (member("input")) json_.text(kChecks.text(request_.prompts.front(), {"the prompt"}));
    in_parameters_ = true;
    number("max_new_tokens", options_.max_tokens);
    number("temperature", options_.temperature);
    number("top_p", options_.top_p);
    number("top_k", options_.top_k);
    number("random_seed", options_.seed);
    if (options_.stop && member("stop_sequences")) texts(*options_.stop, "option stop");
    logprobs();
    if (!request_.tools.empty()) ignored("tools", "completions have none");
    if (request_.format) ignored("format", "completions have none");
    ignore(kUnknownToCompletions);
    return std::move(*this).finish(request_.stream ? "generation_stream" : "generation");
  }

  WrittenRequest embedding() && {
    if (request_.prompts.empty()) kChecks.refuse("no prompts");
    if (is_deployment()) kChecks.refuse("deployments give no embeddings");
    begin();
    if (member("inputs")) texts(request_.prompts, "prompt");
    in_parameters_ = true;
    for (const std::string_view name : names_of_set(options_))
      ignored(name, "embeddings have none");
    if (!request_.tools.empty()) ignored("tools", "embeddings have none");
    if (request_.format) ignored("format", "embeddings have none");
    return std::move(*this).finish("embeddings");
  }

 private:
  // Writes a key of the object that is being written, unless `extra` has it and so the last word.
  bool member(std::string_view name) {
    if (extra_ && extra_->contains(name)) return false;
    if (in_parameters_ && extra_parameters() && extra_parameters()->contains(name)) return false;
    key(name);
    return true;
  }

  void key(std::string_view name) {
    if (in_parameters_ && !std::exchange(has_parameters_, true)) parameters_.begin_object();
    now().key(name);
  }

  JsonWriter& now() { return in_parameters_ ? parameters_ : json_; }

  void ignored(std::string_view option, std::string_view why) {
    notices_.push_back(kChecks.ignored(option, why));
  }

  template <std::size_t N>
  void ignore(const std::array<Unknown, N>& unknown) {
    for (const std::string_view name : names_of_set(options_))
      for (const auto& [option, why] : unknown)
        if (name == option && !(name == "choices" && *options_.choices == 1)) ignored(name, why);
  }

  bool is_deployment() const { return request_.model.starts_with(kDeployment); }

  // Begins the object with the model, and who pays for it.
  void begin() {
    if (request_.model.empty()) kChecks.refuse("no model given");
    json_.begin_object();
    if (is_deployment()) return;
    if (member("model_id")) json_.text(kChecks.text(request_.model, {"the model's name"}));
    const std::string& project = watsonx_.project;
    const std::string& space = watsonx_.space;
    if (!project.empty() && !space.empty())
      kChecks.refuse("a project and a space: give one of them");
    if (!project.empty() && member("project_id"))
      json_.text(kChecks.text(project, {"the project"}));
    if (!space.empty() && member("space_id")) json_.text(kChecks.text(space, {"the space"}));
    const bool told = extra_ && (extra_->contains("project_id") || extra_->contains("space_id"));
    if (project.empty() && space.empty() && !told)
      kChecks.refuse("no project: set WATSONX_PROJECT_ID, or WATSONX_SPACE_ID");
  }

  void texts(const std::vector<std::string>& all, std::string_view name) {
    now().begin_array();
    for (std::size_t i = 0; i < all.size(); ++i) now().text(kChecks.text(all[i], {name, i + 1}));
    now().end_array();
  }

  void tools(std::string_view tools) {
    kChecks.tool_choice(request_);
    if (request_.tools.empty()) return;
    if (member("tools")) json_.raw(tools);
    const ToolChoice& choice = request_.tool_choice;
    if (choice.mode == ToolChoice::Mode::named) {
      if (!member("tool_choice")) return;
      json_.begin_object().key("type").text("function").key("function").begin_object();
      json_.key("name").text(choice.name).end_object().end_object();
    } else if (member("tool_choice_option")) {
      json_.text(choice.mode == ToolChoice::Mode::none       ? "none"
                 : choice.mode == ToolChoice::Mode::required ? "required"
                                                             : "auto");
    }
  }

  // Some models know levels, others a switch of the chat template.
  void think() {
    if (!options_.think) return;
    const std::string_view think = kChecks.text(*options_.think, {"option think"});
    const bool no = think == "off" || think == "none";
    if (member("include_reasoning")) json_.boolean(!no);
    if (no || think == "on")
      template_thinks(!no);
    else if (member("reasoning_effort"))
      json_.text(think == "minimal" ? "low" : think);
  }

  // Joined with the chat_template_kwargs of `extra`, unless that says something else altogether.
  void template_thinks(bool thinks) {
    nlohmann::json kwargs = {{"thinking", thinks}};
    if (extra_ && extra_->contains(kKwargs)) {
      const nlohmann::json& theirs = (*extra_)[kKwargs];
      if (!theirs.is_object()) return;
      kwargs.update(theirs);
    }
    json_.key(kKwargs).raw(Json(std::move(kwargs)).text());
    kwargs_written_ = true;
  }

  void logprobs() {
    const bool off = options_.logprobs && !*options_.logprobs;
    if (off || (!options_.logprobs && !options_.top_logprobs) || !member("return_options")) return;
    parameters_.begin_object().key("generated_tokens").boolean(true);
    parameters_.key("token_logprobs").boolean(true);
    if (options_.top_logprobs) parameters_.key("top_n_tokens").number(*options_.top_logprobs);
    parameters_.end_object();
  }

  void number(std::string_view name, const Option<double>& value) {
    if (value && member(name)) now().number(kChecks.number(*value, name));
  }
  void number(std::string_view name, const Option<std::int64_t>& value) {
    if (value && member(name)) now().number(*value);
  }

  // The member "parameters" of `extra`; null if there is none, or in a chat.
  const nlohmann::json* extra_parameters() const {
    if (!extra_ || request_.kind == Request::Kind::chat) return nullptr;
    const auto found = extra_->find("parameters");
    if (found == extra_->end()) return nullptr;
    if (!found->is_object()) kChecks.refuse("extra: parameters is not a JSON object");
    return &*found;
  }

  void extra() {
    if (!extra_) return;
    const nlohmann::json* const nested = extra_parameters();
    const bool is_chat = request_.kind == Request::Kind::chat;
    for (const auto& [name, value] : extra_->items()) {
      kChecks.text(name, {"extra"});
      if (&value == nested || (name == kKwargs && kwargs_written_)) continue;
      in_parameters_ = !is_chat && is_parameter(name);
      if (in_parameters_ && nested && nested->contains(name)) continue;
      key(name);
      now().raw(Json(value).text());
    }
    if (!nested) return;
    in_parameters_ = true;
    for (const auto& [name, value] : nested->items()) {
      key(kChecks.text(name, {"extra, parameters"}));
      parameters_.raw(Json(value).text());
    }
  }

  WrittenRequest finish(std::string_view what) && {
    extra();
    if (has_parameters_) json_.key("parameters").raw(std::move(parameters_.end_object()).take());
    json_.end_object();
    return {path(what), std::move(json_).take(), std::move(notices_)};
  }

  std::string path(std::string_view what) const {
    std::string path = "/ml/v1/";
    if (is_deployment()) path.append("deployments/").append(deployment()).append("/");
    return path.append("text/").append(what);
  }

  std::string_view deployment() const {
    const std::string_view id = std::string_view(request_.model).substr(kDeployment.size());
    const bool is_id = !id.empty() && id.find_first_not_of(
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                          "0123456789-_") == id.npos;
    if (!is_id) kChecks.refuse("not the id of a deployment: \"" + one_line(id, 60) + '"');
    return id;
  }

  static constexpr const char* kKwargs = "chat_template_kwargs";

  const Request& request_;
  const ModelOptions& options_;
  const WatsonxOptions& watsonx_;
  const nlohmann::json* extra_ = nullptr;  // null if there is none
  JsonWriter json_;
  JsonWriter parameters_;        // the object "parameters"
  bool in_parameters_ = false;   // that is being written
  bool has_parameters_ = false;  // it was begun
  bool kwargs_written_ = false;  // those of `extra` among them
  std::vector<Notice> notices_;
};

}  // namespace

WrittenRequest write_watsonx_request(const Request& request, const WatsonxOptions& options) {
  switch (request.kind) {
    case Request::Kind::chat: return RequestWriter(request, options).chat();
    case Request::Kind::completion: return RequestWriter(request, options).completion();
    case Request::Kind::embedding: break;
  }
  return RequestWriter(request, options).embedding();
}

}  // namespace mellea
