#include "worker/core/lang/functions.h"

#include <cmath>

#include "worker/core/base/elementary.h"

namespace somafit {
namespace {

double SquareRoot(double x) { return std::sqrt(x); }
double Magnitude(double x) { return std::abs(x); }

constexpr Function kFunctions[] = {
    {"exp", 1, DimensionRule::kNone, [](double x) { return Exp(x); }},
    {"expm1", 1, DimensionRule::kNone, [](double x) { return Expm1(x); }},
    {"exprel", 1, DimensionRule::kNone, [](double x) { return Exprel(x); }},
    {"sqrt", 1, DimensionRule::kSquareRoot, SquareRoot},
    {"abs", 1, DimensionRule::kSame, Magnitude},
    {"sin", 1},
    {"cos", 1},
    {"tan", 1},
    {"sinh", 1},
    {"cosh", 1},
    {"tanh", 1},
    {"log", 1},
    {"log10", 1},
    {"log1p", 1},
    {"arcsin", 1},
    {"arccos", 1},
    {"arctan", 1},
    {"sign", 1},
    {"floor", 1},
    {"ceil", 1},
    {"clip", 3},
    {"int", 1},
    {"rand", 0},
    {"randn", 0},
    {"poisson", 1},
    {"timestep", 2},
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
