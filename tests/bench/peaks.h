#pragma once

#include "worker/jit/kernel.h"

namespace somafit {

// What the processor's arithmetic can do at this moment, on as many numbers at
// once as its registers hold. The first three add up.
struct Peaks {
  double fma_s;       // a number of independent fused multiply-adds [s]
  double addition_s;  // what an addition beside them costs more [s]
  double division_s;  // the same of a division [s]
  double divider_s;   // a number of divisions alone, which overlap with all [s]
};

// Takes about a millisecond.
Peaks MeasurePeaks(Isa isa);

// CPU seconds of this thread.
double CpuSeconds();

}  // namespace somafit
