// Plain calls, one after the other.
#include <string>

#include "by_hand.h"
#include "mellea/runtime/runtime.h"
#include "provider_process.h"
#include "rows.h"
#include "table.h"

namespace mellea::bench {
namespace {

constexpr const char* kPrompt = "Write a line about the sea.";

// Wall clock and CPU of the process, in microseconds a call.
template <class Call>
std::array<double, 2> each(int count, Call&& call) {
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) call();
  return {microseconds(watch.wall()) / count, microseconds(watch.cpu()) / count};
}

void one_connection(const Wire& wire) {
  ProviderProcess provider;
  Runtime runtime;
  Session plain = runtime.start_session(client_of(wire, provider, "plain"));
  Session streamed = runtime.start_session(client_of(wire, provider, "stream-20-1-0"));
  for (int i = 0; i < 500; ++i) {
    keep(plain.chat(kPrompt));
    keep(streamed.chat(kPrompt, {.stream = true}));
  }
  print({"connections of 1,000 calls, half of them streams",
         "",
         Series(static_cast<double>(provider.counters().connections)),
         {},
         Bar::at_most(1)});
}

}  // namespace

void call_rows(const Settings& settings) {
  ProviderProcess provider;
  Runtime runtime;
  Session session = runtime.start_session(client_of(*settings.wire, provider, "plain"));
  ByHand by_hand(*settings.wire, provider);
  EasyPerform easy(*settings.wire, provider);
  const int count = settings.some(2000);
  const auto [ours, floor, simplest] = in_turn(
      settings.rounds(),  //
      [&] { return each(count, [&] { keep(session.chat(kPrompt).text()); }); },
      [&] { return each(count, [&] { keep(by_hand.chat("plain", kPrompt)); }); },
      [&] { return each(count, [&] { keep(easy.chat("plain", kPrompt)); }); });
  print({"a plain call, wall clock", "us", ours[0], floor[0], Bar::ratio_at_most(1.1)});
  print({"a plain call, CPU", "us", ours[1], floor[1], Bar::ratio_at_most(1.1)});
  print({"  beside curl_easy_perform on one thread, wall clock", "us", ours[0], simplest[0]});
  print({"  beside curl_easy_perform on one thread, CPU", "us", ours[1], simplest[1]});
  one_connection(*settings.wire);
}

}  // namespace mellea::bench
