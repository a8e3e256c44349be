#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/core/ir/lowering.h"

// Calls of TimedArrays, and random numbers: what a step takes from outside.
namespace somafit {
namespace {

// A spacing counts as a multiple of the time step up to this.
constexpr double kTolerance = 1e-9;

// The least power of 2 that is at least x, and at least 1.
double PowerOfTwoAtLeast(double x) {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);
  return std::max(1.0,
                  std::ldexp(1.0, mantissa == 0.5 ? exponent - 1 : exponent));
}

}  // namespace

double StepsOf(double time, double dt) {
  const double steps = std::round(time / dt);
  const bool whole =
      steps >= 1 && std::abs(time / dt - steps) <= kTolerance * steps;
  return whole ? steps : 0;
}

ValueId Lowering::RandomNumber(const std::string& function, int32_t site,
                               ValueId mean) {
  const int32_t place = static_cast<int32_t>(model_.noises.size()) +
                        evaluation_ * model_.n_random_sites + site;
  if (function == "randn") return builder_.Noise(place, NoiseKind::kNormal);
  const ValueId uniform = builder_.Noise(place, NoiseKind::kUniform);
  return mean < 0 ? uniform : builder_.Emit(Op::kPoisson, mean, uniform);
}

ValueId Lowering::RowAt(const TimedArray& array, const Node& argument,
                        ValueId time) {
  const double dt = builder_.program().dt;
  const auto* const name = std::get_if<Name>(&argument.form);
  const bool is_now = name != nullptr && name->name == "t";
  const double steps = StepsOf(array.dt, dt);
  if (is_now && steps > 0) {
    ValueId step = builder_.Step();
    if (stage_ == Stage::kEnd) {
      step = Operation(Op::kAdd, step, builder_.Constant(1));
    }
    return steps == 1
               ? step
               : Operation(Op::kFloorDivide, step, builder_.Constant(steps));
  }
  // A time just below a stair counts as on it.
  constexpr double kFineness = 8;
  const double parts = PowerOfTwoAtLeast(kFineness * array.dt / dt);
  const ValueId fine =
      Operation(Op::kDivide, time, builder_.Constant(array.dt / parts));
  return Truncated(Operation(Op::kDivide,
                             Operation(Op::kAdd, fine, builder_.Constant(0.5)),
                             builder_.Constant(parts)));
}

ValueId Lowering::LowerLookup(size_t place, const Call& form,
                              const Expression& expression,
                              const std::vector<ValueId>& values) {
  const TimedArray& array = model_.timed_arrays[place];
  const NodeId argument = form.arguments[0];
  const ValueId zero = builder_.Constant(0);
  ValueId index = Operation(
      Op::kClip, RowAt(array, expression.nodes[argument], values[argument]),
      zero, builder_.Constant(static_cast<double>(array.rows() - 1)));
  if (array.columns > 0) {
    const ValueId columns =
        builder_.Constant(static_cast<double>(array.columns));
    const NodeId second = form.arguments[1];
    const ValueId column = Converted(values[second], TypeOf(expression, second),
                                     ValueType::kInteger);
    const ValueId is_there =
        Operation(Op::kSelect, Operation(Op::kLess, column, columns),
                  Operation(Op::kLessEqual, zero, column), zero);
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    index = Operation(
        Op::kAdd, Operation(Op::kMultiply, index, columns),
        Operation(Op::kSelect, is_there, column, builder_.Constant(kNaN)));
  }
  return builder_.Element(static_cast<int32_t>(place), index);
}

}  // namespace somafit
