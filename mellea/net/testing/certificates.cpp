#include "mellea/net/testing/certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace mellea {
namespace {

struct FreedByOpenSsl {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const noexcept { X509_EXTENSION_free(extension); }
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreedByOpenSsl>;

constexpr long kDay = 24L * 60 * 60;

template <typename T>
T checked(T result, const char* what) {
  if (!result) throw std::runtime_error(std::string("OpenSSL: ") + what);
  return result;
}

Owned<EVP_PKEY> new_key() { return Owned<EVP_PKEY>(checked(EVP_EC_gen("P-256"), "EVP_EC_gen")); }

void add_extension(X509& certificate, int which, const std::string& value) {
  const Owned<X509_EXTENSION> extension(
      checked(X509V3_EXT_conf_nid(nullptr, nullptr, which, value.c_str()), value.c_str()));
  checked(X509_add_ext(&certificate, extension.get(), -1), "X509_add_ext");
}

void set_name(X509_NAME& name, const char* text) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text);
  checked(X509_NAME_add_entry_by_txt(&name, "CN", MBSTRING_ASC, bytes, -1, -1, 0), "the name");
}

// Not yet signed; its issuer is itself.
Owned<X509> new_certificate(EVP_PKEY& key, const char* name, bool expired) {
  Owned<X509> certificate(checked(X509_new(), "X509_new"));
  X509_set_version(certificate.get(), X509_VERSION_3);
  static_assert(sizeof(long) >= 8);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()),
                   static_cast<long>(reinterpret_cast<std::uintptr_t>(certificate.get())));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), expired ? -kDay : kDay);
  set_name(*X509_get_subject_name(certificate.get()), name);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  X509_set_pubkey(certificate.get(), &key);
  return certificate;
}

Owned<X509> new_certificate(EVP_PKEY& key, const CertificateOptions& options) {
  Owned<X509> certificate = new_certificate(key, "a test", options.expired);
  std::string names;
  for (const std::string& name : options.names) names += (names.empty() ? "" : ",") + name;
  add_extension(*certificate, NID_subject_alt_name, names);
  return certificate;
}

void sign(X509& certificate, EVP_PKEY& key) {
  checked(X509_sign(&certificate, &key, EVP_sha256()), "X509_sign");
}

template <typename Write>
std::string pem(const Write& write) {
  const Owned<BIO> bio(checked(BIO_new(BIO_s_mem()), "BIO_new"));
  checked(write(bio.get()), "writing PEM");
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string pem(X509& certificate) {
  return pem([&](BIO* bio) { return PEM_write_bio_X509(bio, &certificate); });
}

std::string pem(EVP_PKEY& key) {
  return pem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, &key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace

Certificate self_signed(const CertificateOptions& options) {
  const Owned<EVP_PKEY> key = new_key();
  const Owned<X509> certificate = new_certificate(*key, options);
  sign(*certificate, *key);
  return {.certificate = pem(*certificate), .key = pem(*key)};
}

struct CertificateAuthority::Keys {
  const Owned<EVP_PKEY> key = new_key();
  // A name of its own, or OpenSSL would take one authority for another.
  const std::string name =
      "authority " + std::to_string(reinterpret_cast<std::uintptr_t>(key.get()));
  const Owned<X509> certificate = new_certificate(*key, name.c_str(), false);
};

CertificateAuthority::CertificateAuthority() : keys_(std::make_unique<Keys>()) {
  add_extension(*keys_->certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(*keys_->certificate, NID_key_usage, "critical,keyCertSign");
  sign(*keys_->certificate, *keys_->key);
}
CertificateAuthority::~CertificateAuthority() = default;

Certificate CertificateAuthority::issue(const CertificateOptions& options) const {
  const Owned<EVP_PKEY> key = new_key();
  const Owned<X509> certificate = new_certificate(*key, options);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(keys_->certificate.get()));
  sign(*certificate, *keys_->key);
  return {.certificate = pem(*certificate), .key = pem(*key)};
}

std::string CertificateAuthority::certificate() const { return pem(*keys_->certificate); }

TemporaryFile::TemporaryFile(std::string_view text)
    : path_(std::filesystem::temp_directory_path() / "mellea-XXXXXX") {
  const int file = ::mkstemp(path_.data());
  if (file < 0) throw std::system_error(errno, std::generic_category(), path_);
  ::close(file);
  std::ofstream(path_) << text;
}
TemporaryFile::~TemporaryFile() { ::unlink(path_.c_str()); }

}  // namespace mellea
