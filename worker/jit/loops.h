#pragma once

#include <vector>

#include "worker/jit/kernel_code.h"

// The loop over steps of a kernel's run function, in two ways. Both begin where
// the builder stands and end with a return.
namespace somafit::jit {

// Each round is a step of all of the block's registers, one beside the other.
// States and sums live in registers.
void EmitSideBySide(KernelCode& code, const CallCode& call);

// A software pipeline of two stages, `front` being the values of the first:
// each round is the front stage of one of the block's two registers and the
// back stage of the other, which then change places. It is half as much code as
// both side by side. States and sums live in memory, where each stage finds
// those of its register.
void EmitPipeline(KernelCode& code, const CallCode& call,
                  const std::vector<bool>& front);

}  // namespace somafit::jit
