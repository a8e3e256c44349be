#pragma once

#include <vector>

#include "worker/core/ir/program.h"

namespace somafit {

// Each pass takes a verified Program and returns a verified one that computes
// the same values, up to rounding where it says so. They are listed in the
// order in which they run.

// Per value, whether what a discontinuous operation (a comparison, floor, //,
// ...) sees is made from it in the same step: a last bit may matter there, so
// that the passes leave it as written. But not what a state behind the method's
// update (kUpdated) is made from: a threshold is seldom met to the last bit,
// and all of a step would have to stay as it is.
std::vector<bool> FeedsDiscontinuity(const Program& program);

// How often each value is used, as an operand or as a result.
std::vector<int> CountUses(const Program& program);

// Replaces every operation on constants by its value, x*1, x/1, --x by x, and
// x+0 where that changes no bit of any finite result; moves negations outwards
// and into sums. See ProgramBuilder::Fold.
Program FoldConstants(Program program);

// Replaces x / y, where y is known before the first step, by x * (1 / y), one
// division a lane in place of one a step. Up to rounding.
Program InvertInvariantDivisors(Program program);

// Replaces x / exprel(y) by x * bernoulli(y): one division less. Up to
// rounding.
Program InvertExprel(Program program);

// Replaces (x * a) * b, where a and b are known before the first step, x
// changes from step to step and nothing else uses x * a, by x * (a * b). Up to
// rounding, as long as a * b neither overflows nor underflows; constants that
// do are left.
Program GatherFactors(Program program);

// Where exponents of a step are affine functions of one variable with constant
// coefficients, and their slopes small multiples of one of them, computes that
// exponential alone and the others as its powers (1 over it for negative
// multiples) times constants. Up to rounding, about ten times that of one exp;
// at exponents within 50 of where exp overflows or becomes 0, results may be
// inexact, infinite or 0. Of more than 1000 exponentials of one variable none
// is shared.
Program ShareExponentials(Program program);

// Forms a*b + c, a*b - c and c - a*b as fused multiply-adds where the product
// has no other use and is computed as often as the sum, and drops dead values.
// Up to rounding: the result is the more exact one.
Program FuseMultiplyAdd(Program program);

// Removes what no result depends on.
Program DropDeadValues(Program program);

}  // namespace somafit
