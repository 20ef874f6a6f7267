// Loading a model with libllama, where the library was built with one.
#pragma once

#include <memory>
#include <string_view>

#include "mellea/backends/llama_model.h"
#include "mellea/backends/local_model.h"
#include "mellea/backends/local_options.h"

namespace mellea {

// Its version; empty: this build has none.
std::string_view libllama() noexcept;

// Throws Error with what libllama said last if the model can't be loaded, and Errc::invalid_request
// where there is no libllama. From the first call on libllama prints nothing in this process.
std::unique_ptr<LlamaModel> load_llama_model(const LocalModel& model, const LocalOptions& options,
                                             const LlamaModel::Cancelled& cancelled);

}  // namespace mellea
