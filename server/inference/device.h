#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace somafit {

// How many threads LibTorch and its BLAS work with in this process, 1 at first:
// nets are small, and more threads make them slower. Results are the same, bit
// for bit, for the same number only.
void SetInferenceThreads(int n_threads);
// Makes the number hold for the calling thread; every entry into LibTorch of
// this folder does.
void ApplyInferenceThreads();

// The name that LibTorch has for "cpu", "cuda", "cuda:<i>" or "gpu" (the first
// CUDA device). InvalidArgument for anything else, FailedPrecondition where
// this build or machine has no such device.
absl::StatusOr<std::string> ResolveDevice(std::string_view device);

// GFlop/s of products of 256 x 256 matrices in single precision, within some 20
// ms. Below 20 the BLAS is Debian's reference one, and training takes four
// times as long: install libopenblas0-pthread.
double MeasureMatrixSpeed();
inline constexpr double kSlowMatrixSpeed = 20;

}  // namespace somafit
