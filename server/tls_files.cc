#include "server/tls_files.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "worker/core/base/status.h"

namespace somafit {
namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

absl::StatusOr<std::string> ReadPem(const std::string& option,
                                    const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, ": cannot read ", path, ": ",
                     errno != 0 ? std::strerror(errno) : "it is empty"));
  }
  return text.str();
}

BioPtr Reader(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
                &BIO_free);
}

absl::StatusOr<X509Ptr> ReadCertificate(const std::string& option,
                                        const std::string& path,
                                        const std::string& text) {
  const BioPtr reader = Reader(text);
  X509Ptr certificate(
      PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr), &X509_free);
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, ": ", path,
                     " holds no certificate in PEM (it should begin "
                     "with \"-----BEGIN CERTIFICATE-----\")"));
  }
  return certificate;
}

// An encrypted key would ask on the terminal.
int NoPassword(char*, int, int, void*) { return 0; }

}  // namespace

absl::StatusOr<TlsFiles> ReadTlsFiles(const std::string& certificate_path,
                                      const std::string& key_path,
                                      const std::string& ca_path) {
  TlsFiles files;
  SOMAFIT_ASSIGN_OR_RETURN(files.certificate,
                           ReadPem("--tls-cert", certificate_path));
  SOMAFIT_ASSIGN_OR_RETURN(files.key, ReadPem("--tls-key", key_path));
  SOMAFIT_ASSIGN_OR_RETURN(
      const X509Ptr certificate,
      ReadCertificate("--tls-cert", certificate_path, files.certificate));
  const BioPtr reader = Reader(files.key);
  const KeyPtr key(
      PEM_read_bio_PrivateKey(reader.get(), nullptr, &NoPassword, nullptr),
      &EVP_PKEY_free);
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-key: ", key_path,
                     " holds no private key in PEM, or one with a password; "
                     "give one without"));
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-key: ", key_path,
                     " is not the key of the certificate ", certificate_path));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-cert: ", certificate_path, " has expired; renew it"));
  }
  files.ca = files.certificate;
  if (!ca_path.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(files.ca, ReadPem("--tls-ca", ca_path));
    SOMAFIT_RETURN_IF_ERROR(
        ReadCertificate("--tls-ca", ca_path, files.ca).status());
  }
  return files;
}

}  // namespace somafit
