#include "mellea/backends/hub_cache.h"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolderPrefix = "models--";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(), [](char c) { return lower(c); });
  return low;
}

bool is_word(char c) {
  const char low = lower(c);
  return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// The name of an organisation or a repository, or of a revision: never a way to another folder.
bool is_name(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_inside(const fs::path& path) {
  return path.is_relative() &&
         std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

bool is_gguf(std::string_view file) { return lower(file).ends_with(".gguf"); }

// "-00002-of-00003.gguf" and its like: a part that is not the first.
bool is_later_part(std::string_view file) {
  constexpr std::string_view kPart = "-00001-of-00003.gguf";
  if (file.size() < kPart.size()) return false;
  const std::string_view end = file.substr(file.size() - kPart.size());
  return end.substr(6, 4) == "-of-" && end.front() == '-' && end.substr(1, 5) != "00001";
}

// A file that goes beside a model, not one.
bool is_projector(const fs::path& file) {
  return lower(file.filename().string()).starts_with("mmproj");
}

// Whether `word` stands in `text` with nothing of a word before and after it: Q4_K in
// "model-Q4_K.gguf", not in "model-Q4_K_M.gguf".
bool has_word(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !is_word(text[at - 1]);
    const std::size_t end = at + word.size();
    if (begins && (end == text.size() || !is_word(text[end]))) return true;
  }
  return false;
}

fs::path folder_of(const fs::path& cache, std::string_view repository) {
  std::string name(kFolderPrefix);
  for (const char c : repository)
    if (c == '/')
      name += "--";
    else
      name += c;
  return cache / name;
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code none;
  for (fs::directory_iterator at(folder, none), end; !none && at != end; at.increment(none))
    entries.push_back(at->path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

// The files of a snapshot, by their names in the repository, in order.
std::vector<std::string> files_of(const fs::path& snapshot) {
  constexpr int kDeepest = 8;
  std::vector<std::string> files;
  std::error_code none;
  fs::recursive_directory_iterator at(snapshot, none), end;
  for (; !none && at != end; at.increment(none)) {
    if (at.depth() >= kDeepest) at.disable_recursion_pending();
    std::error_code unreadable;
    if (at->is_regular_file(unreadable))  // what it links to: a file that is not whole has no link
      files.push_back(at->path().lexically_relative(snapshot).generic_string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> models_of(const std::vector<std::string>& files) {
  std::vector<std::string> models;
  for (const std::string& file : files)
    if (is_gguf(file) && !is_later_part(file) && !is_projector(file)) models.push_back(file);
  return models;
}

// Empty if there is none that is meant.
fs::path snapshot_of(const fs::path& folder) {
  std::string revision;
  std::ifstream(folder / "refs" / "main") >> revision;
  std::error_code none;
  if (is_name(revision) && fs::is_directory(folder / "snapshots" / revision, none))
    return folder / "snapshots" / revision;
  const std::vector<fs::path> snapshots = sorted_entries(folder / "snapshots");
  return snapshots.size() == 1 ? snapshots.front() : fs::path();
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 8;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i)
    list.append(i == 0 ? "" : ", ").append(one_line(names[i], 100));
  if (names.size() > kShown) list += " and " + std::to_string(names.size() - kShown) + " more";
  return list;
}

std::string download(const HubModel& model) {
  std::string command = ": hf download " + model.repository;
  if (is_gguf(model.which)) return command + ' ' + one_line(model.which);
  return command + " --include \"*" + (model.which.empty() ? "Q4_K_M" : one_line(model.which)) +
         "*.gguf\"";
}

std::string shown(const HubModel& model) {
  return "local: " + model.repository + (model.which.empty() ? "" : ':' + one_line(model.which));
}

std::vector<std::string> meant(const std::vector<std::string>& models, const std::string& which) {
  if (which.empty()) return models;
  std::vector<std::string> found;
  for (const std::string& file : models)
    if (is_gguf(which) ? file == which : has_word(lower(file), lower(which))) found.push_back(file);
  return found;
}

}  // namespace

std::optional<HubModel> HubModel::parse(std::string_view text) {
  const auto colon = std::min(text.find(':'), text.size());
  const std::string_view repository = text.substr(0, colon);
  const auto slash = repository.find('/');
  if (slash == repository.npos || !is_name(repository.substr(0, slash)) ||
      !is_name(repository.substr(slash + 1)))
    return {};
  HubModel model{.repository = std::string(repository)};
  if (colon < text.size()) {
    model.which = text.substr(colon + 1);
    if (model.which.empty() || !is_inside(model.which)) return {};
  }
  return model;
}

fs::path find_in_hub_cache(const fs::path& cache, const HubModel& model) {
  const fs::path folder = folder_of(cache, model.repository);
  const fs::path snapshot = snapshot_of(folder);
  const std::vector<std::string> files =
      snapshot.empty() ? std::vector<std::string>() : files_of(snapshot);
  if (files.empty()) {
    std::error_code none;
    const bool several = snapshot.empty() && fs::is_directory(folder / "snapshots", none) &&
                         !fs::is_empty(folder / "snapshots", none);
    throw Error(Errc::not_found,
                shown(model) + ": " +
                    (several ? "several revisions, and no \"main\", are in " : "is not in ") +
                    (several ? folder : cache).string() + download(model));
  }
  const std::vector<std::string> models = models_of(files);
  if (models.empty())
    throw Error(Errc::not_found, shown(model) + ": there is no GGUF file among " + list_of(files) +
                                     ": name a repository that has some");
  const std::vector<std::string> found = meant(models, model.which);
  if (found.empty())
    throw Error(Errc::not_found, shown(model) + ": is not in " + cache.string() + ", which has " +
                                     list_of(models) + " of it" + download(model));
  if (found.size() > 1)
    throw Error(Errc::invalid_request, shown(model) + ": may be " + list_of(found) +
                                           ": name one, " + model.repository + ':' +
                                           one_line(found.front(), 100));
  return snapshot / found.front();
}

std::vector<std::string> models_in_hub_cache(const fs::path& cache) {
  std::vector<std::string> names;
  for (const fs::path& folder : sorted_entries(cache)) {
    std::string name = folder.filename().string();
    if (!name.starts_with(kFolderPrefix)) continue;
    name.erase(0, kFolderPrefix.size());
    const auto dashes = name.find("--");
    if (dashes == name.npos) continue;
    name.replace(dashes, 2, "/");
    const fs::path snapshot = snapshot_of(folder);
    if (snapshot.empty() || !HubModel::parse(name)) continue;
    const std::vector<std::string> models = models_of(files_of(snapshot));
    for (const std::string& model : models)
      names.push_back(models.size() == 1 ? name : name + ':' + model);
  }
  return names;
}

}  // namespace mellea
