#include "mellea/backends/logprobs.h"

#include <nlohmann/json.hpp>

#include "mellea/core/text.h"

namespace mellea {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 16;

const json& member(const json& object, const char* name) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

// False if it is not there or is no number: the first token of a prompt has none.
bool read(const json& number, double& value) {
  if (!number.is_number()) return false;
  value = number.get<double>();
  return true;
}

// [{"token": "A", "logprob": -0.1, "top_logprobs": [{"token": ...}, ...]}, ...]
void read_chat(const json& content, Logprobs& out) {
  for (const json& told : content) {
    TokenLogprob token;
    const json& text = member(told, "token");
    if (!text.is_string() || !read(member(told, "logprob"), token.logprob)) continue;
    token.token = text.get<std::string>();
    for (const json& other : member(told, "top_logprobs")) {
      TokenLogprob::Alternative one;
      const json& name = member(other, "token");
      if (!name.is_string() || !read(member(other, "logprob"), one.logprob)) continue;
      one.token = name.get<std::string>();
      token.top.push_back(std::move(one));
    }
    out.tokens.push_back(std::move(token));
  }
}

// {"tokens": ["A", ...], "token_logprobs": [-0.1, ...], "top_logprobs": [{"A": -0.1, ...}, ...]}
void read_completion(const json& all, Logprobs& out) {
  const json& tokens = member(all, "tokens");
  const json& logprobs = member(all, "token_logprobs");
  const json& tops = member(all, "top_logprobs");
  if (!tokens.is_array() || !logprobs.is_array()) return;
  for (std::size_t i = 0; i < tokens.size() && i < logprobs.size(); ++i) {
    TokenLogprob token;
    if (!tokens[i].is_string() || !read(logprobs[i], token.logprob)) continue;
    token.token = tokens[i].get<std::string>();
    if (tops.is_array() && i < tops.size() && tops[i].is_object())
      for (const auto& [name, logprob] : tops[i].items())
        if (TokenLogprob::Alternative one{.token = name}; read(logprob, one.logprob))
          token.top.push_back(std::move(one));
    out.tokens.push_back(std::move(token));
  }
}

}  // namespace

Logprobs read_logprobs(std::string_view text) {
  Logprobs logprobs;
  if (nests_deeper_than(text, kMaxDepth)) return logprobs;
  const json all = json::parse(to_utf8(text), nullptr, /*allow_exceptions=*/false);
  if (all.is_array())
    read_chat(all, logprobs);
  else if (const json& content = member(all, "content"); content.is_array())
    read_chat(content, logprobs);
  else
    read_completion(all, logprobs);
  return logprobs;
}

}  // namespace mellea
