#include "mellea/net/sse.h"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <utility>

#include "mellea/core/error.h"

namespace mellea {

void SseParser::Text::keep() {
  if (view.empty() || view.data() == store.data()) return;
  store.assign(view);
  view = store;
}

void SseParser::Text::append_line(std::string_view line) {
  keep();
  store.resize(view.size());
  store += '\n';
  store += line;
  view = store;
}

bool SseParser::next(SseEvent& event) {
  if (std::exchange(given_, false)) clear_event();
  for (std::string_view line; next_line(line);) {
    const bool ends_event = take_line(line);
    if (line_is_used_) keep_texts();
    if (!ends_event) continue;
    event = {.name = name_.view, .data = data_.view};
    return given_ = true;
  }
  keep_texts();
  return false;
}

bool SseParser::next_line(std::string_view& line) {
  if (std::exchange(line_is_used_, false)) line_.clear();
  if (input_.empty()) return false;
  if (std::exchange(after_cr_, false) && input_.front() == '\n') input_.remove_prefix(1);
  const char* const end = find_line_end();
  const auto size = static_cast<std::size_t>(end - input_.data());
  check_size(line_.size() + size);
  if (size == input_.size()) {
    line_ += std::exchange(input_, {});
    return false;
  }
  line = input_.substr(0, size);
  after_cr_ = *end == '\r';
  input_.remove_prefix(size + 1);
  if (!line_.empty()) {
    line = line_ += line;
    line_is_used_ = true;
  }
  if (std::exchange(at_start_, false) && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  return true;
}

const char* SseParser::find_line_end() noexcept {
  const auto find = [](const char* begin, char c, const char* end) {
    const void* const found = std::memchr(begin, c, static_cast<std::size_t>(end - begin));
    return found == nullptr ? end : static_cast<const char*>(found);
  };
  const char* const begin = input_.data();
  if (newline_ == nullptr || newline_ < begin) newline_ = find(begin, '\n', begin + input_.size());
  return find(begin, '\r', newline_);
}

bool SseParser::take_line(std::string_view line) {
  if (line.empty()) {
    if (id_ != last_id_) last_id_ = id_;
    if (has_data_) return true;
    clear_event();
    return false;
  }
  const auto colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (std::exchange(has_data_, true)) {
      check_size(data_.view.size() + 1 + value.size());
      data_.append_line(value);
    } else {
      data_.view = value;
    }
  } else if (field == "event") {
    name_.view = value;
  } else {
    take_rare(field, value);
  }
  return false;
}

void SseParser::take_rare(std::string_view field, std::string_view value) {
  if (field == "id" && value.find('\0') == value.npos) id_ = value;
  if (field != "retry") return;  // a comment, or a field that nobody knows
  std::int64_t time = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), time);
  if (fault == std::errc() && end == value.data() + value.size() && time >= 0)
    retry_ = std::chrono::milliseconds(time);
}

void SseParser::check_size(std::size_t bytes) const {
  if (bytes <= max_event_) return;
  throw Error(Errc::parse_error,
              "an event of the stream is over " + std::to_string(max_event_) + " bytes");
}

void SseParser::clear_event() noexcept {
  name_.view = {};
  data_.view = {};
  has_data_ = false;
}

void SseParser::keep_texts() {
  name_.keep();
  data_.keep();
}

}  // namespace mellea
