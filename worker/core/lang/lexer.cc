#include "worker/core/lang/lexer.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

constexpr std::string_view kKeywords[] = {
    "False",  "None",   "True",    "and",      "as",       "assert", "async",
    "await",  "break",  "class",   "continue", "def",      "del",    "elif",
    "else",   "except", "finally", "for",      "from",     "global", "if",
    "import", "in",     "is",      "lambda",   "nonlocal", "not",    "or",
    "pass",   "raise",  "return",  "try",      "while",    "with",   "yield"};

// Longer ones first.
constexpr std::string_view kPunctuation[] = {
    "**=", "//=", "<<=", ">>=", "**", "//", "<<", ">>", "<=", ">=", "==", "!=",
    "+=",  "-=",  "*=",  "/=",  "%=", ":=", "->", "&=", "|=", "^=", "+",  "-",
    "*",   "/",   "%",   "<",   ">",  "=",  "(",  ")",  "[",  "]",  "{",  "}",
    ",",   ":",   ".",   ";",   "@",  "^",  "&",  "|",  "~",  "!"};

struct Lookalike {
  std::string_view bytes, meaning;
};
constexpr Lookalike kLookalikes[] = {
    {"\xC2\xB5", "u"},     {"\xCE\xBC", "u"},      {"\xE2\x88\x92", "-"},
    {"\xE2\x80\x93", "-"}, {"\xC2\xB7", "*"},      {"\xC3\x97", "*"},
    {"\xE2\x8B\x85", "*"}, {"\xC2\xB2", "**2"},    {"\xC2\xB3", "**3"},
    {"\xCE\xA9", "ohm"},   {"\xC2\xA0", "a blank"}};

