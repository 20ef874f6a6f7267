// TLS for the LoopbackServer.
//
//   const CertificateAuthority authority;
//   LoopbackServer server({Script::answer(200, "")}, {.tls = server_tls(authority.issue())});
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "mellea/net/testing/certificates.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea {

struct ServerTlsOptions {
  // PEM: who must have signed the client's certificate. Empty: clients need none.
  std::string client_authority{};
  // Hears what a client offers to speak (ALPN): "h2,http/1.1". On the server's thread.
  std::function<void(const std::string& protocols)> offered{};
};

// Throws std::runtime_error if the certificate is none. May be shared by servers.
std::shared_ptr<const ServerTls> server_tls(const Certificate& certificate,
                                            const ServerTlsOptions& options = {});

}  // namespace mellea
