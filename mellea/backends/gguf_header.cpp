#include "mellea/backends/gguf_header.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

// Of the format: what a value is.
enum class Type : std::uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  text = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12,
};

// Bytes of a value; 0 for what has no size of its own.
std::uint64_t size_of(Type type) {
  switch (type) {
    case Type::uint8:
    case Type::int8:
    case Type::boolean: return 1;
    case Type::uint16:
    case Type::int16: return 2;
    case Type::uint32:
    case Type::int32:
    case Type::float32: return 4;
    case Type::uint64:
    case Type::int64:
    case Type::float64: return 8;
    default: return 0;
  }
}

// More than any real file has; a file that says more is refused.
constexpr std::uint64_t kMostValues = 1U << 16U;
constexpr std::uint64_t kMostTensors = 1U << 20U;
constexpr std::uint64_t kLongestName = 1U << 16U;
constexpr std::uint64_t kLongestText = 1U << 20U;  // of those that are kept

class Reader {
 public:
  Reader(std::istream& file, const std::string& name) : file_(file), name_(name) {
    file_.seekg(0, std::ios::end);
    const auto end = file_.tellg();
    file_.seekg(0);
    if (!file_ || end < 0) refuse("can't be read");
    size_ = static_cast<std::uint64_t>(end);
  }

