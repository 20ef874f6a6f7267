// One stream: what an event costs, and how long it takes to its reader.
#include <charconv>
#include <semaphore>
#include <stdexcept>
#include <string>

#include "by_hand.h"
#include "mellea/runtime/runtime.h"
#include "provider_process.h"
#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

constexpr const char* kPrompt = "Write a line about the sea.";

// CPU in microseconds an event, of all threads.
template <class Read>
std::array<double, 1> each_event(int events, Read&& read) {
  const Stopwatch watch;
  const int texts = read();
  if (texts != events) throw std::runtime_error("events were lost: " + std::to_string(texts));
  return {microseconds(watch.cpu()) / events};
}

int texts_of(Output output) {
  int texts = 0;
  while (const auto chunk = output.next())
    if (const auto* text = std::get_if<std::string>(&chunk->what)) texts += !text->empty();
  return texts;
}

void one_stream(const Settings& settings, Row row, int events, int per_write) {
  ProviderProcess provider;
  const std::string model =
      "stream-" + std::to_string(events) + "-" + std::to_string(per_write) + "-0";
  Runtime runtime;
  Session session = runtime.start_session(client_of(*settings.wire, provider, model));
  ByHand by_hand(*settings.wire, provider);
  const auto [ours, floor] = in_turn(
      settings.rounds(),
      [&] {
        return each_event(events,
                          [&] { return texts_of(session.start_chat(kPrompt, {.stream = true})); });
      },
      [&] {
        return each_event(events, [&] {
          int texts = 0;
          by_hand.stream(model, kPrompt,
                         [&](std::string_view text, auto) { texts += !text.empty(); });
          return texts;
        });
      });
  row.ours = ours[0];
  row.floor = floor[0];
  print(row);
}

// From the provider's clock in the text until `at`, in microseconds.
class Delays {
 public:
  void add(std::string_view text, Clock::time_point at) {
    std::int64_t sent = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), sent).ec == std::errc() && sent > 0)
      delays_.add(microseconds(at.time_since_epoch() - std::chrono::nanoseconds(sent)));
  }
  void add(const Chunk& chunk, Clock::time_point at) {
    if (const auto* text = std::get_if<std::string>(&chunk.what)) add(*text, at);
  }
  double median() const { return delays_.median(); }

 private:
  Series delays_;
};

// With next(), which waits.
double read_waiting(Output output) {
  Delays delays;
  while (const auto chunk = output.next()) delays.add(*chunk, Clock::now());
  return delays.median();
}

// Until the callback is called; what it announces is read by this thread.
double read_called(Output output) {
  Delays delays;
  Clock::time_point woken{};
  std::binary_semaphore wake(0);
  Chunk chunk;
  for (;;) {
    const Next next = output.try_next(chunk);
    if (next == Next::end) return delays.median();
    if (next == Next::chunk) {
      delays.add(chunk, woken);
    } else if (output.when_ready([&] {
                 woken = Clock::now();
                 wake.release();
               })) {
      wake.acquire();
    } else {
      woken = Clock::now();  // it came before anybody could be called
    }
  }
}

}  // namespace

void stream_rows(const Settings& settings) {
  one_stream(
      settings,
      {.what = "an event of a stream, 32 a write, CPU", .unit = "us", .bar = Bar::at_most(1)},
      settings.some(200'000), 32);
  one_stream(settings,
             {.what = "an event of a stream, one a write, CPU",
              .unit = "us",
              .bar = Bar::ratio_at_most(1.1)},
             settings.some(50'000), 1);
}

void delivery_rows(const Settings& settings) {
  ProviderProcess provider;
  const std::string model = "stream-" + std::to_string(settings.some(400)) + "-1-200";
  Runtime runtime;
  Session session = runtime.start_session(client_of(*settings.wire, provider, model));
  ByHand by_hand(*settings.wire, provider);
  const auto stream = [&] { return session.start_chat(kPrompt, {.stream = true}); };
  const auto [called, waiting, floor] = in_turn(
      settings.rounds(), [&] { return std::array{read_called(stream())}; },
      [&] { return std::array{read_waiting(stream())}; },
      [&] {
        Delays in_callback;
        Delays to_reader;
        by_hand.stream(model, kPrompt, [&](std::string_view text, Clock::time_point arrived) {
          to_reader.add(text, Clock::now());
          in_callback.add(text, arrived);
        });
        return std::array{in_callback.median(), to_reader.median()};
      });
  print({"delivery of an event, one each 5 ms, to a callback", "us", called[0], floor[0],
         Bar::ratio_at_most(1.1)});
  print({"delivery of an event, one each 5 ms, to a waiting reader", "us", waiting[0], floor[1],
         Bar::above_floor_at_most(20)});
}

}  // namespace mellea::bench
