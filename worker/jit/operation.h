#pragma once

#include "worker/core/ir/program.h"
#include "worker/jit/lanes.h"

namespace somafit::jit {

// Appends what computes `op` of its operands, of which it takes as many as it
// has. REQUIRES: it has some.
Lanes EmitOperation(Op op, const Lanes& a, const Lanes& b, const Lanes& c);

}  // namespace somafit::jit
