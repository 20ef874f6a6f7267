#include "mellea/telemetry/content.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/json.h"
#include "mellea/core/text.h"
#include "mellea/telemetry/bounded_json.h"
#include "mellea/telemetry/tool_arguments.h"

namespace mellea::telemetry {
namespace {

std::string cut(std::string text, std::size_t most) {
  const std::size_t kept = first_code_points(text, most).size();
  if (kept == text.size()) return text;
  text.resize(kept);
  return text.append("...");
}

// A number or a word alone is rather a text.
bool is_structure(std::string_view text) {
  try {
    return Json::parse(text)->is_structured();
  } catch (const Error&) {
    return false;
  }
}

// In bytes, of what base64 stands for.
std::size_t decoded_size(std::string_view base64) {
  const std::size_t last = base64.find_last_not_of('=');
  return last == std::string_view::npos ? 0 : (last + 1) * 3 / 4;
}

// The conventions have a word of their own for this one.
std::string_view finish_word(std::string_view reason) {
  return reason == "tool_calls" ? "tool_call" : reason;
}

std::string_view ended_word(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok: return "unknown";
    case Outcome::cancelled: return "cancelled";
    default: return "error";
  }
}

// Writes messages in the shape of the conventions' schemas.
class Messages {
 public:
  Messages(const Content& content, const ContentOptions& options,
           BoundedJson::Dropped dropped = BoundedJson::Dropped::last)
      : content_(content), options_(options), json_({.dropped = dropped}) {}

  void add(const Message& message) {
    begin(to_string(message.role));
    if (!message.thinking.empty()) said("reasoning", message.thinking);
    if (message.role == Message::Role::tool)
      response(message);
    else if (!message.text.empty())
      said("text", message.text);
    for (const Image& image : message.images) add(image);
    for (const Audio& audio : message.audio) add(audio);
    for (const ToolCall& call : message.tool_calls) add(call);
    json_.structure("]}");
  }

  // Of a Reply or one of its other choices.
  template <class Said>
  void add_answer(const Said& answer, std::string_view reason) {
    begin("assistant");
    if (!answer.thinking.empty()) said("reasoning", answer.thinking);
    if (!answer.text.empty()) said("text", answer.text);
    if (!answer.refusal.empty()) said("refusal", answer.refusal);
    for (const ToolCall& call : answer.tool_calls) add(call);
    json_.structure(R"(],"finish_reason":)");
    whole(reason);
    json_.structure("}");
  }

  void add_text(std::string_view role, std::string_view text, std::string_view reason = {}) {
    begin(role);
    said("text", text);
    json_.structure("]");
    if (!reason.empty()) {
      json_.structure(R"(,"finish_reason":)");
      whole(reason);
    }
    json_.structure("}");
  }

  void add_instruction(std::string_view text) {
    json_.begin_element();
    first_ = true;
    said("text", text);
  }

  void add_tool(const ToolSpec& tool) {
    json_.begin_element();
    json_.structure(R"({"type":"function","name":)");
    whole(tool.name);
    json_.structure("}");
  }

  void set(SpanRecord& record, Fact fact) const {
    if (!json_.empty()) record.set(fact, json_.str(options_.attribute));
  }

