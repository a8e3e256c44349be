#include "worker/core/ir/interpreter.h"

#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "worker/core/base/random.h"
#include "worker/core/ir/program_builder.h"

namespace somafit {
namespace {

// A program of random operations on everything there is; states exchange.
Program Random(uint32_t seed) {
  RandomStream random(seed, StreamPurpose::kExample, 0, 0);
  Program names;
  names.dt = 0.125;
  names.parameters = {"p", "q"};
  names.states = {"x", "y"};
  names.inputs = {"I"};
  names.outputs = {"a", "b"};
  ProgramBuilder builder(names);
  std::vector<ValueId> invariant = {builder.Parameter(0), builder.Parameter(1),
                                    builder.Constant(0.75)};
  for (int i = 0; i < 10; ++i) {
    invariant.push_back(
        builder.Emit(Op::kMultiply, invariant[random.Below(invariant.size())],
                     invariant[random.Below(invariant.size())]));
  }
  std::vector<ValueId> values = invariant;
  for (const ValueId id :
       {builder.State(0), builder.State(1), builder.Input(0), builder.Time()}) {
    values.push_back(id);
  }
  for (int i = 0; i < 60; ++i) {
    const auto op =
        static_cast<Op>(static_cast<uint64_t>(Op::kNegate) + random.Below(28));
    const auto draw = [&](int operand) {
      const ValueId id = values[random.Below(values.size())];
      return operand < OpArity(op) ? id : ValueId{-1};
    };
    const ValueId a = draw(0), b = draw(1), c = draw(2);
    values.push_back(builder.Emit(op, a, b, c));
  }
  Program program = builder.program();
  program.initial = {invariant.back(), invariant[0]};
  program.next = {builder.State(1), values.back()};
  program.observed = {values[values.size() - 2], builder.State(0)};
  EXPECT_TRUE(VerifyProgram(program).ok()) << VerifyProgram(program);
  return program;
}

// What `program` means, one number after the other.
std::vector<double> Reference(const Program& program,
                              const std::vector<double>& input,
                              const std::vector<double>& parameters) {
  std::vector<double> states(program.states.size(), 0.0);
  std::vector<double> values(program.values.size());
  const auto evaluate = [&](size_t step) {
    for (size_t i = 0; i < values.size(); ++i) {
      const Value& value = program.values[i];
      const auto at = [&](ValueId id) { return id < 0 ? 0.0 : values[id]; };
      switch (value.op) {
        case Op::kConstant:
          values[i] = value.constant;
          break;
        case Op::kParameter:
          values[i] = parameters[value.index];
          break;
        case Op::kState:
          values[i] = states[value.index];
          break;
        case Op::kInput:
          values[i] = input[step];
          break;
        case Op::kTime:
          values[i] = static_cast<double>(step) * program.dt;
          break;
        default:
          values[i] = ApplyOp(value.op, at(value.a), at(value.b), at(value.c));
      }
    }
  };
  evaluate(0);
  for (size_t s = 0; s < states.size(); ++s) {
    states[s] = values[program.initial[s]];
  }
  std::vector<double> trace;
  for (size_t step = 0; step < input.size(); ++step) {
    evaluate(step);
    for (const ValueId id : program.observed) trace.push_back(values[id]);
    for (size_t s = 0; s < states.size(); ++s) {
      states[s] = values[program.next[s]];
    }
  }
  return trace;
}

// NaN is NaN, whichever operand it came from.
uint64_t Bits(double x) {
  return std::isnan(x) ? ~uint64_t{0} : std::bit_cast<uint64_t>(x);
}

TEST(InterpreterTest, AgreesWithTheMeaningToTheBitAtAnyNumberOfLanes) {
  const std::vector<double> input = {0.5, -1, 0.25, 2, 0};
  for (uint32_t seed = 0; seed < 200; ++seed) {
    const Program program = Random(seed);
    for (const size_t n_lanes : {1, 2, 3, 7, 8, 33}) {
      std::vector<double> parameters(2 * n_lanes);
      for (size_t i = 0; i < parameters.size(); ++i) {
        parameters[i] =
            std::cos(static_cast<double>(i % n_lanes + 3 * (i / n_lanes)));
      }
      std::vector<std::vector<double>> traces(n_lanes);
      const TraceView view{input.size(), {input}};
      ASSERT_TRUE(Interpret(program, view, n_lanes, parameters,
                            [&](size_t, std::span<const double> outputs) {
                              for (size_t o = 0; o < 2; ++o) {
                                for (size_t l = 0; l < n_lanes; ++l) {
                                  traces[l].push_back(outputs[o * n_lanes + l]);
                                }
                              }
                            }));
      for (size_t l = 0; l < n_lanes; ++l) {
        const std::vector<double> expected =
            Reference(program, input, {parameters[l], parameters[n_lanes + l]});
        ASSERT_EQ(traces[l].size(), expected.size());
        for (size_t i = 0; i < expected.size(); ++i) {
          ASSERT_EQ(Bits(traces[l][i]), Bits(expected[i]))
              << "seed " << seed << " lane " << l << " of " << n_lanes
              << " number " << i << "\n"
              << PrintProgram(program);
        }
      }
    }
  }
}

TEST(InterpreterTest, StopsWhenCancelled) {
  const Program program = Random(0);
  const std::vector<double> input(1000, 0.0);
  const TraceView view{input.size(), {input}};
  size_t steps = 0;
  const std::vector<double> parameters = {1, 1};
  EXPECT_FALSE(Interpret(
      program, view, 1, parameters,
      [&](size_t, std::span<const double>) { ++steps; },
      [&] { return steps > 0; }));
  EXPECT_LT(steps, 1000u);
  EXPECT_TRUE(Interpret(program, view, 0, {},
                        [](size_t, std::span<const double>) { FAIL(); }));
}

}  // namespace
}  // namespace somafit
