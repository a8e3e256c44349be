#include "worker/core/lang/evaluate.h"

#include "worker/core/base/elementary.h"

namespace somafit {

double Evaluate(BinaryOperator op, ValueType type, double left, double right) {
  const bool by_zero = type == ValueType::kInteger && right == 0;
  switch (op) {
    case BinaryOperator::kAdd:
      return left + right;
    case BinaryOperator::kSubtract:
      return left - right;
    case BinaryOperator::kMultiply:
      return left * right;
    case BinaryOperator::kDivide:
      return left / right;
    case BinaryOperator::kFloorDivide:
      return by_zero ? 0 : FloorDivide(left, right);
    case BinaryOperator::kModulo:
      return by_zero ? 0 : Modulo(left, right);
    case BinaryOperator::kPower:
      return Power(left, right);
    case BinaryOperator::kLess:
      return left < right ? 1 : 0;
    case BinaryOperator::kLessEqual:
      return left <= right ? 1 : 0;
    case BinaryOperator::kGreater:
      return left > right ? 1 : 0;
    case BinaryOperator::kGreaterEqual:
      return left >= right ? 1 : 0;
    case BinaryOperator::kEqual:
      return left == right ? 1 : 0;
    case BinaryOperator::kNotEqual:
      return left != right ? 1 : 0;
    case BinaryOperator::kAnd:
      return left != 0 && right != 0 ? 1 : 0;
    case BinaryOperator::kOr:
      return left != 0 || right != 0 ? 1 : 0;
  }
  return 0;
}

}  // namespace somafit
