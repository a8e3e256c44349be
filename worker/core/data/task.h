#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/core/data/fit_spec.h"

namespace somafit {

// The number of the round to simulations outside all rounds: as long after any
// that what fades with them has gone.
inline constexpr int64_t kAfterAllRounds = 1'000'000'000;

// Points in a worker's hands: a slice of a round, whose errors are wanted, or
// of a request for traces.
struct Task {
  std::string lease;
  std::string fit;  // "fits/NAME"
  int32_t stage = 0;
  int64_t round = 0;
  int64_t first_sample = 0;  // of a request: its first point
  // What a model's random numbers are drawn by: the fit's seed, and a number of
  // the first point, from which those of the others count on.
  uint64_t seed = 0;
  int64_t first_realization = 0;
  // What a model may ask for: its round's number, the first point's number
  // within the round, and how many points that has.
  int64_t iteration = 0;
  int64_t first_in_round = 0;
  int64_t n_in_round = 0;
  std::vector<std::vector<double>> points;  // SI
  // Per point: with a total error above it a sample is of no use, and need not
  // be simulated to its end. Empty: all are of use.
  std::vector<double> limits = {};
  // What to do with them:
  std::string model_hash;
  std::string dataset_hash;
  double dt = 0;  // [s]
  std::vector<std::string> parameters;
  std::vector<MetricSpec> metrics;  // terms of the total error
  std::string penalty = {};         // as FitSpec has it
  // Of an inference: wanted in place of errors, Evaluation::trace_errors
  // [feature][trace].
  std::vector<FeatureSpec> features = {};
  std::vector<std::string> recorded;  // variables whose traces are wanted, in
                                      // place of errors; empty: errors are
};

}  // namespace somafit
