#pragma once

#include <span>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/ir/program.h"
#include "worker/sim/block.h"

namespace somafit {

// What `observing` (CompileObservation) observes after the last step of
// `trace`, in each lane of `block`, whose states, [state][lane], are then
// `states`. It is the time of the step that would follow; inputs hold.
std::vector<double> PenaltiesOf(const Program& observing, const Trace& trace,
                                const Block& block,
                                std::span<const double> states);

}  // namespace somafit
