#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "worker/core/lang/source.h"

namespace somafit {

// A word of the language. Keywords are names here.
struct Token {
  enum class Kind : uint8_t {
    kEnd,
    kNumber,
    kName,
    kOperator,  // and other punctuation: "**", "(", ":", ...
    kBad,       // nothing that occurs in the language, see `error`
  };
  Kind kind = Kind::kEnd;
  std::string_view text;
  Span span;
  bool first_on_line = false;
  double value = 0;      // kNumber
  bool integer = false;  // kNumber
  std::string error;     // kBad: what is wrong, as one clause
  std::string hint;      // kBad: the remedy, or ""

  bool Is(std::string_view punctuation) const {
    return kind == Kind::kOperator && text == punctuation;
  }
  bool IsName() const { return kind == Kind::kName; }
  bool IsName(std::string_view name) const { return IsName() && text == name; }
};

// The token at or after `offset` and before `end`, past blanks, newlines and
// comments. Going on from token.span.end visits all; each but kEnd has at least
// one byte. A pure function: looking ahead needs no state.
Token LexToken(std::string_view text, size_t offset, size_t end);

// A word that Python, and with it the language, keeps for itself.
bool IsKeyword(std::string_view word);

}  // namespace somafit
