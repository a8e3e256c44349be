#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/objective/feature.h"

namespace somafit {

// One feature of an inference, checked.
struct FeatureTerm {
  std::string name;
  size_t output = 0;  // its number in the dataset
  FeatureConfig config;
  std::unique_ptr<Feature> feature;  // nullptr: the raw trace, raw_traces.h
  Dimension dimension;
  std::string unit;  // of the dimension, for people: "volt", "1"
};

// Checks features against `dataset`. Names are filled in: "<output>_<feature>",
// of a raw trace "<output>", with "_2", "_3" and so on behind it where that is
// taken. `dt` [s] is nullopt
// where it is wrong itself. Of a dataset without traces, an outline, windows
// are not checked. Without errors there is one term per spec, in their order;
// mistakes are reported under "inference.features.<name>": unknown outputs and
// features, those of the other family, options, names that cannot be or are
// given twice, features that are the same, windows (CheckWindow) and recorded
// trains (CheckTrain) on any trace, none at all, too many, raw traces beside
// other features.
std::vector<FeatureTerm> MakeFeatures(std::vector<FeatureSpec>& specs,
                                      const Dataset& dataset,
                                      std::optional<double> dt,
                                      Diagnostics& diagnostics);

// A column of x.
struct FeatureColumn {
  std::string name;  // "v_max_trace_0"
  size_t feature = 0, trace = 0;
  Dimension dimension;
  std::string unit;
};

// The columns of x: output by output, in the dataset's order; of each, trace by
// trace; of each, feature by feature, in the order of `terms`, which are not
// raw traces.
std::vector<FeatureColumn> FeatureColumns(const std::vector<FeatureTerm>& terms,
                                          const Dataset& dataset);

// `values[feature][trace]`, as workers report them, in the order of `columns`,
// which are all of `n_traces` traces.
std::vector<double> InOrderOfX(const std::vector<FeatureColumn>& columns,
                               size_t n_traces, std::span<const double> values);

// The recordings' x, by the code that looks at simulations. NaN where a step
// that a feature is made of is missing, or it has no value.
std::vector<double> ObserveFeatures(const std::vector<FeatureTerm>& terms,
                                    const Dataset& dataset);

// Reports each feature that `x`, of ObserveFeatures, has no finite number for,
// with its first such trace: there is no posterior without an observation.
void CheckObservation(const std::vector<FeatureTerm>& terms,
                      const Dataset& dataset, std::span<const double> x,
                      Diagnostics& diagnostics);

}  // namespace somafit
