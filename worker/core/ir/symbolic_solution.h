#pragma once

#include <string>
#include <vector>

#include "worker/core/ir/linear_form.h"
#include "worker/core/ir/program_builder.h"

namespace somafit {

// Whether Brian 2, which solves x' = M x + B by formulas, finds one (language,
// section 3.4). It refuses where M has no inverse whatever the parameters, and
// where solutions oscillate. Seen at a few random values of the parameters.
class SymbolicSolution {
 public:
  // `forms` are the rows of M. Must live as long.
  SymbolicSolution(const ProgramBuilder& builder,
                   const std::vector<LinearForm>& forms);

  // Of states that depend on no others: why there is none, or "".
  std::string WhyNot(const std::vector<size_t>& group) const;

 private:
  const std::vector<LinearForm>& forms_;
  std::vector<std::vector<double>> trials_;  // every value, by trial
};

}  // namespace somafit
