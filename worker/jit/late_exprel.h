#pragma once

#include <vector>

#include "worker/core/ir/program.h"

namespace somafit::jit {

// Of the values `needed` of a step, those exprels on which little depends in
// the same stage (`front`: stages.h), and what depends on them there. Such are
// the updates of exponential Euler: their code first takes every argument for a
// near one, without branches, and does these few values again if some argument
// was not. At most 16; an exprel that is not late has a branch of its own.
std::vector<bool> Late(const Program& program, const std::vector<bool>& needed,
                       const std::vector<bool>& front);

}  // namespace somafit::jit
