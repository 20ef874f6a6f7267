// The floor: what an engineer in a hurry for speed would write for one provider with libcurl and
// simdjson, on the same threads as ours. One thread runs curl_multi_socket_action on epoll; what
// has arrived is handed to the caller's thread, which takes it apart.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "measure.h"
#include "wire.h"

namespace mellea::bench {

// Calls the provider. Used by one thread, one call at a time: that is all that is measured against
// it.
class ByHand {
 public:
  ByHand(const Wire& wire, const ProviderProcess& provider);
  ~ByHand();
  ByHand(const ByHand&) = delete;
  ByHand& operator=(const ByHand&) = delete;

  // The text of a whole answer.
  std::string chat(std::string_view model, std::string_view text);

  // Each event's text, and when libcurl gave its bytes out on the loop's thread.
  using Event = std::function<void(std::string_view text, Clock::time_point arrived)>;
  void stream(std::string_view model, std::string_view text, const Event& event);

 private:
  struct Loop;
  struct Call;
  const Wire& wire_;
  const std::unique_ptr<Loop> loop_;
  const std::unique_ptr<Call> call_;
};

// The same with curl_easy_perform: no second thread, and nothing else can be done meanwhile.
class EasyPerform {
 public:
  EasyPerform(const Wire& wire, const ProviderProcess& provider);
  ~EasyPerform();
  EasyPerform(const EasyPerform&) = delete;
  EasyPerform& operator=(const EasyPerform&) = delete;
  std::string chat(std::string_view model, std::string_view text);

 private:
  struct State;
  const Wire& wire_;
  const std::unique_ptr<State> state_;
};

}  // namespace mellea::bench
