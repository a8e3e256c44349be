#pragma once

#include <functional>
#include <span>
#include <vector>

#include "worker/jit/kernel.h"
#include "worker/sim/batch_results.h"
#include "worker/sim/experiment.h"
#include "worker/sim/round_place.h"
#include "worker/sim/squares.h"

namespace somafit {

// All that simulations of a batch have in common.
struct BatchWork {
  const Experiment& experiment;
  const Kernel& kernel;
  const Squares& squares;  // they apply
  std::span<const std::vector<double>> points;
  const RoundPlace& place;
};

// Simulates points first .. first+count-1 trace after trace, and abandons each
// once its total error is sure to be above `limits[point]`: what it has so far
// is, and sums of squares only grow (BatchResults::TotalSoFar). That is looked
// at after every chunk of kCheckInterval steps, in which a point that diverges
// counts as diverged. So a point's outcome depends on that point and its limit
// alone: it is abandoned if and only if its total is above the limit, or is so
// before it diverges.
//
// Lanes move together as points are abandoned, so that the time is saved and
// not only the lane. False if cancelled.
bool SimulateWithLimits(const BatchWork& work, std::span<const double> limits,
                        size_t first, size_t count, BatchResults& results,
                        const std::function<bool()>& cancelled);

}  // namespace somafit
