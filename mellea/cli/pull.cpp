#include "mellea/cli/pull.h"

#include <algorithm>
#include <string>
#include <utility>

#include "mellea/backends/ollama_backend.h"
#include "mellea/cli/exit_code.h"
#include "mellea/core/text.h"

namespace mellea::cli {
namespace {

std::string size_of(std::int64_t bytes) {
  constexpr std::int64_t kMega = 1'000'000;
  return std::to_string((bytes + kMega - 1) / kMega) + " MB";
}

// A line for each thing the server does, and for each tenth of what takes long.
class Progress {
 public:
  explicit Progress(Console& console) : console_(console) {}

  void operator()(const PullProgress& at) {
    const bool is_part = at.total && *at.total > 0;
    const std::int64_t done =
        is_part ? std::clamp<std::int64_t>(at.completed.value_or(0), 0, *at.total) : 0;
    const std::int64_t tenths = is_part ? done / std::max<std::int64_t>(*at.total / 10, 1) : 0;
    if (at.status == status_ && tenths <= tenths_) return;
    status_ = at.status;
    tenths_ = tenths;
    std::string line = "mellea: ollama: " + one_line(at.status, 80);
    if (is_part)
      line += ": " + std::to_string(std::min<std::int64_t>(tenths, 10) * 10) + "% of " +
              size_of(*at.total);
    console_.warn(line);
  }

 private:
  Console& console_;
  std::string status_{};  // as told last
  std::int64_t tenths_ = 0;
};

}  // namespace

void pull(const BackendOptions& options, Console& console, std::stop_token stop) {
  if (options.backend != "ollama")
    throw UsageError("--pull: only Ollama fetches models, and this is " + options.backend);
  if (options.model.empty())
    throw UsageError("--pull: no model given: pass --model or set MELLEA_MODEL");
  pull_ollama_model(options, make_network(), Progress(console), std::move(stop));
}

}  // namespace mellea::cli
