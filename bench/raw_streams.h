// The floor for many streams: sockets and epoll on one thread, and no HTTP to speak of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "measure.h"

namespace mellea::bench {

class RawStreams {
 public:
  // Opens `count` of them to the provider on that port.
  RawStreams(int port, const std::string& model, int count);
  ~RawStreams();
  RawStreams(const RawStreams&) = delete;
  RawStreams& operator=(const RawStreams&) = delete;

  // Reads until then and returns how many events came.
  std::int64_t read_until(Clock::time_point until);

 private:
  int epoll_;
  std::vector<int> sockets_;
};

}  // namespace mellea::bench
