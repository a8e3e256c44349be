#include "worker/core/lang/functions.h"

#include <cmath>

#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

// A function of one number as a row's `evaluate`.
template <double (*function)(double)>
double OfOne(const double* arguments) {
  return function(arguments[0]);
}

constexpr Function kFunctions[] = {
    {"exp", 1, DimensionRule::kNone, &OfOne<Exp>},
    {"expm1", 1, DimensionRule::kNone, &OfOne<Expm1>},
    {"exprel", 1, DimensionRule::kNone, &OfOne<Exprel>},
    {"sin", 1, DimensionRule::kNone, &OfOne<Sin>},
    {"cos", 1, DimensionRule::kNone, &OfOne<Cos>},
    {"tan", 1, DimensionRule::kNone, &OfOne<Tan>},
    {"sinh", 1, DimensionRule::kNone, &OfOne<Sinh>},
    {"cosh", 1, DimensionRule::kNone, &OfOne<Cosh>},
    {"tanh", 1, DimensionRule::kNone, &OfOne<Tanh>},
    {"arcsin", 1, DimensionRule::kNone, &OfOne<Asin>},
    {"arccos", 1, DimensionRule::kNone, &OfOne<Acos>},
    {"arctan", 1, DimensionRule::kNone, &OfOne<Atan>},
    {"log", 1, DimensionRule::kNone, &OfOne<Log>},
    {"log10", 1, DimensionRule::kNone, &OfOne<Log10>},
    {"log1p", 1, DimensionRule::kNone, &OfOne<Log1p>},
    {"sqrt", 1, DimensionRule::kSquareRoot, &OfOne<std::sqrt>},
    {"abs", 1, DimensionRule::kSame, &OfOne<std::fabs>,
     ResultRule::kHighestOperand},
    {"sign", 1, DimensionRule::kAny, &OfOne<Sign>, ResultRule::kHighestOperand},
    {"floor", 1, DimensionRule::kSame, &OfOne<std::floor>},
    {"ceil", 1, DimensionRule::kSame, &OfOne<std::ceil>},
    {"clip", 3, DimensionRule::kSame,
     [](const double* a) { return Clip(a[0], a[1], a[2]); },
     ResultRule::kHighestOperand},
    {"int", 1, DimensionRule::kNone, &OfOne<std::trunc>, ResultRule::kInteger},
    {"timestep", 2, DimensionRule::kTimes,
     [](const double* a) { return std::trunc((a[0] + 1e-3 * a[1]) / a[1]); },
     ResultRule::kInteger},
    {"rand", 0},
    {"randn", 0},
    {"poisson", 1, DimensionRule::kNone, nullptr, ResultRule::kInteger},
};

}  // namespace

std::span<const Function> AllFunctions() { return kFunctions; }

const Function* FindFunction(std::string_view name) {
  for (const Function& function : kFunctions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

}  // namespace somafit
