#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/core/data/fit_spec.h"

namespace somafit {

// Points in a worker's hands: a slice of a round, whose errors are wanted, or
// of a request for traces.
struct Task {
  std::string lease;
  std::string fit;  // "fits/NAME"
  int32_t stage = 0;
  int64_t round = 0;
  int64_t first_sample = 0;                 // of a request: its first point
  std::vector<std::vector<double>> points;  // SI
  // What to do with them:
  std::string model_hash;
  std::string dataset_hash;
  double dt = 0;  // [s]
  std::vector<std::string> parameters;
  std::vector<MetricSpec> metrics;    // one per output of the dataset
  std::vector<std::string> recorded;  // variables whose traces are wanted, in
                                      // place of errors; empty: errors are
};

}  // namespace somafit
