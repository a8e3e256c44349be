#pragma once

#include <string>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/units/dimension.h"

namespace somafit {

// The remedy where `left` and `right`, of dimensions a and b, should have one
// dimension; "" where none comes to mind.
std::string HintForMismatch(const std::string& left, const Dimension& a,
                            const std::string& right, const Dimension& b);

// Reports E_DIM unless `expression`, of dimension `found`, has dimension
// `wanted`. `subject` names what needs it: "`dv/dt`".
bool CheckDimension(const Expression& expression, const Dimension& found,
                    const Dimension& wanted, const std::string& subject,
                    const Source& source, Diagnostics& diagnostics);

}  // namespace somafit
