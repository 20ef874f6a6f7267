// The provider that everything is measured against: a process of its own, on a core of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace mellea::bench {

// Starts it, and ends it. provider.cpp says what it can do.
class ProviderProcess {
 public:
  ProviderProcess();
  ~ProviderProcess();
  ProviderProcess(const ProviderProcess&) = delete;
  ProviderProcess& operator=(const ProviderProcess&) = delete;

  std::string url(std::string_view path = "/v1") const;
  std::string tls_url(std::string_view path = "/v1") const;
  int port() const { return port_; }
  const std::string& ca_file() const { return ca_file_; }

  struct Counters {
    std::int64_t connections = 0;  // ever accepted, the asking one not counted
    std::int64_t requests = 0;
    std::int64_t spans = 0;
  };
  Counters counters();

 private:
  pid_t process_ = 0;
  int port_ = 0;
  int tls_port_ = 0;
  std::string ca_file_;
  int asked_ = 0;  // how often for the counters, each time on a new connection
};

}  // namespace mellea::bench
