#include "mellea/backends/local_model.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "mellea/backends/hub_cache.h"
#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

namespace fs = std::filesystem;

bool is_a_path(const std::string& name) {
  std::error_code none;
  return name.starts_with('/') || name.starts_with('.') || name.starts_with('~') ||
         (name.ends_with(".gguf") && name.find(':') == name.npos) ||
         fs::is_regular_file(name, none);
}

fs::path file_of(const std::string& name, const fs::path& hub_cache) {
  if (is_a_path(name)) return name;
  const std::optional<HubModel> model = HubModel::parse(name);
  if (!model)
    throw Error(Errc::invalid_request,
                "local: \"" + one_line(name, 100) +
                    "\" names no model: name a GGUF file, or ORG/REPO:Q4_K_M of the Hub cache");
  if (hub_cache.empty())
    throw Error(Errc::not_found, "local: " + model->repository +
                                     ": no Hub cache is known: set HF_HUB_CACHE or HOME");
  return find_in_hub_cache(hub_cache, *model);
}

// The file is one of "NAME-00001-of-00003.gguf".
void need_all_parts(const fs::path& file, std::uint64_t parts) {
  if (parts <= 1) return;
  constexpr std::string_view kFirst = "-00001-of-00000.gguf";
  std::string name = file.string();
  if (parts > 99'999 || name.size() < kFirst.size()) return;
  name.resize(name.size() - kFirst.size());
  for (std::uint64_t part = 1; part <= parts; ++part) {
    std::array<char, kFirst.size() + 1> end{};
    std::snprintf(end.data(), end.size(), "-%05u-of-%05u.gguf", static_cast<unsigned>(part),
                  static_cast<unsigned>(parts));
    std::error_code none;
    if (!fs::exists(name + end.data(), none))
      throw Error(Errc::not_found, "local: " + one_line(file.string(), 400) + ": part " +
                                       std::to_string(part) + " of " + std::to_string(parts) +
                                       " is not beside it: download the model again");
  }
}

}  // namespace

std::string local_model_name(const std::string& name) {
  return is_a_path(name) ? fs::path(name).filename().string() : name;
}

LocalModel find_local_model(const std::string& name, const fs::path& hub_cache) {
  LocalModel model{.name = local_model_name(name), .file = file_of(name, hub_cache)};
  model.header = read_gguf_header(model.file);
  need_all_parts(model.file, model.header.parts);
  return model;
}

}  // namespace mellea
