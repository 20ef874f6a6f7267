// Whatever a server says when it refuses: one line of UTF-8 that is not endless.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "mellea/backends/provider_error.h"
#include "mellea/core/text.h"
#include "require.h"

namespace mellea {
namespace {

void check(const Error& error) {
  const std::string_view what = error.what();
  require(is_utf8(what), "what is said is UTF-8");
  require(what.find_first_of("\r\n") == what.npos, "it is one line");
  require(what.size() < 2'000, "it is not endless");
  for (const std::string& text : {error.details().provider_code, error.details().provider_message})
    require(is_utf8(text), "what is kept is UTF-8");
}

}  // namespace
}  // namespace mellea

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider input(bytes, size);
  const mellea::RequestNames names{.provider = "p", .request = "POST http://h"};
  const int status = input.ConsumeIntegralInRange<int>(100, 599);
  const std::string body = input.ConsumeRemainingBytesAsString();
  mellea::check(mellea::answer_error(names, {.status = status, .body = body}));
  mellea::check(mellea::stream_error(names, body, 0));
  return 0;
}
