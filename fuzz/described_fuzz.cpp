// Whatever a model writes: a value that says the same when it is written down, or one kind of
// Error.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mellea/core/described.h"
#include "mellea/core/text.h"
#include "require.h"

namespace kitchen {

enum class Course { starter, main, dessert };
MELLEA_DESCRIBE_ENUM(Course, starter, main, dessert)

struct Step {
  std::string text;
  int minutes = 0;
};
MELLEA_DESCRIBE(Step, text, minutes)

struct Menu {
  std::variant<std::string, Step> either;
  std::optional<Course> course;
  std::vector<Menu> inner;
  std::array<std::uint8_t, 2> pair{};
  std::set<std::string> tags;
  std::map<std::string, double> amounts;
  std::int64_t large = 1;
  bool done = false;
  nlohmann::json any;
};
MELLEA_DESCRIBE(Menu, either, course, inner, pair, tags, amounts, large, done, any)

}  // namespace kitchen

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  try {
    const auto menu = mellea::read_described<kitchen::Menu>(text);
    const std::string written = mellea::to_json(menu).text();
    const auto again = mellea::read_described<kitchen::Menu>(written);
    mellea::require(mellea::to_json(again).text() == written, "written down, it is the same");
  } catch (const mellea::Error& error) {
    mellea::require(error.code() == mellea::Errc::parse_error, "what is refused is a parse error");
    mellea::require(mellea::is_utf8(error.what()), "and says so in UTF-8");
  }
  return 0;
}
