#include "mellea/backends/ollama_request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/backends/json_writer.h"
#include "mellea/backends/request_checks.h"
#include "mellea/core/error.h"

namespace mellea {
namespace {

constexpr RequestChecks kChecks("ollama");

// The members of "options", those of older servers too. All others would be ignored there.
constexpr std::array<std::string_view, 31> kOptionNames = {
    "draft_num_predict",
    "f16_kv",
    "frequency_penalty",
    "logits_all",
    "low_vram",
    "main_gpu",
    "min_p",
    "mirostat",
    "mirostat_eta",
    "mirostat_tau",
    "num_batch",
    "num_ctx",
    "num_gpu",
    "num_keep",
    "num_predict",
    "num_thread",
    "numa",
    "penalize_newline",
    "presence_penalty",
    "repeat_last_n",
    "repeat_penalty",
    "seed",
    "stop",
    "temperature",
    "tfs_z",
    "top_k",
    "top_p",
    "typical_p",
    "use_mlock",
    "use_mmap",
    "vocab_only",
};

bool is_option(std::string_view name) {
  return std::find(kOptionNames.begin(), kOptionNames.end(), name) != kOptionNames.end();
}

class RequestWriter {
 public:
  explicit RequestWriter(const Request& request) : request_(request), options_(request.options) {
    kChecks.extra(options_);
    if (!options_.extra) return;
    extra_ = &*options_.extra;
    const auto found = extra_->find("options");
    if (found == extra_->end()) return;
    if (!found->is_object()) kChecks.refuse("extra: options is not a JSON object");
    extra_options_ = &*found;
  }

  WrittenRequest chat() && {
    if (request_.messages.empty()) kChecks.refuse("no messages");
    json_.begin_object();
    model();
    if (member("messages")) messages();
    tools();
    if (options_.parallel_tool_calls) ignored("parallel_tool_calls", "the model decides");
    logprobs();
    return std::move(*this).finish("/api/chat");
  }

  WrittenRequest completion(std::size_t prompt) && {
    json_.begin_object();
    model();
    if (member("prompt"))
      json_.text(kChecks.text(request_.prompts[prompt], {"prompt", prompt + 1}));
    if (member("raw")) json_.boolean(true);
    if (!request_.tools.empty()) ignored("tools", "completions have none");
    if (options_.parallel_tool_calls) ignored("parallel_tool_calls", "completions have no tools");
    logprobs();
    return std::move(*this).finish("/api/generate");
  }

  WrittenRequest embedding() && {
    if (request_.prompts.empty()) kChecks.refuse("no prompts");
    json_.begin_object();
    model();
    if (member("input")) prompts();
    number("num_ctx", options_.context_window);
    for (const std::string_view name : names_of_set(options_))
      if (name != "context_window") ignored(name, "embeddings have none");
    if (!request_.tools.empty()) ignored("tools", "embeddings have none");
    if (request_.format) ignored("format", "embeddings have none");
    return std::move(*this).close("/api/embed");
  }

 private:
  // Writes a key of the outermost object, unless `extra` has that key and so the last word.
  bool member(std::string_view name) {
    if (extra_ && extra_->contains(name)) return false;
    json_.key(name);
    return true;
  }

  // The same for a key of "options".
  bool option(std::string_view name) {
    if (extra_ && extra_->contains(name)) return false;
    if (extra_options_ && extra_options_->contains(name)) return false;
    option_key(name);
    return true;
  }

  void option_key(std::string_view name) {
    if (!std::exchange(has_options_, true)) options_json_.begin_object();
    options_json_.key(name);
  }

  void ignored(std::string_view option, std::string_view why) {
    notices_.push_back(kChecks.ignored(option, why));
  }

  void model() {
    if (request_.model.empty()) kChecks.refuse("no model given");
    if (member("model")) json_.text(kChecks.text(request_.model, {"the model's name"}));
  }

  void logprobs() {
    if (options_.logprobs && member("logprobs")) json_.boolean(*options_.logprobs);
    if (options_.top_logprobs && member("top_logprobs")) json_.number(*options_.top_logprobs);
  }

  void prompts() {
    json_.begin_array();
    for (std::size_t i = 0; i < request_.prompts.size(); ++i)
      json_.text(kChecks.text(request_.prompts[i], {"prompt", i + 1}));
    json_.end_array();
  }

