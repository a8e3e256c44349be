#include <algorithm>

#include "worker/core/ir/method.h"

namespace somafit {

// euler.cc has heun and milstein too, runge_kutta.cc rk2 and rk4.
extern const MethodEntry kExact;
extern const MethodEntry kExponentialEuler;
extern const MethodEntry kEuler;
extern const MethodEntry kHeun;
extern const MethodEntry kMilstein;
extern const MethodEntry kRk2;
extern const MethodEntry kRk4;

std::span<const MethodEntry* const> AllMethods() {
  static constexpr const MethodEntry* kAll[] = {
      &kExact, &kExponentialEuler, &kEuler, &kRk2, &kRk4, &kHeun, &kMilstein};
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
