#include "tests/worker/jit/random_program.h"

#include "worker/core/base/check.h"
#include "worker/core/base/random.h"
#include "worker/core/ir/program_builder.h"

namespace somafit {

Program RandomProgram(uint32_t seed) {
  RandomStream random(seed, StreamPurpose::kExample, 0, 0);
  return RandomProgram([&random](uint64_t n) { return random.Below(n); }, {});
}

Program RandomProgram(const Choice& below, const ProgramExtras& extras) {
  Program names;
  names.arrays = extras.arrays;
  names.dt = 0.125;
  names.parameters = {"p", "q"};
  names.states = {"x", "y", "z"};
  names.inputs = {"I", "J"};
  names.outputs = {"a", "b"};
  ProgramBuilder builder(names);
  std::vector<ValueId> values = {builder.Parameter(0), builder.Parameter(1),
                                 builder.Constant(0.75), builder.Constant(-3e5),
                                 builder.Constant(1e-3)};
  for (const double constant : extras.constants) {
    values.push_back(builder.Constant(constant));
  }
  for (size_t i = 0; i < extras.noises.size(); ++i) {
    values.push_back(builder.Noise(static_cast<int32_t>(i), extras.noises[i]));
  }
  const auto grow = [&](size_t count, size_t n_arrays) {
    for (size_t i = 0; i < count; ++i) {
      const auto first = static_cast<uint64_t>(Op::kNegate);
      const auto n_ops = static_cast<uint64_t>(Op::kClip) - first + 1;
      const uint64_t choice = below(n_ops + n_arrays);
      if (choice >= n_ops) {
        values.push_back(builder.Element(static_cast<int32_t>(choice - n_ops),
                                         values[below(values.size())]));
        continue;
      }
      const auto op = static_cast<Op>(first + choice);
      const auto draw = [&](int operand) {
        const ValueId id = values[below(values.size())];
        return operand < OpArity(op) ? id : ValueId{-1};
      };
      const ValueId a = draw(0), b = draw(1), c = draw(2);
      values.push_back(builder.Emit(op, a, b, c));
    }
  };
  const auto any = [&] { return values[below(values.size())]; };
  grow(below(12), 0);
  const std::vector<ValueId> initial = {any(), any(), any()};
  for (const ValueId id :
       {builder.State(0), builder.State(1), builder.State(2), builder.Input(0),
        builder.Input(1), builder.InputNext(1), builder.Time(),
        builder.Step()}) {
    values.push_back(id);
  }
  grow(4 + below(60), extras.arrays.size());
  Program program = builder.program();
  program.initial = initial;
  program.next = {any(), any(), any()};
  program.observed = {any(), any()};
  SOMAFIT_CHECK(VerifyProgram(program).ok());
  return program;
}

}  // namespace somafit
