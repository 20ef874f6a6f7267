// The folder that Hugging Face's tools download into, which is looked into and never written to.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mellea {

// "org/repo", "org/repo:Q4_K_M" or "org/repo:folder/model.gguf".
struct HubModel {
  std::string repository{};  // "org/repo"
  std::string which{};       // a file of it, or a quantisation; empty: its only model

  // Nothing if `text` is not of that form: what it names is never outside of the cache.
  static std::optional<HubModel> parse(std::string_view text);
};

// The file meant, of the revision "main", or of the only one there is. Of a model in parts it is
// the first. Throws Error: Errc::not_found with the command that downloads it,
// Errc::invalid_request with what there is if it could be several.
std::filesystem::path find_in_hub_cache(const std::filesystem::path& cache, const HubModel& model);

// All GGUF models in the cache, as they are named, in order. Nothing if there is no cache.
std::vector<std::string> models_in_hub_cache(const std::filesystem::path& cache);

}  // namespace mellea
