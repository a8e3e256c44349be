#pragma once

#include <string>
#include <vector>

#include "server/study/plan.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Reports what `after` would search for, or compare, otherwise than `before`:
// parameters, metrics, optimizer, n_samples, penalty. By value: the same bounds
// in another unit are the same. Such changes need a restart.
void CheckUnchanged(const FitPlan& before, const FitPlan& after,
                    Diagnostics& diagnostics);

}  // namespace somafit
