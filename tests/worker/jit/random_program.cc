#include "tests/worker/jit/random_program.h"

#include "worker/core/base/check.h"
#include "worker/core/base/random.h"
#include "worker/core/ir/program_builder.h"

namespace somafit {

Program RandomProgram(uint32_t seed) {
  RandomStream random(seed, StreamPurpose::kExample, 0, 0);
  Program names;
  names.dt = 0.125;
  names.parameters = {"p", "q"};
  names.states = {"x", "y", "z"};
  names.inputs = {"I", "J"};
  names.outputs = {"a", "b"};
  ProgramBuilder builder(names);
  std::vector<ValueId> values = {builder.Parameter(0), builder.Parameter(1),
                                 builder.Constant(0.75), builder.Constant(-3e5),
                                 builder.Constant(1e-3)};
  const auto grow = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const auto first = static_cast<uint64_t>(Op::kNegate);
      const auto n_ops = static_cast<uint64_t>(Op::kClip) - first + 1;
      const auto op = static_cast<Op>(first + random.Below(n_ops));
      const auto draw = [&](int operand) {
        const ValueId id = values[random.Below(values.size())];
        return operand < OpArity(op) ? id : ValueId{-1};
      };
      const ValueId a = draw(0), b = draw(1), c = draw(2);
      values.push_back(builder.Emit(op, a, b, c));
    }
  };
  const auto any = [&] { return values[random.Below(values.size())]; };
  grow(random.Below(12));
  const std::vector<ValueId> initial = {any(), any(), any()};
  for (const ValueId id :
       {builder.State(0), builder.State(1), builder.State(2), builder.Input(0),
        builder.Input(1), builder.InputNext(1), builder.Time(),
        builder.Step()}) {
    values.push_back(id);
  }
  grow(4 + random.Below(60));
  Program program = builder.program();
  program.initial = initial;
  program.next = {any(), any(), any()};
  program.observed = {any(), any()};
  SOMAFIT_CHECK(VerifyProgram(program).ok());
  return program;
}

}  // namespace somafit
