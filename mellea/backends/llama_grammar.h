// The grammar of the answers that a JSON schema allows, as libllama reads it (GBNF). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mellea/core/json.h"

namespace mellea {

struct LlamaGrammar {
  std::string text{};  // its root is "root"
  // Keywords of the schema that the grammar does not force, each once, in order: whoever reads the
  // answer has to check them.
  std::vector<std::string> not_forced{};
};

// Takes the part of JSON schema that Schema takes. No document: any JSON object. Members come in
// the order of their names, and only those that the schema names, unless it says that others are
// allowed; white space is bounded, so that a model does not lose itself in it. Throws Error
// (Errc::invalid_request) that names what no grammar can say.
LlamaGrammar llama_grammar(const Json& schema);

// The grammar of a call of one of the tools, as models write it between <tool_call> marks. `tools`
// are the schemas of their arguments, by name.
struct LlamaTool {
  std::string name{};
  Json parameters{};  // no document: none
};
LlamaGrammar llama_tool_grammar(const std::vector<LlamaTool>& tools);

}  // namespace mellea
