// Server-sent events, as model providers stream them: bytes in, events out, no I/O.
//
//   parser.feed(bytes);
//   for (SseEvent event; parser.next(event);) use(event.data);
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mellea {

struct SseEvent {
  std::string_view name{};  // the "event" field, empty if there was none
  std::string_view data{};  // the "data" fields, joined by newlines
};

// Takes a stream however it was cut on the wire and gives its events, each as soon as it is whole.
// After the WHATWG's "Server-sent events". An event that came in one piece is not copied.
class SseParser {
 public:
  explicit SseParser(std::size_t max_event = 16U << 20U) : max_event_(max_event) {}

  // Only after next() has returned false; `bytes` must then live until it does so again.
  void feed(std::string_view bytes) noexcept {
    input_ = bytes;
    newline_ = nullptr;
  }

  // False once all that was fed is used up. An event's texts are good until the next call. Throws
  // Error (parse_error) when a line or an event is over `max_event` bytes.
  bool next(SseEvent& event);

  // For who asks for the rest of a stream that broke off. The id of the last event that was whole,
  // also of one without data, which is not given out; empty if none had any.
  const std::string& last_id() const noexcept { return last_id_; }
  // How long to wait before that, as the server says it; nothing if it said nothing.
  std::optional<std::chrono::milliseconds> retry() const noexcept { return retry_; }

 private:
  // A text that is looked at where it came, and kept when it must outlive that.
  struct Text {
    std::string_view view{};
    std::string store{};

    void keep();
    void append_line(std::string_view line);
  };

  const char* find_line_end() noexcept;
  bool next_line(std::string_view& line);
  bool take_line(std::string_view line);  // true if it ends an event
  void take_rare(std::string_view field, std::string_view value);
  void check_size(std::size_t bytes) const;
  void clear_event() noexcept;
  void keep_texts();

  const std::size_t max_event_;
  std::string_view input_{};       // what is not used yet of the bytes fed
  const char* newline_ = nullptr;  // the first in input_, its end if there is none; null: not known
  std::string line_{};             // a line's beginning that came with earlier bytes
  bool line_is_used_ = false;      // line_ was taken and is to be cleared
  bool after_cr_ = false;          // so that the \n of a \r\n does not end a second line
  bool at_start_ = true;           // where a byte order mark may stand
  bool has_data_ = false;
  bool given_ = false;  // the event in name_ and data_ was given out
  Text name_{};
  Text data_{};
  std::string id_{};  // of the event that comes, or else as last_id_
  std::string last_id_{};
  std::optional<std::chrono::milliseconds> retry_{};
};

}  // namespace mellea
