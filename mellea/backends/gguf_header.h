// What a GGUF file says of the model in it, told by its header alone: the weights are not read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <optional>
#include <string>

namespace mellea {

struct GgufHeader {
  int version = 0;                               // of the format: 2 or 3
  std::string architecture{};                    // "llama", "qwen3", "bert"
  std::string name{};                            // for people; may be empty
  std::string chat_template{};                   // Jinja; empty: the model has none
  std::optional<std::int64_t> context_length{};  // tokens that it was trained for
  std::optional<std::int64_t> pooling{};  // of an embedding model: how it makes one vector of many
  std::uint64_t parts = 1;                // files that the model was split into
};

// Reads from the beginning of `file`, which is called `name` in messages. Reads no more than the
// header, and keeps no more of it than is told. Throws Error (Errc::invalid_request) for what is no
// such file, is cut short, or is not the first part of a model.
GgufHeader read_gguf_header(std::istream& file, const std::string& name);

// The same of a file. Throws Error; Errc::not_found if it can't be read.
GgufHeader read_gguf_header(const std::filesystem::path& file);

}  // namespace mellea
