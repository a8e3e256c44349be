#pragma once

#include <string_view>

#include "worker/core/data/fit_spec.h"

namespace somafit {

// A model as one text, so that seeds can be read and written by hand: the
// equations, then parts in any order, each below its heading.
//
//   dv/dt = (g*(El - v) + I)/C : volt (unless refractory)
//   g : siemens
//   %method
//   euler
//   %constants
//   El = -70*mV
//   C = 200*pF
//   %initial
//   v = El
//   %threshold
//   v > -50*mV
//   %reset
//   v = El
//   %refractory
//   2*ms
//   %periodic end 1*ms
//   v += 1*mV
//   %array ta amp 1*ms 2
//   1e-9 2e-9 3e-9 4e-9
//   %options
//   name = text
//   %choice
//   brian
//
// Any text is some model.
ModelSource ReadModelText(std::string_view text);

}  // namespace somafit