  void messages() {
    json_.begin_array();
    for (std::size_t i = 0; i < request_.messages.size(); ++i) message(i);
    json_.end_array();
  }

  void message(std::size_t at) {
    const Message& message = request_.messages[at];
    const std::size_t number = at + 1;
    json_.begin_object().key("role").text(to_string(message.role)).key("content");
    json_.text(kChecks.text(message.text, {"message", number, to_string(message.role)}));
    if (!message.audio.empty())
      kChecks.refuse(Part{"message", number, "audio"}.text() + ": Ollama takes no sound");
    if (!message.images.empty()) images(message, {"message", number, "image"});
    if (!message.tool_calls.empty()) {
      if (!message.thinking.empty())
        json_.key("thinking").text(kChecks.text(message.thinking, {"message", number, "thinking"}));
      tool_calls(message, {"message", number, "tool call"});
    }
    if (message.role == Message::Role::tool) {
      const std::string_view name = kChecks.text(tool_name(at), {"message", number, "name"});
      const std::string_view id = kChecks.text(message.tool_call_id, {"message", number, "id"});
      if (!name.empty()) json_.key("tool_name").text(name);
      if (!id.empty()) json_.key("tool_call_id").text(id);
    }
    json_.end_object();
  }

  // Chat templates go by the name; the message may have none, but the id of an earlier call.
  std::string_view tool_name(std::size_t at) const {
    const Message& message = request_.messages[at];
    if (!message.tool_name.empty() || message.tool_call_id.empty()) return message.tool_name;
    while (at-- > 0)
      for (const ToolCall& call : request_.messages[at].tool_calls)
        if (call.id == message.tool_call_id) return call.name;
    return {};
  }

  void images(const Message& message, const Part& part) {
    json_.key("images").begin_array();
    for (const Image& image : message.images) {
      json_.text(base64_of(image, part));
      if (!image.detail.empty() && !std::exchange(told_of_detail_, true))
        ignored("detail", "Ollama sees an image as it is");
    }
    json_.end_array();
  }

  static std::string_view base64_of(const Image& image, const Part& part) {
    const std::string_view url = kChecks.text(image.url, part);
    if (!url.starts_with("data:"))
      kChecks.refuse(part.text() +
                     ": Ollama fetches no images: fetch it first, and send a data URL");
    const auto comma = url.find(',');
    if (comma == url.npos || !url.substr(0, comma).ends_with(";base64"))
      kChecks.refuse(part.text() + ": the data URL is not base64");
    return url.substr(comma + 1);
  }

  void tool_calls(const Message& message, const Part& part) {
    json_.key("tool_calls").begin_array();
    std::int64_t index = 0;
    for (const ToolCall& call : message.tool_calls) {
      json_.begin_object();
      if (!call.id.empty()) json_.key("id").text(kChecks.text(call.id, part));
      json_.key("function").begin_object().key("index").number(index++);
      json_.key("name").text(kChecks.text(call.name, part));
      json_.key("arguments").raw(arguments_of(call, part)).end_object().end_object();
    }
    json_.end_array();
  }

  // As the model wrote them, if that is what Ollama takes.
  static std::string_view arguments_of(const ToolCall& call, const Part& part) {
    if (call.arguments.empty()) return "{}";
    const std::string what = "ollama: " + part.text() + ": the arguments of " + call.name;
    if (!Json::parse(call.arguments, what)->is_object())
      throw Error(Errc::invalid_request, what + " are no JSON object");
    return call.arguments;
  }

  void tools() {
    kChecks.tool_choice(request_);
    const auto mode = request_.tool_choice.mode;
    if (mode == ToolChoice::Mode::required || mode == ToolChoice::Mode::named)
      ignored("tool_choice", "with Ollama the model chooses");
    // Without tools the model can call none.
    if (request_.tools.empty() || mode == ToolChoice::Mode::none || !member("tools")) return;
    json_.begin_array();
    for (std::size_t i = 0; i < request_.tools.size(); ++i)
      tool(request_.tools[i], {"tool", i + 1});
    json_.end_array();
  }

  void tool(const ToolSpec& tool, const Part& part) {
    json_.begin_object().key("type").text("function").key("function").begin_object();
    json_.key("name").text(kChecks.text(tool.name, part));
    json_.key("description").text(kChecks.text(tool.description, part));
    json_.key("parameters");
    if (tool.parameters)
      json_.raw(tool.parameters.text());
    else  // chat templates walk over the properties
      json_.raw(R"({"type":"object","properties":{}})");
    json_.end_object().end_object();
  }

