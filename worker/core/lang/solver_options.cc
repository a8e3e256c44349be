#include "worker/core/lang/solver_options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"

namespace somafit {

std::string SolverOptionsText(const SolverOptions& options) {
  const auto number = [](std::string* text, double value) {
    text->append(ShortestText(value));
  };
  return absl::StrCat("relative_error ", ShortestText(options.relative_error),
                      ", absolute_errors ",
                      absl::StrJoin(options.absolute_errors, " ", number),
                      ", max_steps ", options.max_steps,
                      ", adaptable_timestep ", options.adaptable_timestep,
                      ", use_last_timestep ", options.use_last_timestep);
}

}  // namespace somafit
