// What a plugin may not do does not compile. Each MISUSE is compiled twice: as it is, to show that
// it is otherwise right, and with FORBIDDEN, which must fail.
#include "mellea/hooks/hook.h"

#ifdef FORBIDDEN
#define EITHER(allowed, forbidden) forbidden
#else
#define EITHER(allowed, forbidden) allowed
#endif

using namespace mellea;

void subscribe(Subscriber& hooks);

void subscribe(Subscriber& hooks) {
#if MISUSE == 1  // an observer changes
  hooks.observe<GenerationPreCall>(
      [](const GenerationPreCall& call) { (void)call.request EITHER(.share(), .edit()); });
#elif MISUSE == 2   // an observer asks for an event that it could change
  hooks.observe<GenerationPreCall>([](EITHER(const, ) GenerationPreCall&) {});
#elif MISUSE == 3   // a scope is changed
  hooks.transform<GenerationPreCall>(
      [](GenerationPreCall& call) { EITHER((void)call.scope, call.scope = {}); });
#elif MISUSE == 4   // a reply is changed
  hooks.EITHER(observe, transform)<GenerationPostCall>([](const GenerationPostCall&) {});
#elif MISUSE == 5   // an error is stopped
  hooks.guard<EITHER(GenerationPostCall, GenerationError)>(
      [](const auto&, std::stop_token) { return Verdict::go_on(); });
#elif MISUSE == 6   // what can't be stopped is intercepted
  hooks.intercept<EITHER(SessionPreInit, CallBegin)>([](auto&) { return Verdict::go_on(); });
#elif MISUSE == 7   // a stop is forged, or erased
  hooks.transform<GenerationPreCall>(
      [](GenerationPreCall& call) { EITHER((void)call.stopped, call.stopped = Stopped()); });
#elif MISUSE == 8   // an event is replaced
  hooks.transform<GenerationPreCall>(
      [](GenerationPreCall& call) { EITHER((void)call, call = GenerationPreCall{}); });
#elif MISUSE == 9   // an intercept decides nothing
  hooks.intercept<GenerationPreCall>([](auto&) { EITHER(return Verdict::go_on();, ) });
#elif MISUSE == 10  // a type that is no event
  hooks.observe<EITHER(Diagnostic, Notice)>([](const auto&) {});
#endif
}
