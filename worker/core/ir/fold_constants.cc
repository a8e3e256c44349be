#include "worker/core/ir/passes.h"
#include "worker/core/ir/rebuild.h"

namespace somafit {

Program FoldConstants(Program program) {
  return Rebuild(program, [](ValueId, const Value& value,
                             const std::vector<ValueId>& renamed,
                             ProgramBuilder& builder) {
    return builder.Copy(value, renamed, /*fold=*/true);
  });
}

}  // namespace somafit
