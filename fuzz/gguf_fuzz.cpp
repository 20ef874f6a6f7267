// Whatever a file has in it, its header is read or refused, and what is kept of it is bounded.
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include "mellea/backends/gguf_header.h"
#include "mellea/core/error.h"
#include "mellea/core/text.h"
#include "require.h"

namespace mellea {
namespace {

void check(std::string bytes) {
  std::istringstream file(bytes);
  try {
    const GgufHeader header = read_gguf_header(file, "fuzzed.gguf");
    require(!header.architecture.empty(), "the architecture is told");
    require(header.architecture.size() + header.chat_template.size() <= 3 * bytes.size(),
            "a text comes from the file");
    require(is_utf8(header.name) && is_utf8(header.chat_template), "texts are UTF-8");
    require(header.parts >= 1, "there is a part");
  } catch (const Error& error) {
    require(error.code() == Errc::invalid_request, "what is refused is an invalid request");
  }
}

}  // namespace
}  // namespace mellea

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  mellea::check(std::string(reinterpret_cast<const char*>(bytes), size));
  mellea::check("GGUF\x03" + std::string(3, '\0') +
                std::string(reinterpret_cast<const char*>(bytes), size));
  return 0;
}
