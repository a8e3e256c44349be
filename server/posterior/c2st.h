#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace somafit {

struct C2stOptions {
  int folds = 5;
  // Of the split into folds, and of every fold's first weights and shuffles.
  uint32_t seed = 1;
  int max_epochs = 10'000;
  // Nearly twice as fast in many dimensions. Scores then differ from
  // scikit-learn's in double precision, as other random numbers would have it.
  bool single_precision = false;
  // Asked between epochs; true ends with Cancelled.
  std::function<bool()> stop = {};
};

struct C2stScore {
  double score = 0;  // mean of the folds'
  std::vector<double> of_fold;
  int epochs = 0;  // in all folds
};

// Classifier two-sample test (D. Lopez-Paz, M. Oquab (2017), ICLR): how well a
// classifier that was trained on the rest tells draws of `x` [n_x x D] from
// draws of `y` [n_y x D]: 0.5 if they are of one distribution, 1 if they never
// meet. The protocol, constants included, is that of J.-M. Lueckmann et al.
// (2021), "Benchmarking simulation-based inference", AISTATS: columns
// standardized by mean and standard deviation of x; two hidden layers of 10 D
// rectifiers; Adam at 1e-3, batches of 200, L2 penalty 1e-4; until the loss of
// 10 epochs in a row is not 1e-4 below the best.
//
// Folds, first weights and shuffles are those that scikit-learn's KFold and
// MLPClassifier draw from a Mersenne twister with random_state = seed: scores
// depend on them by as much as 0.01 in two dimensions.
//
// InvalidArgument where a number is not finite (the score is undefined), there
// are fewer rows than folds, sizes do not fit, or a column of x is constant.
absl::StatusOr<C2stScore> C2st(std::span<const double> x,
                               std::span<const double> y, size_t d,
                               const C2stOptions& options = {});

}  // namespace somafit
