// Certificates made on the spot, good ones and bad ones, and files to put them in.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mellea {

// A certificate and its private key, both PEM.
struct Certificate {
  std::string certificate{};
  std::string key{};
};

struct CertificateOptions {
  std::vector<std::string> names = {"DNS:localhost", "IP:127.0.0.1"};  // as OpenSSL writes them
  bool expired = false;  // yesterday; else it ends tomorrow
};

Certificate self_signed(const CertificateOptions& options = {});

// Signs certificates of servers and clients. Nobody trusts it who was not given certificate().
class CertificateAuthority {
 public:
  CertificateAuthority();
  ~CertificateAuthority();
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;

  Certificate issue(const CertificateOptions& options = {}) const;
  std::string certificate() const;  // its own, PEM

 private:
  struct Keys;
  const std::unique_ptr<Keys> keys_;
};

// A file with that text in the folder for temporary files; it goes with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view text);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace mellea
