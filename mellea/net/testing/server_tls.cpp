#include "mellea/net/testing/server_tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace mellea {
namespace {

struct FreedByOpenSsl {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(SSL* connection) const noexcept { SSL_free(connection); }
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreedByOpenSsl>;

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

Owned<BIO> reading(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Owned<X509> certificate_of(const std::string& pem) {
  Owned<X509> certificate(PEM_read_bio_X509(reading(pem).get(), nullptr, nullptr, nullptr));
  check(certificate != nullptr, "no certificate");
  return certificate;
}

// The handshake happens on the way, within read() and write().
class TlsChannel final : public Channel {
 public:
  explicit TlsChannel(Owned<SSL> connection) : connection_(std::move(connection)) {}

  ssize_t read(char* into, std::size_t size) override {
    return done(SSL_read(connection_.get(), into, static_cast<int>(size)));
  }
  ssize_t write(std::string_view bytes) override {
    return done(SSL_write(connection_.get(), bytes.data(), static_cast<int>(bytes.size())));
  }
  void say_goodbye() override { SSL_shutdown(connection_.get()); }

 private:
  // As recv() has it; EPROTO for what is wrong with TLS itself.
  ssize_t done(int result) {
    if (result > 0) return result;
    const int system_error = errno;
    switch (SSL_get_error(connection_.get(), result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: errno = EAGAIN; break;
      case SSL_ERROR_ZERO_RETURN: return 0;
      case SSL_ERROR_SSL: errno = EPROTO; break;
      default: errno = system_error == 0 ? ECONNRESET : system_error;
    }
    ERR_clear_error();
    return -1;
  }

  const Owned<SSL> connection_;
};

using Offered = std::function<void(const std::string&)>;

// The list is of names with a byte for the length before each. HTTP/1.1 is all that is spoken here.
int take_offer(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
               const unsigned char* list, unsigned size, void* offered) {
  std::string protocols;
  int result = SSL_TLSEXT_ERR_NOACK;
  for (unsigned at = 0; at < size; at += 1U + list[at]) {
    const std::string name(reinterpret_cast<const char*>(list) + at + 1, list[at]);
    protocols += (protocols.empty() ? "" : ",") + name;
    if (name != "http/1.1") continue;
    *chosen = list + at + 1;
    *chosen_size = list[at];
    result = SSL_TLSEXT_ERR_OK;
  }
  (*static_cast<const Offered*>(offered))(protocols);
  return result;
}

class Context final : public ServerTls {
 public:
  Context(Owned<SSL_CTX> context, Offered offered)
      : context_(std::move(context)), offered_(std::move(offered)) {
    if (offered_) SSL_CTX_set_alpn_select_cb(context_.get(), &take_offer, &offered_);
  }

  std::unique_ptr<Channel> accept(int socket) const override {
    Owned<SSL> connection(SSL_new(context_.get()));
    check(connection && SSL_set_fd(connection.get(), socket) == 1, "SSL_new");
    SSL_set_accept_state(connection.get());
    return std::make_unique<TlsChannel>(std::move(connection));
  }

 private:
  const Owned<SSL_CTX> context_;
  Offered offered_;
};

}  // namespace

std::shared_ptr<const ServerTls> server_tls(const Certificate& certificate,
                                            const ServerTlsOptions& options) {
  Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  check(context != nullptr, "SSL_CTX_new");
  // What a script writes is written again with other bytes behind it when the socket was full.
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  const Owned<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(reading(certificate.key).get(), nullptr, nullptr, nullptr));
  check(SSL_CTX_use_certificate(context.get(), certificate_of(certificate.certificate).get()) == 1,
        "the certificate");
  check(key && SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1, "the key");
  if (!options.client_authority.empty()) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()),
                        certificate_of(options.client_authority).get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return std::make_shared<Context>(std::move(context), options.offered);
}

}  // namespace mellea
