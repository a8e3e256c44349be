#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "worker/core/units/dimension.h"

namespace somafit {

// What a function asks of its arguments and gives back.
enum class DimensionRule : uint8_t {
  kNone,        // dimensionless -> dimensionless
  kSame,        // D, D, ... -> D
  kSquareRoot,  // D -> D^1/2
  kAny,         // D -> dimensionless
  kTimes,       // second, second -> dimensionless
};

enum class ResultRule : uint8_t { kFloat, kInteger, kHighestOperand };

// A row of the language's table of functions (section 1.6).
struct Function {
  std::string_view name;
  int arity;
  DimensionRule rule = DimensionRule::kNone;
  // Its meaning, from `arity` numbers; nullptr: another one at each use.
  double (*evaluate)(const double* arguments) = nullptr;
  ResultRule result = ResultRule::kFloat;

  bool is_random() const { return evaluate == nullptr; }
};

// All that have a name in the language.
std::span<const Function> AllFunctions();
// nullptr if there is none.
const Function* FindFunction(std::string_view name);

}  // namespace somafit
