#pragma once

#include <span>

namespace somafit::jit {

// A function that kernels call, by the name under which they do.
struct LibraryFunction {
  const char* name;
  void* address;
};
std::span<const LibraryFunction> LibraryFunctions();

inline constexpr char kPoissonName[] = "somafit_poisson";

}  // namespace somafit::jit
