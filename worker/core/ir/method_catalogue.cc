#include <algorithm>

#include "worker/core/ir/method.h"

namespace somafit {

// euler.cc has heun and milstein too, runge_kutta.cc rk2 and rk4, adaptive.cc
// the last four.
extern const MethodEntry kExact;
extern const MethodEntry kExponentialEuler;
extern const MethodEntry kEuler;
extern const MethodEntry kHeun;
extern const MethodEntry kMilstein;
extern const MethodEntry kRk2;
extern const MethodEntry kRk4;
extern const MethodEntry kDopri5;
extern const MethodEntry kCashKarp54;
extern const MethodEntry kFehlberg78;
extern const MethodEntry kRosenbrock4;

std::span<const MethodEntry* const> AllMethods() {
  static constexpr const MethodEntry* kAll[] = {
      &kExact,      &kExponentialEuler, &kEuler,  &kRk2,        &kRk4,
      &kHeun,       &kMilstein,         &kDopri5, &kCashKarp54, &kFehlberg78,
      &kRosenbrock4};
  return kAll;
}

const MethodEntry* FindMethod(std::string_view name) {
  const auto all = AllMethods();
  const auto found = std::find_if(
      all.begin(), all.end(),
      [name](const MethodEntry* entry) { return entry->name == name; });
  return found == all.end() ? nullptr : *found;
}

}  // namespace somafit
