#include "mellea/backends/provider_error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "mellea/core/json.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using nlohmann::json;

// What an error body says, in whichever of the usual shapes.
struct Fault {
  std::string code{};  // a word: the code, or the type where there is none; a number at worst
  std::string type{};
  std::string message{};    // of a JSON body
  std::string text{};       // what to quote: the message, or a body that is no JSON
  std::string generated{};  // what the model wrote, where that was the fault
  std::string request_id{};
  int status = 0;  // some gateways put one into the body of a stream
  std::optional<std::chrono::milliseconds> wait{};  // until the model is loaded
};

const json& member(const json& object, const char* name) {
  static const json none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

// What is told in a text or a number. Some gateways write null as the text "None".
std::string word(const json& object, const char* name) {
  const json& value = member(object, name);
  if (value.is_number_integer()) return value.dump();
  if (!value.is_string() || value == "None" || value == "error") return {};
  return value.get<std::string>();
}

bool is_number(std::string_view word) {
  return word.find_first_not_of("0123456789") == std::string_view::npos;
}

// The first sentence in it: FastAPI's "detail" is a text, or an array of objects with a "msg".
std::string sentence(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array() && !value.empty()) return sentence(value.front());
  for (const char* name : {"message", "msg", "detail"})
    if (const json& inner = member(value, name); !inner.is_null()) return sentence(inner);
  return {};
}

// Where the fault is told: in {"error":{...}}, {"error":"..."}, {"errors":[{...}]} or right there.
const json& told_in(const json& outer) {
  for (const char* name : {"error", "errors"}) {
    const json& inner = member(outer, name);
    if (inner.is_array() && !inner.empty()) return inner.front();
    if (!inner.is_null()) return inner;
  }
  return outer;
}

// The best word for it: providers put the status where others have a code.
std::string code_in(const json& inner, const json& outer) {
  const json& metadata = member(inner, "metadata");
  const std::array<std::pair<const json*, const char*>, 6> places = {{{&inner, "code"},
                                                                      {&inner, "type"},
                                                                      {&metadata, "error_type"},
                                                                      {&outer, "type"},
                                                                      {&outer, "error_type"},
                                                                      {&inner, "status"}}};
  for (const auto& [object, name] : places)
    if (std::string code = word(*object, name); !is_number(code)) return code;
  return word(inner, "code");
}

int status_in(const json& inner, const json& outer) {
  for (const json* object : {&inner, &outer}) {
    for (const char* name : {"code", "status", "status_code", "http_status_code"}) {
      const std::string text = word(*object, name);
      int status = 0;
      std::from_chars(text.data(), text.data() + text.size(), status);
      if (is_number(text) && status >= 400 && status < 600) return status;
    }
  }
  return 0;
}

// Hugging Face's guess, in seconds.
std::optional<std::chrono::milliseconds> wait_in(const json& outer) {
  const json& time = member(outer, "estimated_time");
  if (!time.is_number()) return {};
  constexpr double kYear = 365.0 * 24 * 3600;
  return std::chrono::milliseconds(std::llround(std::clamp(time.get<double>(), 0.0, kYear) * 1000));
}

constexpr std::size_t kMaxDepth = 64;

// Not an object if it is no JSON, or nested too deep.
json parsed(const std::string& text) {
  return nests_deeper_than(text, kMaxDepth) ? json() : json::parse(text, nullptr, false);
}

Fault read_object(const json& outer);

// What IBM's services call what others call otherwise.
void read_ibm(const json& outer, Fault& fault) {
  if (fault.code.empty()) fault.code = word(outer, "errorCode");
  if (fault.message.empty()) fault.message = word(outer, "errorMessage");
  fault.request_id = word(outer, "trace");
  if (std::string id = word(member(outer, "context"), "requestId"); !id.empty())
    fault.request_id = std::move(id);
}

// A gateway hands on what the provider behind it said: as JSON, as a text with JSON, or as a text.
void add_upstream(const json& raw, Fault& fault) {
  const json told = raw.is_string() ? parsed(raw.get<std::string>()) : raw;
  Fault upstream;
  if (told.is_object())
    upstream = read_object(told);
  else if (raw.is_string())
    upstream.message = raw.get<std::string>();
  if (!upstream.message.empty())
    fault.message += (fault.message.empty() ? "" : ": ") + upstream.message;
  if (is_number(fault.code) && !upstream.code.empty()) fault.code = std::move(upstream.code);
  if (fault.type.empty()) fault.type = std::move(upstream.type);
}

Fault read_object(const json& outer) {
  const json& inner = told_in(outer);
  Fault fault{.code = code_in(inner, outer),
              .type = word(inner, "type"),
              .message = sentence(inner),
              .text{},
              .generated = word(inner, "failed_generation"),
              .status = status_in(inner, outer),
              .wait = wait_in(outer)};
  add_upstream(member(member(inner, "metadata"), "raw"), fault);
  read_ibm(outer, fault);
  return fault;
}

