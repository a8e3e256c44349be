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
  kOther,       // of functions that are not available
};

enum class ResultRule : uint8_t { kFloat, kInteger, kHighestOperand };

// A row of the language's table of functions (section 1.6).
struct Function {
  std::string_view name;
  int arity;
  DimensionRule rule = DimensionRule::kOther;
  // Its meaning, from `arity` numbers; nullptr while it is only a reserved
  // name.
  double (*evaluate)(const double* arguments) = nullptr;
  ResultRule result = ResultRule::kFloat;

  bool available() const { return evaluate != nullptr; }
};

// All that have a name in the language.
std::span<const Function> AllFunctions();
// nullptr if there is none.
const Function* FindFunction(std::string_view name);

}  // namespace somafit