 private:
  void begin(std::string_view role) {
    json_.begin_element();
    json_.structure(R"({"role":")");
    json_.structure(role);
    json_.structure(R"(","parts":[)");
    first_ = true;
  }

  void part(std::string_view begin) {
    if (!std::exchange(first_, false)) json_.structure(",");
    json_.structure(begin);
  }

  void said(std::string_view type, std::string_view text) {
    part(R"({"type":")");
    json_.structure(type);
    json_.structure(R"(","content":)");
    spoken(text);
    json_.structure("}");
  }

  void spoken(std::string_view text) { json_.text(content_.text(text, options_.text)); }
  // What was not said, as ids are not.
  void whole(std::string_view text) { json_.text(to_utf8(text)); }
  // Structure as what it says, if it is short enough; else a text.
  void any(std::string_view text) {
    std::string shown = content_.redacted(text);
    if (code_points(shown) <= options_.text && is_structure(shown))
      json_.value(std::move(shown));
    else
      json_.text(cut(std::move(shown), options_.text));
  }

  void id(std::string_view id) {
    if (id.empty()) return;
    json_.structure(R"("id":)");
    whole(id);
    json_.structure(",");
  }

  void add(const ToolCall& call) {
    part(R"({"type":"tool_call",)");
    id(call.id);
    json_.structure(R"("name":)");
    spoken(call.name);  // a model may have made it up
    if (!call.arguments.empty()) {
      json_.structure(R"(,"arguments":)");
      any(call.arguments);
    }
    json_.structure("}");
  }

  void response(const Message& message) {
    part(R"({"type":"tool_call_response",)");
    id(message.tool_call_id);
    json_.structure(R"("response":)");
    any(message.text);
    json_.structure("}");
  }

  // A link is shown as it is; of what came along, only what it is and how large.
  void add(const Image& image) {
    std::string_view url = image.url;
    if (!url.starts_with("data:")) {
      part(R"({"type":"uri","modality":"image","uri":)");
      spoken(url);
      return json_.structure("}");
    }
    url.remove_prefix(5);
    const std::size_t comma = std::min(url.find(','), url.size());
    media("image", url.substr(0, std::min(url.find(';'), comma)),
          decoded_size(url.substr(std::min(comma + 1, url.size()))));
  }
  void add(const Audio& audio) {
    media("audio", "audio/" + audio.format, decoded_size(audio.data));
  }
  void media(std::string_view modality, std::string_view type, std::size_t bytes) {
    part(R"({"type":"media","modality":")");
    json_.structure(modality);
    json_.structure(R"(","mime_type":)");
    spoken(type);
    json_.structure(R"(,"byte_size":)" + std::to_string(bytes) + "}");
  }

  const Content& content_;
  const ContentOptions& options_;
  BoundedJson json_;
  bool first_ = true;  // no part of this message was written yet
};

bool is_empty(const auto& answer) {
  return answer.text.empty() && answer.thinking.empty() && answer.refusal.empty() &&
         answer.tool_calls.empty();
}

}  // namespace

Content::Content(ContentOptions options, std::shared_ptr<Warnings> warnings)
    : options_(std::move(options)), warnings_(std::move(warnings)) {}

std::string Content::redacted(std::string_view text) const {
  if (!options_.redact) return to_utf8(text);
  try {
    return to_utf8(options_.redact(text));
  } catch (...) {  // NOLINT: whatever it throws, and whatever that says
    if (warnings_ && !warned_.exchange(true))
      warnings_->add("the redactor threw: what it was given is withheld");
    return std::string(kWithheld);
  }
}

std::string Content::text(std::string_view said, std::size_t most) const {
  return cut(redacted(said), most);
}

void Content::set_request(SpanRecord& record, const Request& request) const {
  Messages instructions(*this, options_);
  // What was said last matters most.
  Messages input(*this, options_, BoundedJson::Dropped::first);
  auto message = request.messages.begin();
  for (; message != request.messages.end() && message->role == Message::Role::system; ++message)
    instructions.add_instruction(message->text);
  for (; message != request.messages.end(); ++message) input.add(*message);
  for (const std::string& prompt : request.prompts) input.add_text("user", prompt);
  Messages tools(*this, options_);
  for (const ToolSpec& tool : request.tools) tools.add_tool(tool);
  instructions.set(record, Fact::system_instructions);
  input.set(record, Fact::input_messages);
  tools.set(record, Fact::tool_definitions);
}

void Content::set_prompt(SpanRecord& record, const Prompt& prompt) const {
  record.set(Fact::prompt_template, text(prompt.text, options_.text));
  if (prompt.variables.empty()) return;
  BoundedJson variables({.begin = "{", .end = "}"});
  for (const auto& [name, value] : prompt.variables) {
    std::string key;
    append_quoted(key, to_utf8(name), false);
    variables.begin_element();
    variables.structure(key.append(":"));
    variables.text(text(value, options_.text));
  }
  record.set(Fact::prompt_variables, variables.str(options_.attribute));
}

void Content::set_replies(SpanRecord& record, std::span<const Reply> replies,
                          Outcome outcome) const {
  Messages output(*this, options_);
  const auto reason = [&](std::string_view known) {
    return known.empty() ? ended_word(outcome) : finish_word(known);
  };
  for (const Reply& reply : replies) {
    if (is_empty(reply) && reply.alternatives.empty()) continue;
    output.add_answer(reply, reason(reply.finish_reasons.empty() ? std::string_view()
                                                                 : reply.finish_reasons.front()));
    for (const Choice& choice : reply.alternatives)
      output.add_answer(choice, reason(choice.finish_reason));
  }
  output.set(record, Fact::output_messages);
}

void Content::set_response(SpanRecord& record, std::string_view said) const {
  if (!said.empty()) record.set(Fact::action_response, text(said));
}

void Content::set_arguments(SpanRecord& record, std::string_view written) const {
  if (written.empty()) return;
  std::string shown = redacted(written);
  std::string json = canonical_json(shown, kShort);
  record.set(Fact::tool_call_arguments, json.empty() ? cut(std::move(shown), kShort) : json);
}

void Content::set_result(SpanRecord& record, std::string_view output) const {
  if (output.empty()) return;
  std::string shown = redacted(output);
  std::string json = code_points(shown) > kShort ? canonical_json(shown, kShort) : std::string();
  record.set(Fact::tool_call_result, json.empty() ? cut(std::move(shown), kShort) : json);
}

void Content::set_reasons(SpanRecord& record, const std::vector<Checked>& checks) const {
  std::vector<std::string> reasons;
  for (const Checked& checked : checks)
    if (!checked.result.passed && !checked.result.reason.empty())
      reasons.push_back(text(checked.result.reason));
  if (!reasons.empty()) record.set(Fact::failure_reasons, reasons);
}

void Content::set_goal(SpanRecord& record, std::string_view goal) const {
  Messages input(*this, options_);
  input.add_text("user", goal);
  input.set(record, Fact::input_messages);
}

void Content::set_answer(SpanRecord& record, std::string_view answer) const {
  Messages output(*this, options_);
  output.add_text("assistant", answer, "stop");
  output.set(record, Fact::output_messages);
}

}  // namespace mellea::telemetry
