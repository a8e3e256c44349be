// Errors written in the model language: see terms.h.

#include <utility>

#include "absl/strings/ascii.h"

#include "worker/core/lang/quantity.h"
#include "worker/core/objective/spec_fields.h"
#include "worker/core/objective/terms.h"

namespace somafit {
namespace {

constexpr size_t kMaxExpression = 4096;

}  // namespace

std::vector<ErrorExpression> ErrorExpressions(
    const std::vector<MetricSpec>& specs, Diagnostics& diagnostics) {
  std::vector<ErrorExpression> expressions;
  for (const MetricSpec& spec : specs) {
    if (!IsExpression(spec)) continue;
    const std::string field = FieldOf(spec);
    const std::string* const text = FindOption(spec, "expression");
    const std::string* const unit = FindOption(spec, "unit");
    if (text == nullptr) continue;  // reported as missing
    ErrorExpression expression{spec.output, *text,
                               unit == nullptr ? "1" : *unit};
    if (!IsIdentifier(spec.output)) {
      diagnostics.FieldError(
          "E_METRIC", field + ".output",
          absl::StrCat(Shown(spec.output), " cannot name an expression"),
          "use letters, digits and \"_\", not beginning with a digit");
      continue;
    }
    // One line and no more: what follows would be an equation of its own.
    bool plain = true;
    for (const auto* each : {&expression.text, &expression.unit}) {
      if (each->empty() || each->size() > kMaxExpression ||
          each->find_first_of("\n\r#:;\\") != std::string::npos) {
        diagnostics.FieldError(
            "E_METRIC",
            field + (each == &expression.text ? ".expression" : ".unit"),
            absl::StrCat(Shown(*each), " is not one expression"),
            "write a single expression on one line, without \":\" or \"#\"");
        plain = false;
      }
    }
    if (plain) expressions.push_back(std::move(expression));
  }
  return expressions;
}

std::vector<MetricSpec> ExpressionTerms(const std::vector<MetricSpec>& specs) {
  std::vector<MetricSpec> terms;
  for (const MetricSpec& spec : specs) {
    if (IsExpression(spec)) terms.push_back(spec);
  }
  return terms;
}

std::vector<Channel> Observed(const Dataset& dataset,
                              const std::vector<ErrorExpression>& expressions,
                              Diagnostics& diagnostics) {
  std::vector<Channel> observed = dataset.outputs;
  for (const ErrorExpression& each : expressions) {
    const auto unit = EvaluateQuantity(
        {absl::StrCat("metrics.", each.name, ".unit"), each.unit}, {},
        diagnostics);
    observed.push_back({each.name, unit ? unit->dimension : kNoDimension});
  }
  return observed;
}

ModelSource WithErrorExpressions(
    ModelSource model, const std::vector<ErrorExpression>& expressions) {
  for (const ErrorExpression& each : expressions) {
    absl::StrAppend(&model.equations, "\n", each.name, " = ", each.text, " : ",
                    each.unit);
  }
  return model;
}

}  // namespace somafit
