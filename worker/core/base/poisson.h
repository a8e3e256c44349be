#pragma once

namespace somafit {

// The Poisson variate with this mean that inversion gives for `uniform`; all
// bits defined, time bounded. NaN for NaN, 0 for a mean of 0 or less, inf for
// an infinite one; from finite means never above 2^53, to where integers are
// exact.
//
// Below a mean of 16 the search runs from 0 upward, below 1024 from the mode
// outward (C. Kemp, A. Kemp (1991), "Poisson random variate generation", Appl.
// Stat. 40). Above, it is the asymptotic expansion of the inverse distribution
// up to the term in 1/mean (M. Giles (2016), "Algorithm 955: approximation of
// the inverse Poisson cumulative distribution function", ACM TOMS 42): of means
// about 1024 one variate in a million is 1 off, of larger ones fewer.
//
// REQUIRES: 0 <= uniform < 1.
double Poisson(double mean, double uniform);

}  // namespace somafit
