// The file of a model on this machine.
#pragma once

#include <filesystem>
#include <string>

#include "mellea/backends/gguf_header.h"

namespace mellea {

struct LocalModel {
  std::string name{};            // as local_model_name() says
  std::filesystem::path file{};  // its first part
  GgufHeader header{};
};

// How a model is called that was asked for as `name`: of a path the file's name alone, since where
// it is on this machine is nobody's business.
std::string local_model_name(const std::string& name);

// `name` is the path of a GGUF file, or "org/repo", "org/repo:Q4_K_M" or "org/repo:FILE.gguf" of
// the Hub cache `hub_cache`. Reads the header of the file, and looks whether all its parts are
// there. Downloads nothing. Throws Error that says what is there instead, and what to do.
LocalModel find_local_model(const std::string& name, const std::filesystem::path& hub_cache);

}  // namespace mellea
