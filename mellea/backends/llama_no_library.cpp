// For builds without libllama.
#include "mellea/backends/llama_library.h"
#include "mellea/core/error.h"

namespace mellea {

std::string_view libllama() noexcept { return ""; }

std::unique_ptr<LlamaModel> load_llama_model(const LocalModel&, const LocalOptions&,
                                             const LlamaModel::Cancelled&) {
  throw Error(Errc::invalid_request,
              "local: this build has no libllama to run a model in this process with");
}

}  // namespace mellea
