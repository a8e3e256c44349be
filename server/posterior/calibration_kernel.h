#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace somafit {

// K(x): how much a simulation counts by how near it comes to the observation.
// Any positive K leaves the posterior at the observation the minimum of the
// loss; a narrow one spends a net of limited size, and simulations that one has
// anyway, on what is asked for (J.-M. Lueckmann, P. Goncalves et al. (2017),
// "Flexible statistical inference for mechanistic models of neural dynamics",
// NIPS 30, section 2.2).
struct CalibrationKernel {
  enum class Kind {
    kNone,      // 1
    kGaussian,  // exp(-|z|^2 / 2)
    kBox,       // 1 where every |z_k| <= 1, else 0
  } kind = Kind::kNone;
  // z_k = (x_k - observation_k) / (bandwidth s_k), s_k the standard deviation
  // of feature k over the simulations.
  double bandwidth = 0;
};

// Of the name "" (none), "gaussian" or "box". InvalidArgument, with what to
// write, for another name, a bandwidth that is not finite and above 0 where
// there is a kernel, or one where there is none.
absl::StatusOr<CalibrationKernel> MakeCalibrationKernel(std::string_view name,
                                                        double bandwidth);

struct CalibratedWeights {
  std::vector<double> weight;    // [n], mean 1
  double effective_samples = 0;  // (sum w)^2 / sum w^2
  double largest = 0;
  std::vector<std::string> messages;
};

// `weights` [n] (empty: all 1) times K of each row of `x` [n x E]. A feature
// that is the same in all rows tells no distance. Rows that are not finite have
// weight 0. FailedPrecondition where fewer than 30 effective simulations are
// left, of which nothing is to be learned.
absl::StatusOr<CalibratedWeights> Calibrate(const CalibrationKernel& kernel,
                                            std::span<const double> x,
                                            std::span<const double> observation,
                                            std::span<const double> weights);

}  // namespace somafit
