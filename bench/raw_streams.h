// The floor for many streams: sockets and epoll on one thread, and no HTTP to speak of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "measure.h"
#include "wire.h"

namespace mellea::bench {

class RawStreams {
 public:
  // Opens `count` of them.
  RawStreams(const Wire& wire, const ProviderProcess& provider, const std::string& model,
             int count);
  ~RawStreams();
  RawStreams(const RawStreams&) = delete;
  RawStreams& operator=(const RawStreams&) = delete;

  // Reads until then and returns how many events came.
  std::int64_t read_until(Clock::time_point until);

 private:
  const Wire& wire_;
  int epoll_;
  std::vector<int> sockets_;
};

}  // namespace mellea::bench
