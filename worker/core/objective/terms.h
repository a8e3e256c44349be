#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/objective/metric.h"

namespace somafit {

// One term of the total error: what it compares, and how.
struct Term {
  std::string name;
  // Numbers of outputs: those of the dataset, then the errors that the model
  // itself computes (ErrorExpressions).
  std::vector<size_t> outputs;
  std::unique_ptr<Metric> metric;
  Dimension output_dimension;  // of what is compared; of a mixed group none
  Dimension error_dimension;   // of the normalized error
  // Of an expression that names targets which have missing points: per trace,
  // NaN where one of them is missing, else 0. Empty: it counts everywhere.
  std::vector<std::vector<double>> counted = {};
};

// Checks the terms of an error against `dataset`: `specs` is replaced by all
// terms, in this order: outputs of the dataset that are in no term of another
// name, and whose target no expression names, with their own term or the
// default one; then the others, as given. Names of metrics are filled in. `dt`
// is nullopt where it is wrong itself. Without errors there is one Term per
// spec; mistakes are reported under "metrics.<name>".
std::vector<Term> MakeTerms(std::vector<MetricSpec>& specs,
                            const Dataset& dataset, std::optional<double> dt,
                            Diagnostics& diagnostics);

// Whether each term compares one output, each another, by a mean of squares
// (Metric::SquareWeights): the total error then only grows while a simulation
// goes on.
bool AreMeanSquares(const std::vector<Term>& terms, const Dataset& dataset);

// The outputs that a term compares, as it names them.
std::vector<std::string> ComparedBy(const MetricSpec& spec);

// Series that no dataset has, whose target is 0: what a model computes of the
// errors that are written in its language, one per term of the metric
// `expression`, in their order.
struct ErrorExpression {
  std::string name;  // the term's, and that of a subexpression of the model
  std::string text;
  std::string unit;  // "1" where none is given
};
// Reports texts that are no single expression, and names that cannot name one.
std::vector<ErrorExpression> ErrorExpressions(
    const std::vector<MetricSpec>& specs, Diagnostics& diagnostics);
// Those of `specs` that change what a model computes.
std::vector<MetricSpec> ExpressionTerms(const std::vector<MetricSpec>& specs);
// What a program observes: the dataset's outputs, then these.
std::vector<Channel> Observed(const Dataset& dataset,
                              const std::vector<ErrorExpression>& expressions,
                              Diagnostics& diagnostics);
// `model` with these as further subexpressions, on lines behind its own.
ModelSource WithErrorExpressions(
    ModelSource model, const std::vector<ErrorExpression>& expressions);

// Where the targets of a term's outputs are on a trace; of an expression
// Term::counted, or `zeros`, which has as many numbers as there are steps at
// least.
std::vector<std::span<const double>> TargetsOf(
    const Term& term, const Dataset& dataset, size_t trace,
    const std::vector<double>& zeros);

}  // namespace somafit
