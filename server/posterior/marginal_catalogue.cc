#include <cmath>

#include "absl/strings/str_cat.h"

#include "server/posterior/marginal.h"
#include "worker/core/base/number.h"

namespace somafit {

extern const MarginalEntry kUniformMarginal;
extern const MarginalEntry kNormalMarginal;
extern const MarginalEntry kLogUniformMarginal;
extern const MarginalEntry kLogNormalMarginal;
extern const MarginalEntry kImproperMarginal;

const std::vector<const MarginalEntry*>& AllMarginals() {
  static const auto* const marginals = new std::vector<const MarginalEntry*>{
      &kUniformMarginal, &kNormalMarginal, &kLogUniformMarginal,
      &kLogNormalMarginal, &kImproperMarginal};
  return *marginals;
}

const MarginalEntry* FindMarginal(std::string_view name) {
  for (const MarginalEntry* entry : AllMarginals()) {
    if (entry->name == name) return entry;
  }
  return nullptr;
}

bool CheckFinite(std::string_view name, double value,
                 std::vector<std::string>& problems) {
  if (std::isfinite(value)) return true;
  problems.push_back(absl::StrCat(std::string(name), " is ",
                                  ShortestText(value),
                                  ", but must be a finite number"));
  return false;
}

bool CheckPositive(std::string_view name, double value,
                   std::vector<std::string>& problems) {
  if (!CheckFinite(name, value, problems)) return false;
  if (value > 0) return true;
  problems.push_back(absl::StrCat(
      std::string(name), " is ", ShortestText(value), ", but must be above 0"));
  return false;
}

bool CheckOrder(double lower, double upper,
                std::vector<std::string>& problems) {
  if (std::isnan(lower) || std::isnan(upper)) {
    problems.push_back("a bound is nan: give a number, or leave it out");
    return false;
  }
  if (lower < upper) return true;
  problems.push_back(absl::StrCat(
      "lower bound ", ShortestText(lower), " is not below upper bound ",
      ShortestText(upper), ": give the smaller one first"));
  return false;
}

}  // namespace somafit
