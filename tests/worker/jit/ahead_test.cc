#include "worker/jit/ahead.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/jit/random_program.h"
#include "worker/core/base/random.h"
#include "worker/core/ir/interpreter.h"
#include "worker/core/ir/lower.h"
#include "worker/core/lang/model.h"

namespace somafit::jit {
namespace {

constexpr size_t kLanes = 5;
constexpr size_t kSteps = 40;

Program Compile(const std::string& equations) {
  Diagnostics diagnostics;
  const auto model =
      CompileModel({equations, "", {}, {}}, {{"I", kNoDimension}},
                   {{"v", kNoDimension}}, diagnostics);
  EXPECT_TRUE(model.has_value()) << diagnostics.Render();
  const auto program = CompileProgram(*model, 1e-5, {"v"}, diagnostics);
  EXPECT_TRUE(program.has_value()) << diagnostics.Render();
  return *program;
}

uint64_t BitsOf(double x) {
  return std::isnan(x) ? 0x7ff8000000000000 : std::bit_cast<uint64_t>(x);
}

// Outputs of all steps, then the first `n_states` states.
std::vector<uint64_t> Run(const Program& program, size_t n_states) {
  RandomStream random(3, StreamPurpose::kExample, 0, 0);
  std::vector<double> parameters(program.parameters.size() * kLanes);
  for (double& parameter : parameters) parameter = 4 * random.Uniform() - 2;
  std::vector<std::vector<double>> inputs(program.inputs.size());
  TraceView trace = {kSteps, {}};
  for (auto& input : inputs) {
    for (size_t k = 0; k < kSteps; ++k) input.push_back(random.Uniform());
    trace.inputs.emplace_back(input);
  }
  Interpreter interpreter(program, kLanes, parameters);
  std::vector<uint64_t> bits;
  interpreter.Run(trace, 0, kSteps, [&](size_t, std::span<const double> seen) {
    for (const double x : seen) bits.push_back(BitsOf(x));
  });
  const std::vector<double> states = interpreter.states();
  for (size_t i = 0; i < n_states * kLanes; ++i) {
    bits.push_back(BitsOf(states[i]));
  }
  return bits;
}

void ExpectSame(const Program& program, const AheadProgram& ahead) {
  ASSERT_EQ(ahead.program.states.size(),
            program.states.size() + ahead.values.size());
  EXPECT_EQ(Run(ahead.program, program.states.size()),
            Run(program, program.states.size()))
      << PrintProgram(program) << "\n"
      << PrintProgram(ahead.program);
}

TEST(AheadTest, RatesOfVoltageAreComputedAhead) {
  const Program program = Compile(
      "dv/dt = (g*m**3*(50 - v) - v + I)/ms : 1\n"
      "dm/dt = (exp(v/10)*(1 - m) - 4/(1 + exp((q - v)/5))*m)/ms : 1\n"
      "g : 1\nq : 1");
  const auto ahead = ComputeAhead(program);
  ASSERT_TRUE(ahead);
  // Both exponentials, and what little arithmetic follows them.
  EXPECT_GE(ahead->values.size(), 2u);
  ExpectSame(program, *ahead);
}

TEST(AheadTest, NothingIsWhereItWouldNotPay) {
  // No long chain; one for which v itself waits; one that no state leads.
  for (const char* const equations :
       {"dv/dt = (I - v)/ms : 1", "dv/dt = (exp(-v) - v + I)/ms : 1",
        "dv/dt = (m - v)/ms : 1\ndm/dt = (exp(v*m) - m + I)/ms : 1"}) {
    EXPECT_FALSE(ComputeAhead(Compile(equations))) << equations;
  }
}

TEST(AheadTest, GivesTheSameNumbers) {
  int found = 0;
  for (uint32_t seed = 0; seed < 5000; ++seed) {
    const Program program = RandomProgram(seed);
    const auto ahead = ComputeAhead(program);
    if (!ahead) continue;
    ++found;
    ExpectSame(program, *ahead);
    if (HasFailure()) return;
  }
  EXPECT_GT(found, 100);
}

}  // namespace
}  // namespace somafit::jit
