// A model that was loaded into this process: as much of libllama as is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mellea/backends/llama_prompt.h"

namespace mellea {

struct LlamaSampling {
  double temperature = 0.8;  // 0: the likeliest token
  std::int64_t top_k = 40;
  double top_p = 0.95;
  double min_p = 0.05;
  double frequency_penalty = 0;
  double presence_penalty = 0;
  std::uint32_t seed = 0;
  std::string grammar{};  // GBNF; empty: none
};

// Used by one thread, the one that loaded it. `cancelled` is asked now and then; where it is so,
// Error (Errc::cancelled) is thrown.
class LlamaModel {
 public:
  using Token = std::int32_t;
  using Cancelled = std::function<bool()>;

  virtual ~LlamaModel() = default;

  // Tokens that a prompt and its answer may have together.
  virtual std::size_t context() const = 0;
  // By the model's chat template, up to where the answer begins. Throws Error if libllama does not
  // know it.
  virtual std::string prompt_of(const std::vector<LlamaTurn>& turns) = 0;
  virtual std::vector<Token> tokens_of(const std::string& text) = 0;
  // Reads a prompt, which is not empty and shorter than the context. Returns how many of its tokens
  // were known from the prompt before.
  virtual std::size_t read(const std::vector<Token>& prompt, const LlamaSampling& sampling,
                           const Cancelled& cancelled) = 0;
  // The bytes of the next token after what was read; nothing where the model ends its answer.
  virtual std::optional<std::string> next(const Cancelled& cancelled) = 0;
  // Of length one.
  virtual std::vector<float> embed(const std::vector<Token>& text, const Cancelled& cancelled) = 0;
};

// May take long.
using LoadLlamaModel =
    std::function<std::unique_ptr<LlamaModel>(const LlamaModel::Cancelled& cancelled)>;

}  // namespace mellea