  void format() {
    if (!request_.format || !member("format")) return;
    if (request_.format->schema)
      json_.raw(request_.format->schema.text());
    else
      json_.text("json");
  }

  void think() {
    if (!options_.think || !member("think")) return;
    const std::string_view think = kChecks.text(*options_.think, {"option think"});
    if (think == "on")
      json_.boolean(true);
    else if (think == "off" || think == "none")
      json_.boolean(false);
    else
      json_.text(think == "minimal" ? "low" : think);
  }

  void sampling() {
    number("temperature", options_.temperature);
    number("top_p", options_.top_p);
    number("top_k", options_.top_k);
    number("min_p", options_.min_p);
    number("frequency_penalty", options_.frequency_penalty);
    number("presence_penalty", options_.presence_penalty);
    number("seed", options_.seed);
    number("num_predict", options_.max_tokens);
    number("num_ctx", options_.context_window);
    if (options_.stop && option("stop")) {
      options_json_.begin_array();
      for (const std::string& stop : *options_.stop)
        options_json_.text(kChecks.text(stop, {"option stop"}));
      options_json_.end_array();
    }
    if (options_.choices && *options_.choices != 1) ignored("choices", "Ollama gives one answer");
    if (options_.user) ignored("user", "Ollama knows none");
    if (options_.service_tier) ignored("service_tier", "Ollama has none");
  }

  void number(std::string_view name, const Option<double>& value) {
    if (value && option(name)) options_json_.number(kChecks.number(*value, name));
  }
  void number(std::string_view name, const Option<std::int64_t>& value) {
    if (value && option(name)) options_json_.number(*value);
  }

  // What `extra` has for the outermost object is written, what it has for "options" kept.
  void extra() {
    if (!extra_) return;
    for (const auto& [name, value] : extra_->items()) {
      kChecks.text(name, {"extra"});
      if (name == "options") continue;
      if (!is_option(name)) {
        json_.key(name).raw(Json(value).text());
      } else if (!extra_options_ || !extra_options_->contains(name)) {
        option_key(name);
        options_json_.raw(Json(value).text());
      }
    }
    if (!extra_options_) return;
    for (const auto& [name, value] : extra_options_->items()) {
      option_key(kChecks.text(name, {"extra, options"}));
      options_json_.raw(Json(value).text());
    }
  }

  WrittenRequest finish(std::string path) && {
    format();
    think();
    if (member("stream")) json_.boolean(request_.stream);  // Ollama streams unless told not to
    sampling();
    return std::move(*this).close(std::move(path));
  }

  WrittenRequest close(std::string path) && {
    extra();
    if (has_options_) json_.key("options").raw(std::move(options_json_.end_object()).take());
    json_.end_object();
    return {std::move(path), std::move(json_).take(), std::move(notices_)};
  }

  const Request& request_;
  const ModelOptions& options_;
  const nlohmann::json* extra_ = nullptr;          // null if there is none
  const nlohmann::json* extra_options_ = nullptr;  // its member "options"; null if there is none
  JsonWriter json_;
  JsonWriter options_json_;   // the object "options"
  bool has_options_ = false;  // it was begun
  bool told_of_detail_ = false;
  std::vector<Notice> notices_;
};

WrittenBatch batch_of(WrittenRequest one) {
  WrittenBatch batch{.path = std::move(one.path), .notices = std::move(one.notices)};
  batch.bodies.push_back(std::move(one.body));
  return batch;
}

}  // namespace

WrittenBatch write_ollama_request(const Request& request) {
  switch (request.kind) {
    case Request::Kind::chat: return batch_of(RequestWriter(request).chat());
    case Request::Kind::embedding: return batch_of(RequestWriter(request).embedding());
    case Request::Kind::completion: break;
  }
  if (request.prompts.empty()) kChecks.refuse("no prompts");
  WrittenBatch batch = batch_of(RequestWriter(request).completion(0));  // all have its notices
  for (std::size_t i = 1; i < request.prompts.size(); ++i)
    batch.bodies.push_back(RequestWriter(request).completion(i).body);
  return batch;
}

}  // namespace mellea
