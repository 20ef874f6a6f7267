// Writes GGUF files as small as can be: a header, and weights of a few bytes.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace mellea {

class GgufForTest {
 public:
  explicit GgufForTest(std::string_view architecture = "llama") {
    text("general.architecture", architecture);
  }

  GgufForTest& text(std::string_view key, std::string_view value) {
    begin(key, 8);
    add_text(value);
    return *this;
  }
  GgufForTest& uint16(std::string_view key, std::uint16_t value) { return add(key, 2, value); }
  GgufForTest& uint32(std::string_view key, std::uint32_t value) { return add(key, 4, value); }
  GgufForTest& texts(std::string_view key, std::uint64_t count) {
    begin(key, 9);
    add_number(std::uint32_t{8});
    add_number(count);
    for (std::uint64_t i = 0; i < count; ++i) add_text("token" + std::to_string(i));
    return *this;
  }
  GgufForTest& numbers(std::string_view key, std::uint64_t count) {
    begin(key, 9);
    add_number(std::uint32_t{6});
    add_number(count);
    values_.append(count * sizeof(float), '\0');
    return *this;
  }
  // A value of a type of one's own, with that after it.
  GgufForTest& raw(std::string_view key, std::uint32_t type, std::string_view bytes) {
    begin(key, type);
    values_ += bytes;
    return *this;
  }
  GgufForTest& version(std::uint32_t version) {
    version_ = version;
    return *this;
  }

  // The whole file, with two tensors of four numbers each.
  std::string file() const {
    GgufForTest whole(*this);
    whole.values_ = "GGUF";
    whole.add_number(version_);
    whole.add_number(std::uint64_t{2});
    whole.add_number(count_);
    whole.values_ += values_;
    for (const auto& [name, offset] :
         {std::pair<std::string_view, std::uint64_t>{"a", 0}, {"b", 32}}) {
      whole.add_text(name);
      whole.add_number(std::uint32_t{1});
      whole.add_number(std::uint64_t{4});
      whole.add_number(std::uint32_t{0});
      whole.add_number(offset);
    }
    constexpr std::size_t kAlignment = 32;
    whole.values_.resize((whole.values_.size() + kAlignment - 1) / kAlignment * kAlignment);
    return whole.values_.append(32 + 16, '\1');
  }

  void write(const std::filesystem::path& path) const {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << file();
  }

 private:
  template <std::unsigned_integral Number>
  GgufForTest& add(std::string_view key, std::uint32_t type, Number value) {
    begin(key, type);
    add_number(value);
    return *this;
  }
  void begin(std::string_view key, std::uint32_t type) {
    add_text(key);
    add_number(type);
    ++count_;
  }
  template <std::unsigned_integral Number>
  void add_number(Number number) {
    for (std::size_t i = 0; i < sizeof(Number); ++i)
      values_ += static_cast<char>(std::uint64_t{number} >> (8 * i) & 0xFFU);
  }
  void add_text(std::string_view text) {
    add_number(std::uint64_t{text.size()});
    values_ += text;
  }

  std::uint32_t version_ = 3;
  std::uint64_t count_ = 0;
  std::string values_;
};

}  // namespace mellea
