// Where requests go.
#pragma once

#include <string>

namespace mellea {

// For the attributes server.address and server.port.
struct Endpoint {
  std::string address{};
  int port = 0;        // 0: none
  bool local = false;  // in this process, or in a child of it
};

}  // namespace mellea
