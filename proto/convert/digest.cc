#include "proto/convert/digest.h"

#include <array>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "worker/core/base/check.h"

namespace somafit {
namespace {

std::string Hex(const unsigned char* bytes, size_t n) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * n);
  for (size_t i = 0; i < n; ++i) {
    text.push_back(kDigits[bytes[i] >> 4]);
    text.push_back(kDigits[bytes[i] & 15]);
  }
  return text;
}

}  // namespace

std::string Sha256Hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  SOMAFIT_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size,
                           EVP_sha256(), nullptr) == 1);
  return Hex(digest.data(), size);
}

bool IsSha256Hex(std::string_view text) {
  return text.size() == 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string RandomHex128() {
  std::array<unsigned char, 16> bytes;
  SOMAFIT_CHECK(RAND_bytes(bytes.data(), bytes.size()) == 1);
  return Hex(bytes.data(), bytes.size());
}

bool EqualSecrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace somafit
