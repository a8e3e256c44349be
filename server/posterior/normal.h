#pragma once

#include "worker/core/base/random.h"

namespace somafit {

// The standard normal distribution with every bit defined: only arithmetic and
// functions of base/elementary.h.

// P(z < x), relative error below 1e-13 down to where it underflows (x < -38).
double NormalCdf(double x);
// The inverse: 0 < p < 1, relative error about 1e-15. -inf for 0, inf for 1.
//
// M. Wichura (1988), "Algorithm AS 241: the percentage points of the normal
// distribution", Appl. Stat. 37: routine PPND16.
double NormalQuantile(double p);
double NormalDensity(double x);

// Uniform in (0, 1): an odd multiple of 2^-53, never an end.
double OpenUniform(RandomStream& random);
// The nearest number in (0, 1), where a quantile is finite.
double InsideUnit(double p);
// By inversion: one number of 64 bits a draw, at most 8.3 from 0.
double StandardNormal(RandomStream& random);

}  // namespace somafit
