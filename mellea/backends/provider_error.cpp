#include "mellea/backends/provider_error.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "mellea/core/json.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using nlohmann::json;

// What an error body says, in whichever of the usual shapes.
struct Fault {
  std::string code{};  // or the type, where there is no code
  std::string type{};
  std::string message{};  // of a JSON body
  std::string text{};     // what to quote: the message, or a body that is no JSON
  int status = 0;         // some gateways put one into the body of a stream
  std::string request_id{};
};

std::string word(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  return found->is_number_integer() ? found->dump() : std::string();
}

// The first sentence in it: FastAPI's "detail" is a text, or an array of objects with a "msg".
std::string sentence(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array() && !value.empty()) return sentence(value.front());
  if (value.is_object())
    for (const char* name : {"message", "msg", "detail"})
      if (const auto found = value.find(name); found != value.end() && !found->is_null())
        return sentence(*found);
  return {};
}

// What IBM's services call what others call otherwise.
void read_ibm(const json& outer, Fault& fault) {
  if (fault.code.empty()) fault.code = word(outer, "errorCode");
  if (fault.message.empty()) fault.message = word(outer, "errorMessage");
  fault.request_id = word(outer, "trace");
  if (const auto context = outer.find("context"); context != outer.end() && context->is_object())
    fault.request_id = word(*context, "requestId");
  if (const auto status = outer.find("status_code");
      fault.status == 0 && status != outer.end() && status->is_number_integer())
    fault.status = std::clamp(status->get<int>(), 0, 999);
}

Fault read_object(const json& outer) {
  const auto found = outer.find("error");
  const bool nested = found != outer.end() && !found->is_null();
  const auto several = outer.find("errors");
  const bool listed = several != outer.end() && several->is_array() && !several->empty() &&
                      several->front().is_object();
  const json& inner = nested && found->is_object() ? *found : listed ? several->front() : outer;
  Fault fault{.code = word(inner, "code"), .type = word(inner, "type")};
  for (const char* name : {"code", "status"})
    if (const auto number = inner.find(name);
        number != inner.end() && number->is_number_integer() && fault.status == 0)
      fault.status = std::clamp(number->get<int>(), 0, 999);
  fault.message = nested && found->is_string() ? found->get<std::string>() : sentence(inner);
  if (fault.code.empty()) fault.code = fault.type;
  if (fault.code.empty()) fault.code = word(inner, "error_type");
  read_ibm(outer, fault);
  return fault;
}

Fault read_fault(std::string_view body) {
  constexpr std::size_t kMaxDepth = 64;
  const std::string text = to_utf8(body);
  json parsed(json::value_t::discarded);
  if (!nests_deeper_than(text, kMaxDepth)) parsed = json::parse(text, nullptr, false);
  if (parsed.is_array() && !parsed.empty()) parsed = json(parsed.front());
  Fault fault;
  if (parsed.is_object()) fault = read_object(parsed);
  fault.text = fault.message.empty() ? text : fault.message;
  return fault;
}

bool has(std::string_view text, std::string_view part) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [&](char a, char b) { return lower(a) == b; }) != text.end();
}

template <std::size_t N>
bool is_one_of(const Fault& fault, const std::array<std::string_view, N>& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view known) {
    return fault.code == known || fault.type == known;
  });
}

constexpr std::array<std::string_view, 3> kContextCodes = {
    "context_length_exceeded", "exceed_context_size_error", "string_above_max_length"};
constexpr std::array<std::string_view, 3> kContentCodes = {
    "content_policy_violation", "content_filter", "ResponsibleAIPolicyViolation"};
constexpr std::array<std::string_view, 3> kKeyCodes = {"invalid_api_key", "authentication_error",
                                                       "permission_error"};
constexpr std::array<std::string_view, 3> kLimitCodes = {"rate_limit_exceeded", "rate_limit_error",
                                                         "insufficient_quota"};
// How vLLM, llama-server, TGI, Ollama and the gateways before them say it, in lower case.
constexpr std::array<std::string_view, 5> kContextSentences = {
    "maximum context length", "exceeds the available context size", "exceed context window",
    "prompt is too long", "exceeded max context length"};

bool is_about_context(const Fault& fault) {
  return is_one_of(fault, kContextCodes) ||
         std::any_of(kContextSentences.begin(), kContextSentences.end(),
                     [&](std::string_view known) { return has(fault.message, known); });
}

Errc category_of_status(int status) {
  switch (status) {
    case 400:
    case 409:
    case 413:
    case 422: return Errc::invalid_request;
    case 401:
    case 403: return Errc::auth;
    case 404: return Errc::not_found;
    case 408: return Errc::timeout;
    case 429: return Errc::rate_limit;
    default: return status >= 500 && status < 600 ? Errc::server_error : Errc::unknown;
  }
}

// The status decides, but where the provider's word is more exact.
Errc category(int status, const Fault& fault) {
  const bool may_be_exact = status == 0 || (status >= 400 && status < 500 && status != 429);
  if (may_be_exact && is_about_context(fault)) return Errc::context_length;
  if (may_be_exact && is_one_of(fault, kContentCodes)) return Errc::content_policy;
  // IBM's IAM, which says 400 to a key that it does not know.
  if (may_be_exact && fault.code.starts_with("BXNIM")) return Errc::auth;
  if (status != 0) return category_of_status(status);
  if (is_one_of(fault, kKeyCodes)) return Errc::auth;
  if (is_one_of(fault, kLimitCodes)) return Errc::rate_limit;
  return fault.code == "invalid_request_error" ? Errc::invalid_request : Errc::server_error;
}

bool is_retryable(Errc code, int status, const Fault& fault) {
  if (code == Errc::rate_limit)
    return fault.code != "insufficient_quota" && fault.type != "insufficient_quota";
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
                .retry_after = answer.retry_after,
                .retryable = retryable});
}

Error stream_error(const RequestNames& names, std::string_view body, std::size_t chunks) {
  Fault fault = read_fault(body);
  const int status = fault.status >= 400 && fault.status < 600 ? fault.status : 0;
  const Errc code = category(status, fault);
  std::string what = names.prefix() + "the server gave up";
  if (chunks > 0) what += " after " + std::to_string(chunks) + " chunks";
  what += ": " + std::string(to_string(code)) + in_quotes(fault.text);
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
