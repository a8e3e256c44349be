#pragma once

#include <string>
#include <vector>

#include "worker/core/ir/linear_form.h"
#include "worker/core/ir/program_builder.h"

namespace somafit {

// Why Brian 2, which solves x' = M x + B by formulas, refuses to (language,
// section 3.4): M has no inverse whatever the parameters, or solutions that
// oscillate. "" where it finds one. Seen at a few random values of the
// parameters. `forms` are the rows of M.
std::string WhyNoSymbolicSolution(const ProgramBuilder& builder,
                                  const std::vector<LinearForm>& forms);

}  // namespace somafit
