#pragma once

#include <string>
#include <string_view>

namespace somafit {

// SHA-256 as 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);
bool IsSha256Hex(std::string_view text);

// 128 random bits from the system as 32 hexadecimal digits: tokens, sessions,
// request ids. Not for anything that a fit's numbers depend on.
std::string RandomHex128();

// Compares in time that depends on the lengths only.
bool EqualSecrets(std::string_view a, std::string_view b);

}  // namespace somafit
