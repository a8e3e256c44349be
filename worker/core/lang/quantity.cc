#include "worker/core/lang/quantity.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/dimension_check.h"
#include "worker/core/lang/expression_check.h"
#include "worker/core/lang/expression_parser.h"
#include "worker/core/lang/functions.h"
#include "worker/core/lang/names.h"
#include "worker/core/lang/parser.h"
#include "worker/core/lang/random.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

struct Evaluated {
  Expression expression;
  Quantity quantity;
};

bool CheckSize(const Source& source, Diagnostics& diagnostics) {
  if (source.text.size() <= kMaxSourceBytes) return true;
  diagnostics.FieldError(
      "E_SYNTAX", source.field,
      absl::StrCat("the text has ", source.text.size(), " bytes, at most ",
                   kMaxSourceBytes, " are read"));
  return false;
}

// The part [begin, end) of the text.
std::optional<Evaluated> Evaluate(
    const Source& source, size_t begin, size_t end,
    const std::map<std::string, Quantity>& constants,
    Diagnostics& diagnostics) {
  ParsedExpression parsed = ReadExpression(source.text, begin, end);
  if (parsed.error) {
    diagnostics.Error("E_SYNTAX", source, parsed.error->span,
                      parsed.error->message, parsed.error->hint);
    return std::nullopt;
  }
  if (const Node* const random = FindRandom(parsed.expression)) {
    diagnostics.Error("E_STATEFUL", source, random->span,
                      absl::StrCat(Quoted(PrintExpression(parsed.expression)),
                                   " has random numbers, a quantity must be "
                                   "known beforehand"));
    return std::nullopt;
  }
  const auto find = [&constants](const std::string& name) {
    Binding binding;
    if (const auto meaning = FindDefaultConstant(name)) {
      binding.kind = Binding::Kind::kKnown;
      binding.meaning = *meaning;
    } else if (FindFunction(name) != nullptr) {
      return binding;
    } else if (const auto found = constants.find(name);
               found != constants.end()) {
      binding.kind = Binding::Kind::kKnown;
      binding.meaning.value = found->second.value;
      binding.meaning.dimension = found->second.dimension;
    }
    return binding;
  };
  const auto candidates = [&constants] {
    std::vector<std::string> names;
    for (const auto& [name, quantity] : constants) names.push_back(name);
    return names;
  };
  const Scope scope{source, "", find, candidates};
  const Checked checked =
      CheckExpression(parsed.expression, scope, diagnostics);
  if (!checked.dimension || !checked.value) return std::nullopt;
  if (checked.type == ValueType::kBoolean) {
    diagnostics.Error("E_TYPE", source,
                      parsed.expression.nodes[parsed.expression.root].span,
                      absl::StrCat(Quoted(PrintExpression(parsed.expression)),
                                   " is a truth value, not a number"),
                      "wrap it in int(...)");
    return std::nullopt;
  }
  if (std::isnan(*checked.value)) {
    diagnostics.Error("E_VALUE", source,
                      parsed.expression.nodes[parsed.expression.root].span,
                      absl::StrCat(Quoted(PrintExpression(parsed.expression)),
                                   " is not a number"));
    return std::nullopt;
  }
  return Evaluated{std::move(parsed.expression),
                   {*checked.value, *checked.dimension}};
}

std::optional<double> EvaluateOf(const Source& source, size_t begin, size_t end,
                                 const Dimension& dimension,
                                 Diagnostics& diagnostics) {
  const auto evaluated = Evaluate(source, begin, end, {}, diagnostics);
  if (!evaluated ||
      !CheckDimension(evaluated->expression, evaluated->quantity.dimension,
                      dimension, Quoted(source.field), source, diagnostics)) {
    return std::nullopt;
  }
  return evaluated->quantity.value;
}

}  // namespace

std::optional<Quantity> EvaluateQuantity(
    const Source& source, const std::map<std::string, Quantity>& constants,
    Diagnostics& diagnostics) {
  if (!CheckSize(source, diagnostics)) return std::nullopt;
  const auto evaluated =
      Evaluate(source, 0, source.text.size(), constants, diagnostics);
  if (!evaluated) return std::nullopt;
  return evaluated->quantity;
}

std::optional<double> EvaluateQuantityOf(const Source& source,
                                         const Dimension& dimension,
                                         Diagnostics& diagnostics) {
  if (!CheckSize(source, diagnostics)) return std::nullopt;
  return EvaluateOf(source, 0, source.text.size(), dimension, diagnostics);
}

std::optional<std::pair<double, double>> EvaluateBounds(
    const Source& source, const Dimension& dimension,
    Diagnostics& diagnostics) {
  if (!CheckSize(source, diagnostics)) return std::nullopt;
  const std::string_view text = source.text;
  const Token open = LexToken(text, 0, text.size());
  Token comma, close, last;
  int n_commas = 0;
  int depth = 0;
  for (Token token = open; token.kind != Token::Kind::kEnd;
       token = LexToken(text, token.span.end, text.size())) {
    if (token.Is("(") || token.Is("[")) ++depth;
    if (token.Is(")") || token.Is("]")) --depth;
    if (token.Is(",") && depth == 1 && ++n_commas == 1) comma = token;
    last = token;
  }
  if (!open.Is("[") || !last.Is("]") || depth != 0 || n_commas != 1) {
    diagnostics.Error("E_SYNTAX", source, {open.span.begin, last.span.end},
                      absl::StrCat(Quoted(text), " is no pair of bounds"),
                      "write `[low, high]`, e.g. `[1*nS, 20*nS]`");
    return std::nullopt;
  }
  const auto low = EvaluateOf(source, open.span.end, comma.span.begin,
                              dimension, diagnostics);
  const auto high = EvaluateOf(source, comma.span.end, last.span.begin,
                               dimension, diagnostics);
  if (!low || !high) return std::nullopt;
  const Span all{open.span.begin, last.span.end};
  if (!std::isfinite(*low) || !std::isfinite(*high)) {
    diagnostics.Error(
        "E_BOUNDS", source, all,
        absl::StrCat("the bounds ", Quoted(text), " are not both finite"));
    return std::nullopt;
  }
  if (!(*low < *high)) {
    diagnostics.Error("E_BOUNDS", source, all,
                      absl::StrCat("the lower bound ", ShortestText(*low),
                                   " is not below the upper bound ",
                                   ShortestText(*high), " (SI)"),
                      "write the smaller one first");
    return std::nullopt;
  }
  return std::pair(*low, *high);
}

std::string UnitExpression(const Dimension& dimension) {
  return UnitFormula(dimension);
}

}  // namespace somafit
