#include "worker/core/base/elementary.h"

#include "worker/core/base/elementary_formulas.h"

namespace somafit {

// One formula, for a number and for arrays, where the compiler widens the loop.
#define SOMAFIT_ELEMENTARY(Name)                            \
  double Name(double x) { return elementary::Name##Of(x); } \
  void Name(const double* x, double* result, size_t n) {    \
    for (size_t i = 0; i < n; ++i) {                        \
      result[i] = elementary::Name##Of(x[i]);               \
    }                                                       \
  }
SOMAFIT_ELEMENTARY(Exp)
SOMAFIT_ELEMENTARY(Expm1)
SOMAFIT_ELEMENTARY(Exprel)
SOMAFIT_ELEMENTARY(Bernoulli)
SOMAFIT_ELEMENTARY(Tanh)
SOMAFIT_ELEMENTARY(Sinh)
SOMAFIT_ELEMENTARY(Cosh)
#undef SOMAFIT_ELEMENTARY

double Sign(double x) { return elementary::SignOf(x); }
double FloorDivide(double x, double y) {
  return elementary::FloorDivideOf(x, y);
}
double Modulo(double x, double y) { return elementary::ModuloOf(x, y); }
double Clip(double x, double low, double high) {
  return elementary::ClipOf(x, low, high);
}

}  // namespace somafit
