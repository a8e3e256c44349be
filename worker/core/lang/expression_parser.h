#pragma once

#include <optional>
#include <string>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/lexer.h"
#include "worker/core/lang/source.h"

namespace somafit {

// Why a text is no expression.
struct SyntaxError {
  Span span;
  std::string message;
  std::string hint;
  // What precedes the offending token is a whole expression by itself.
  bool after_whole = false;
  Token token;
};

struct ParsedExpression {
  Expression expression;  // invalid when there is an error
  std::optional<SyntaxError> error;
};

// Reads text[begin, end) as one expression (language, section 1.3).
ParsedExpression ReadExpression(std::string_view text, size_t begin,
                                size_t end);

}  // namespace somafit
