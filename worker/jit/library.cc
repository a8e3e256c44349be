#include "worker/jit/library.h"

#include "worker/core/base/poisson.h"

// SLEEF's header declares the functions of an instruction set only to code that
// is compiled for it; here just their addresses are wanted.
#define SOMAFIT_SLEEF_FUNCTIONS(X) \
  X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(log) X(log10) X(log1p) X(pow)

extern "C" {
#define SOMAFIT_DECLARE(name)               \
  void Sleef_finz_##name##d4_u10avx2(void); \
  void Sleef_finz_##name##d8_u10avx512f(void);
SOMAFIT_SLEEF_FUNCTIONS(SOMAFIT_DECLARE)
#undef SOMAFIT_DECLARE
}

namespace somafit::jit {

std::span<const LibraryFunction> LibraryFunctions() {
#define SOMAFIT_ENTRY(name)                                  \
  {"Sleef_finz_" #name "d4_u10avx2",                         \
   reinterpret_cast<void*>(&Sleef_finz_##name##d4_u10avx2)}, \
      {"Sleef_finz_" #name "d8_u10avx512f",                  \
       reinterpret_cast<void*>(&Sleef_finz_##name##d8_u10avx512f)},
  static const LibraryFunction functions[] = {SOMAFIT_SLEEF_FUNCTIONS(
      SOMAFIT_ENTRY){kPoissonName, reinterpret_cast<void*>(&Poisson)}};
#undef SOMAFIT_ENTRY
  return functions;
}

}  // namespace somafit::jit