Fault read_fault(std::string_view body) {
  const std::string text = to_utf8(body);
  const json told = parsed(text);
  const json& first = told.is_array() && !told.empty() ? told.front() : told;
  Fault fault;
  if (first.is_object()) fault = read_object(first);
  fault.text = fault.message.empty() ? text : fault.message;
  return fault;
}

bool has(std::string_view text, std::string_view part) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [&](char a, char b) { return lower(a) == b; }) != text.end();
}

using Words = std::span<const std::string_view>;

bool is_one_of(const Fault& fault, Words words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view known) {
    return fault.code == known || fault.type == known;
  });
}

bool says_one_of(const Fault& fault, Words sentences) {
  return std::any_of(sentences.begin(), sentences.end(),
                     [&](std::string_view known) { return has(fault.message, known); });
}

constexpr auto kContextCodes = std::to_array<std::string_view>(
    {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"});
// In lower case, as all sentences here.
constexpr auto kContextSentences = std::to_array<std::string_view>({
    "maximum context length",                // OpenAI, vLLM, DeepSeek, OpenRouter
    "context length is only",                // vLLM since 0.16
    "maximum model length",                  // vLLM
    "exceeds the available context size",    // llama-server
    "too large to process",                  // llama-server, of embeddings
    "exceed context window",                 // llama-cpp-python
    "exceeded max context length",           // Ollama
    "exceeds the context length",            // Ollama, of embeddings
    "greater than the context length",       // LM Studio
    "when context the overflows",            // LM Studio
    "cannot truncate prompt with n_keep",    // LM Studio
    "context size has been exceeded",        // LM Studio
    "cannot exceed the total tokens limit",  // watsonx
    "`max_new_tokens` must be <=",           // TGI
    "`inputs` must have less than",          // TGI
    "prompt is too long",                    // Anthropic
    "exceed context limit",                  // Anthropic
    "maximum number of tokens allowed",      // Gemini
    "contextwindowexceedederror",            // LiteLLM
    "context window exceeded",               // LiteLLM
});
constexpr auto kContentCodes = std::to_array<std::string_view>(
    {"content_policy_violation", "content_filter", "ResponsibleAIPolicyViolation",
     "data_inspection_failed", "moderation_blocked"});
constexpr auto kContentSentences = std::to_array<std::string_view>({
    "content management policy",         // Azure
    "flagged as potentially violating",  // OpenAI
    "requires moderation",               // OpenRouter
    "content exists risk",               // DeepSeek
    "contentpolicyviolationerror",       // LiteLLM
});
constexpr auto kKeyCodes = std::to_array<std::string_view>(
    {"invalid_api_key", "authentication_error", "permission_error", "auth_error"});
constexpr auto kLimitCodes =
    std::to_array<std::string_view>({"rate_limit_exceeded", "rate_limit_error", "throttling_error",
                                     "capacity_exceeded", "overloaded"});
constexpr auto kCreditCodes = std::to_array<std::string_view>(
    {"insufficient_quota", "budget_exceeded", "billing_hard_limit_reached", "billing_not_active",
     "token_quota_reached"});
constexpr auto kRequestCodes =
    std::to_array<std::string_view>({"invalid_request_error", "validation"});
constexpr auto kMissingCodes =
    std::to_array<std::string_view>({"model_not_found", "not_found_error", "DeploymentNotFound"});
constexpr auto kMissingSentences = std::to_array<std::string_view>({
    "model manifest: file does not exist",  // Ollama
    "unexpected endpoint or method",        // LM Studio
});

Errc category_of_status(int status) {
  switch (status) {
    case 400:
    case 409:
    case 413:
    case 422:
    case 501: return Errc::invalid_request;
    case 401:
    case 403: return Errc::auth;
    case 404:
    case 405:
    case 410: return Errc::not_found;
    case 408: return Errc::timeout;
    case 402:
    case 429: return Errc::rate_limit;
    case 424: return Errc::server_error;  // TGI, TEI: in the middle of a generation
    default: return status >= 500 && status < 600 ? Errc::server_error : Errc::unknown;
  }
}

// Where there is no status.
Errc category_of_words(const Fault& fault) {
  if (is_one_of(fault, kKeyCodes)) return Errc::auth;
  if (is_one_of(fault, kMissingCodes) || says_one_of(fault, kMissingSentences))
    return Errc::not_found;
  return is_one_of(fault, kRequestCodes) ? Errc::invalid_request : Errc::server_error;
}

// The status decides, but where the provider's word is more exact.
Errc category(int status, const Fault& fault) {
  const bool of_caller = status == 0 || (status >= 400 && status < 500 && status != 429);
  if (of_caller && is_one_of(fault, kContextCodes)) return Errc::context_length;
  if ((of_caller || status == 500) && says_one_of(fault, kContextSentences))
    return Errc::context_length;
  if (of_caller && (is_one_of(fault, kContentCodes) || says_one_of(fault, kContentSentences)))
    return Errc::content_policy;
  // IBM's IAM, which says 400 to a key that it does not know.
  if (of_caller && fault.code.starts_with("BXNIM")) return Errc::auth;
  if (of_caller && (is_one_of(fault, kLimitCodes) || is_one_of(fault, kCreditCodes)))
    return Errc::rate_limit;
  return status == 0 ? category_of_words(fault) : category_of_status(status);
}

bool is_out_of_credit(int status, const Fault& fault) {
  return status == 402 || is_one_of(fault, kCreditCodes);
}

// More than a minute's limit in one request.
bool is_too_large(int status, const Fault& fault) {
  return status == 413 || has(fault.message, "request too large");
}

bool is_retryable(Errc code, int status, const Fault& fault) {
  if (code == Errc::rate_limit)
    return !is_out_of_credit(status, fault) && !is_too_large(status, fault);
  if (status == 424) return false;
  return code == Errc::server_error || code == Errc::timeout || status == 409;
}

std::string in_quotes(const std::string& text) {
  const std::string line = one_line(text);
  return line.empty() ? "" : ": \"" + line + "\"";
}

// A server without a sentence of its own knows not even the path.
std::string way_to_find(const Fault& fault, const RequestNames& names) {
  if (fault.message.empty() || names.missing_hint.empty())
    return ": check the model's name and the base URL";
  return ": is it there? (" + names.missing_hint + ')';
}

std::string way_to_ask(const Fault& fault) {
  if (!fault.generated.empty()) return ": the model wrote" + in_quotes(fault.generated);
  if (has(fault.message, "does not support tools"))
    return ": leave out the tools, or take a model that knows them";
  if (has(fault.message, "does not support thinking"))
    return ": leave out the option think, or take a model that thinks";
  return {};
}

std::string way_out(Errc code, int status, const Fault& fault, const RequestNames& names) {
  if (status >= 300 && status < 400)
    return ": redirects are not followed: give the base URL to which this one leads";
  switch (code) {
    case Errc::auth: return ": " + names.auth_hint;
    case Errc::invalid_request: return way_to_ask(fault);
    case Errc::not_found: return way_to_find(fault, names);
    case Errc::context_length: return ": send less, or take a model with a larger context";
    case Errc::rate_limit:
      if (is_out_of_credit(status, fault)) return ": the quota or the credit is used up";
      return is_too_large(status, fault) ? ": send less, or have the limit raised" : "";
    default: return {};
  }
}

}  // namespace

Error answer_error(const RequestNames& names, const FailedAnswer& answer) {
  Fault fault = read_fault(answer.body);
  const Errc code = category(answer.status, fault);
  std::string what = names.prefix() + std::to_string(answer.status) + ' ' +
                     std::string(to_string(code)) + in_quotes(fault.text);
  std::string id = answer.request_id.empty() ? std::move(fault.request_id) : answer.request_id;
  if (!id.empty()) what += " (request " + one_line(id, 80) + ')';
  what += way_out(code, answer.status, fault, names);
  const bool retryable = is_retryable(code, answer.status, fault);
  return Error(code, what,
               {.status = answer.status,
                .provider_code = std::move(fault.code),
                .provider_message = std::move(fault.message),
                .request_id = std::move(id),
                .retry_after = answer.retry_after ? answer.retry_after : fault.wait,
                .retryable = retryable});
}

Error stream_error(const RequestNames& names, std::string_view body, std::size_t chunks) {
  Fault fault = read_fault(body);
  const int status = fault.status;
  const Errc code = category(status, fault);
  std::string what = names.prefix() + "the server gave up";
  if (chunks > 0) what += " after " + std::to_string(chunks) + " chunks";
  what += ": " + std::string(to_string(code)) + in_quotes(fault.text);
  what += way_out(code, status, fault, names);
  if (chunks > 0) what += ": the text above is incomplete";
  const bool retryable = is_retryable(code, status, fault);
  return Error(code, what,
               {.provider_code = std::move(fault.code),
                .provider_message = std::move(fault.message),
                .request_id = std::move(fault.request_id),
                .retryable = retryable});
}

Error stream_cut(const RequestNames& names, std::size_t chunks) {
  return Error(Errc::transport_error,
               names.provider + ": stream ended without its end mark after " +
                   std::to_string(chunks) + " chunks" +
                   (chunks > 0 ? ": the text above is incomplete" : ""),
               {.retryable = true});
}

Error about(const RequestNames& names, const Error& error) {
  return Error(error.code(), names.prefix() + error.what(), error.details());
}

}  // namespace mellea
