#pragma once

#include <span>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/objective/feature_terms.h"
#include "worker/core/objective/x_columns.h"

namespace somafit {

// Raw traces as x: the feature "trace" is no number but the trace itself, of
// which each step of its window, or one of `every` steps, is a column of x.

// Of an output on a trace, at most; a sample has these as float32.
inline constexpr size_t kMaxRawColumns = 200'000;

// What x is where no feature is given: the traces of all outputs. Reports an
// output that has none, spikes.
std::vector<FeatureSpec> TracesOfOutputs(const Dataset& dataset,
                                         Diagnostics& diagnostics);

// Whether terms of MakeFeatures are raw traces; all are, or none is.
bool AreRawTraces(const std::vector<FeatureTerm>& terms);

// The columns of x: output by output, in the dataset's order; of each, trace by
// trace; of each, window by window, in the order of `terms`; of each, step by
// step. REQUIRES: AreRawTraces(terms).
XColumns RawColumns(const std::vector<FeatureTerm>& terms,
                    const Dataset& dataset);

// A number of a trace as x has it: rounded to float32.
float RawNumber(double value);

// The recordings' x. NaN where a step is missing.
std::vector<double> ObserveTraces(const XColumns& columns,
                                  const Dataset& dataset);

// Reports, once a term, the first column of `x`, of ObserveTraces, that is not
// finite: there is no posterior without an observation.
void CheckTraces(const XColumns& columns, std::span<const double> x,
                 Diagnostics& diagnostics);

}  // namespace somafit
