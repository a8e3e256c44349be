#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/symbol_table.h"

namespace somafit {

// "before_start" and the like: language, section 4.2.
std::string_view SlotName(Slot slot);

// Reads code that runs at certain steps, in the order of execution; its
// statements unchecked.
std::vector<PeriodicCode> ParsePeriodic(const std::vector<PeriodicSpec>& specs,
                                        Diagnostics& diagnostics);

}  // namespace somafit