  GgufHeader header() {
    magic();
    GgufHeader header{.version = version()};
    const auto tensors = count("tensors", kMostTensors);
    const auto values = count("values", kMostValues);
    for (std::uint64_t i = 0; i < values; ++i) value(header);
    if (header.architecture.empty()) refuse("names no architecture");
    header.context_length = whole(context_length_);
    header.pooling = whole(pooling_);
    part_of(header);
    if (tensors == 0 && header.parts == 1) refuse("has no weights, it is a vocabulary only");
    weights_of(tensors);
    return header;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::invalid_request, "local: " + one_line(name_, 400) + ": " + what);
  }
  [[noreturn]] void cut_short() const {
    refuse("is cut short after " + std::to_string(size_) + " bytes: download it again");
  }

  void magic() {
    std::array<char, 4> begin{};
    const std::size_t got = static_cast<std::size_t>(std::min<std::uint64_t>(size_, begin.size()));
    file_.read(begin.data(), static_cast<std::streamsize>(got));
    at_ = got;
    const std::string_view found(begin.data(), got);
    if (found == "GGUF") return;
    if (found.empty()) refuse("is empty");
    if (found == "vers")
      refuse("is no GGUF file but stands for one, as Git LFS has it: git lfs pull");
    refuse("is no GGUF file: it begins with \"" + one_line(found) + '"');
  }

  int version() {
    const auto version = number<std::uint32_t>();
    if (version == 2 || version == 3) return static_cast<int>(version);
    if (version == 1) refuse("is of version 1 of the format, which nothing reads any more");
    if (version == 0x02000000U || version == 0x03000000U)
      refuse("has the byte order of another kind of machine");
    refuse("is of version " + std::to_string(version) + " of the format; known are 2 and 3");
  }

  std::uint64_t count(const char* what, std::uint64_t most) {
    const auto count = number<std::uint64_t>();
    if (count > most) refuse("says that it has " + std::to_string(count) + ' ' + what);
    return count;
  }

  void value(GgufHeader& header) {
    const std::string key = text(kLongestName);
    const Type type = type_here();
    if (key == "general.architecture")
      keep(header.architecture, type);
    else if (key == "general.name")
      keep(header.name, type);
    else if (key == "tokenizer.chat_template")
      keep(header.chat_template, type);
    else if (key == "split.count")
      keep(parts_, type);
    else if (key == "split.no")
      keep(part_, type);
    else if (key == "general.alignment")
      keep(alignment_, type);
    else if (key == header.architecture + ".context_length")
      keep(context_length_, type);
    else if (key == header.architecture + ".pooling_type")
      keep(pooling_, type);
    else
      pass_over(type);
  }

  Type type_here() {
    const auto number = this->number<std::uint32_t>();
    if (number > static_cast<std::uint32_t>(Type::float64))
      refuse("has a value of the unknown type " + std::to_string(number));
    return static_cast<Type>(number);
  }

  void keep(std::string& into, Type type) {
    if (type == Type::text)
      into = to_utf8(text(kLongestText));
    else
      pass_over(type);
  }

  void keep(std::optional<std::uint64_t>& into, Type type) {
    switch (type) {
      case Type::uint8: into = number<std::uint8_t>(); break;
      case Type::uint16: into = number<std::uint16_t>(); break;
      case Type::uint32: into = number<std::uint32_t>(); break;
      case Type::uint64: into = number<std::uint64_t>(); break;
      case Type::int32: into = number<std::uint32_t>(); break;
      default: pass_over(type); break;
    }
  }

  void pass_over(Type type) {
    if (type == Type::text)
      skip(number<std::uint64_t>(), 1);
    else if (type == Type::array)
      pass_over_array();
    else
      skip(1, size_of(type));
  }

  void pass_over_array() {
    const Type type = type_here();
    const auto length = number<std::uint64_t>();
    if (type == Type::array) refuse("has lists of lists, which no model has");
    if (type != Type::text) return skip(length, size_of(type));
    for (std::uint64_t i = 0; i < length; ++i) skip(number<std::uint64_t>(), 1);
  }

  // Only the header names the other parts.
  void part_of(GgufHeader& header) const {
    header.parts = std::max<std::uint64_t>(parts_.value_or(1), 1);
    if (part_.value_or(0) != 0)
      refuse("is part " + std::to_string(*part_ + 1) + " of " + std::to_string(header.parts) +
             ": name the first");
  }

  // Where each tensor begins, which must be in the file.
  void weights_of(std::uint64_t tensors) {
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < tensors; ++i) {
      skip(number<std::uint64_t>(), 1);
      const auto dimensions = number<std::uint32_t>();
      skip(dimensions, sizeof(std::uint64_t));
      skip(1, sizeof(std::uint32_t));
      last = std::max(last, number<std::uint64_t>());
    }
    const std::uint64_t alignment =
        std::clamp<std::uint64_t>(alignment_.value_or(32), 1, 1U << 16U);
    const std::uint64_t begin = (at_ + alignment - 1) / alignment * alignment;
    if (tensors > 0 && (begin >= size_ || last >= size_ - begin)) cut_short();
  }

  static std::optional<std::int64_t> whole(std::optional<std::uint64_t> number) {
    if (!number || !std::in_range<std::int64_t>(*number)) return {};
    return static_cast<std::int64_t>(*number);
  }

  // The format is little-endian, whatever this machine is.
  template <std::unsigned_integral Number>
  Number number() {
    std::array<char, sizeof(Number)> bytes;
    need(bytes.size());
    file_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    moved(bytes.size());
    std::uint64_t number = 0;
    for (std::size_t i = bytes.size(); i-- > 0;)
      number = number << 8U | static_cast<unsigned char>(bytes[i]);
    return static_cast<Number>(number);
  }

  std::string text(std::uint64_t most) {
    const auto length = number<std::uint64_t>();
    need(length);
    if (length > most) refuse("has a text of " + std::to_string(length) + " bytes");
    std::string text(static_cast<std::size_t>(length), '\0');
    file_.read(text.data(), static_cast<std::streamsize>(length));
    moved(length);
    return text;
  }

  void skip(std::uint64_t count, std::uint64_t size) {
    if (size != 0 && count > size_ / size) cut_short();
    const std::uint64_t bytes = count * size;
    need(bytes);
    constexpr std::uint64_t kFar = 1U << 16U;  // nearer than that is in the stream's buffer
    if (bytes > kFar)
      file_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
    else
      file_.ignore(static_cast<std::streamsize>(bytes));
    moved(bytes);
  }

  void need(std::uint64_t bytes) const {
    if (bytes > size_ - at_) cut_short();
  }
  void moved(std::uint64_t bytes) {
    if (!file_) refuse("can't be read");
    at_ += bytes;
  }

  std::istream& file_;
  const std::string& name_;
  std::uint64_t size_ = 0;
  std::uint64_t at_ = 0;  // never more than size_
  std::optional<std::uint64_t> parts_;
  std::optional<std::uint64_t> part_;  // from 0
  std::optional<std::uint64_t> alignment_;
  std::optional<std::uint64_t> context_length_;
  std::optional<std::uint64_t> pooling_;
};

}  // namespace

GgufHeader read_gguf_header(std::istream& file, const std::string& name) {
  return Reader(file, name).header();
}

GgufHeader read_gguf_header(const std::filesystem::path& file) {
  std::error_code none;
  if (std::filesystem::is_directory(file, none))
    throw Error(Errc::invalid_request,
                "local: " + one_line(file.string(), 400) + ": is a folder: name a file in it");
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    const int reason = errno;
    throw Error(Errc::not_found, "local: " + one_line(file.string(), 400) + ": " +
                                     std::generic_category().message(reason));
  }
  return read_gguf_header(stream, file.string());
}

}  // namespace mellea
