// A language model of three megabytes that knows one sentence: for the demo, without a download.
#pragma once

#include <filesystem>
#include <string_view>

namespace mellea::cli {

// What it says whatever it is asked, where it is free to.
inline constexpr std::string_view kTinySentence = "The sea does not fit into so small a model.";

// Writes it as a GGUF file, of the architecture "llama". Throws std::runtime_error if that fails.
void write_tiny_model(const std::filesystem::path& file);

}  // namespace mellea::cli
