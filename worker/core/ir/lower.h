#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/core/ir/program.h"
#include "worker/core/lang/model.h"

namespace somafit {

// Sees the program after each stage of compilation: "lowered" (where `next`
// holds derivatives), the method's name, then the passes of passes.h: "fold
// constants", "invert invariant divisors", "invert exprel", "share
// exponentials", "gather factors", "fuse multiply add", "drop dead values".
using ProgramObserver =
    std::function<void(std::string_view stage, const Program& program)>;

// A checked model, integrated with its method at step `dt` [s], observing
// `outputs` (names of variables): lowered (lowering.h), passes applied,
// verified. Of the methods that a model names, or else of kDefaultMethods, the
// first is taken that applies. nullopt after a method that does not apply, or
// an operation that cannot be computed here (E_UNSUPPORTED), which is reported
// with the reason.
//
// Initial values are assigned in their order; a state in them means what it has
// been assigned so far, 0 at first.
std::optional<Program> CompileProgram(const Model& model, double dt,
                                      const std::vector<std::string>& outputs,
                                      Diagnostics& diagnostics,
                                      const ProgramObserver& observer = {});

}  // namespace somafit
