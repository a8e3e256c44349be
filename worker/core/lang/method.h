#pragma once

#include <string>
#include <vector>

#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/solver_options.h"

namespace somafit {

// What `source` asks for: methods, in the order in which they are tried, by
// their canonical names; none where one is to be chosen. A name of Brian's gsl
// family stands for the solver here that is nearest, which a note says. Reports
// E_METHOD for names that are unknown.
std::vector<std::string> ReadMethods(const ModelSource& source,
                                     Diagnostics& diagnostics);

// The options that `source` gives to `methods`, which integrate `states`.
// Reports options that none of these has, and values that do not fit
// (E_OPTION).
SolverOptions ReadMethodOptions(const ModelSource& source,
                                const std::vector<std::string>& methods,
                                const std::vector<ModelVariable>& states,
                                Diagnostics& diagnostics);

// E_OPTION for a choice that is neither "best", also meant by "", nor "brian".
MethodChoice ReadMethodChoice(const ModelSource& source,
                              Diagnostics& diagnostics);

}  // namespace somafit
