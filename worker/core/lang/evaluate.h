#pragma once

#include "worker/core/lang/ast.h"

namespace somafit {

// What an operation on two numbers gives that are known beforehand; truth
// values are 1 and 0. `type` is the result's: of integers, division by 0 gives
// 0.
double Evaluate(BinaryOperator op, ValueType type, double left, double right);

}  // namespace somafit