bool BeginsName(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool ContinuesName(char c) { return absl::ascii_isalnum(c) || c == '_'; }

class NumberReader {
 public:
  NumberReader(std::string_view text, Token& token)
      : text_(text), token_(token) {}

  // Returns the number of bytes.
  size_t Read() {
    if (text_.size() > 1 && text_[0] == '0') {
      switch (absl::ascii_tolower(text_[1])) {
        case 'x':
          return ReadPrefixed(16);
        case 'o':
          return ReadPrefixed(8);
        case 'b':
          return ReadPrefixed(2);
      }
    }
    return ReadDecimal();
  }

 private:
  size_t Bad(std::string error, std::string hint = "") {
    token_.kind = Token::Kind::kBad;
    token_.error = std::move(error);
    token_.hint = std::move(hint);
    while (at_ < text_.size() && ContinuesName(text_[at_])) ++at_;
    return std::max<size_t>(at_, 1);
  }

  static int DigitValue(char c) {
    if (absl::ascii_isdigit(c)) return c - '0';
    if (absl::ascii_isalpha(c)) return absl::ascii_tolower(c) - 'a' + 10;
    return 99;
  }

  // Digits with single underscores between them, appended to `digits_`; false
  // after an underscore in a wrong place.
  bool ReadDigits(int base) {
    bool after_digit = false;
    while (at_ < text_.size()) {
      if (DigitValue(text_[at_]) < base) {
        digits_ += text_[at_++];
        after_digit = true;
      } else if (text_[at_] == '_') {
        const bool before_digit =
            at_ + 1 < text_.size() && DigitValue(text_[at_ + 1]) < base;
        if (!after_digit || !before_digit) return false;
        ++at_;
        after_digit = false;
      } else {
        break;
      }
    }
    return true;
  }

  size_t ReadPrefixed(int base) {
    at_ = 2;
    if (at_ < text_.size() && text_[at_] == '_') ++at_;
    if (!ReadDigits(base) || digits_.empty() ||
        (at_ < text_.size() && ContinuesName(text_[at_]))) {
      return Bad("this is no number", "digits are missing or do not fit");
    }
    double value = 0;
    for (const char c : digits_) value = value * base + DigitValue(c);
    Finish(value, true);
    return at_;
  }

  size_t ReadDecimal() {
    constexpr char kUnderscore[] =
        "an underscore in a number must stand between two digits";
    bool integer = true;
    if (!ReadDigits(10)) return Bad(kUnderscore);
    const std::string whole = digits_;
    if (at_ < text_.size() && text_[at_] == '.') {
      integer = false;
      digits_ += text_[at_++];
      if (at_ < text_.size() && text_[at_] == '_') return Bad(kUnderscore);
      if (!ReadDigits(10)) return Bad(kUnderscore);
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      size_t digit = at_ + 1;
      if (digit < text_.size() &&
          (text_[digit] == '+' || text_[digit] == '-')) {
        ++digit;
      }
      if (digit < text_.size() && absl::ascii_isdigit(text_[digit])) {
        integer = false;
        digits_.append(text_.substr(at_, digit - at_));
        at_ = digit;
        if (!ReadDigits(10)) return Bad(kUnderscore);
      }
    }
    if (at_ < text_.size() && (text_[at_] == 'j' || text_[at_] == 'J')) {
      return Bad("imaginary numbers are not part of the language");
    }
    if (at_ < text_.size() && ContinuesName(text_[at_])) {
      return Bad("a number runs into a name",
                 "there is no implicit multiplication: write `*` between them");
    }
    if (integer && whole.size() > 1 && whole[0] == '0' &&
        whole.find_first_not_of('0') != std::string::npos) {
      return Bad("an integer must not begin with 0", "leave the zeros out");
    }
    double value = 0;
    // Overflow gives inf and underflow 0, as in the language.
    if (!absl::SimpleAtod(digits_, &value)) return Bad("this is no number");
    Finish(value, integer);
    return at_;
  }

  void Finish(double value, bool integer) {
    constexpr double kGreatestInteger = 9007199254740992.0;  // 2^53
    token_.kind = Token::Kind::kNumber;
    token_.value = value;
    token_.integer = integer && value <= kGreatestInteger;
  }

  std::string_view text_;
  Token& token_;
  size_t at_ = 0;
  std::string digits_;  // without underscores
};

size_t ReadUnknown(std::string_view rest, Token& token) {
  token.kind = Token::Kind::kBad;
  if (rest[0] == '"' || rest[0] == '\'') {
    token.error = "text in quotes is not part of the language";
    return 1;
  }
  if (rest[0] == '\\') {
    token.error = "a backslash is not part of the language";
    token.hint = "a formula may run on over lines without any mark";
    return 1;
  }
  for (const Lookalike& each : kLookalikes) {
    if (rest.substr(0, each.bytes.size()) != each.bytes) continue;
    token.error = "this character is not ASCII";
    token.hint =
        absl::StrCat("write `", std::string(each.meaning), "` instead");
    if (each.meaning == "a blank") token.hint = "write an ordinary blank";
    return each.bytes.size();
  }
  size_t length = 1;
  while (length < rest.size() && length < 4 &&
         (static_cast<unsigned char>(rest[length]) & 0xC0) == 0x80) {
    ++length;
  }
  token.error = absl::StrCat(
      "the byte 0x",
      absl::Hex(static_cast<unsigned char>(rest[0]), absl::kZeroPad2),
      " is not part of the language");
  return length;
}

}  // namespace

bool IsKeyword(std::string_view word) {
  return std::find(std::begin(kKeywords), std::end(kKeywords), word) !=
         std::end(kKeywords);
}

Token LexToken(std::string_view text, size_t offset, size_t end) {
  text = text.substr(0, end);
  Token token;
  token.first_on_line = offset == 0;
  size_t at = std::min(offset, text.size());
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      if (at == text.size()) break;
      token.first_on_line = true;
    } else if (c == '\n') {
      token.first_on_line = true;
    } else if (c != ' ' && c != '\t' && c != '\r' && c != '\f' && c != '\v') {
      break;
    }
  }
  const std::string_view rest = text.substr(at);
  size_t length = 0;
  if (rest.empty()) {
    token.kind = Token::Kind::kEnd;
  } else if (BeginsName(rest[0])) {
    token.kind = Token::Kind::kName;
    while (length < rest.size() && ContinuesName(rest[length])) ++length;
  } else if (absl::ascii_isdigit(rest[0]) ||
             (rest[0] == '.' && rest.size() > 1 &&
              absl::ascii_isdigit(rest[1]))) {
    length = NumberReader(rest, token).Read();
  } else {
    for (const std::string_view punctuation : kPunctuation) {
      if (rest.substr(0, punctuation.size()) != punctuation) continue;
      token.kind = Token::Kind::kOperator;
      length = punctuation.size();
      break;
    }
    if (length == 0) length = ReadUnknown(rest, token);
  }
  token.text = rest.substr(0, length);
  token.span = {at, at + length};
  return token;
}

}  // namespace somafit
