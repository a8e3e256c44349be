// The suite of methods that take noise: their strong order, against exact
// paths.
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "worker/core/base/noise.h"
#include "worker/core/ir/interpreter.h"
#include "worker/core/ir/lower.h"
#include "worker/core/ir/method.h"

namespace somafit {
namespace {

constexpr size_t kPaths = 1000;
constexpr size_t kFinest = 4096;     // steps
constexpr double kDuration = 10e-3;  // [s]; tau is 10 ms

// Standard normals of the finest steps, [step][path].
const std::vector<double>& Normals() {
  static const auto* const normals = [] {
    std::vector<uint64_t> paths(kPaths);
    for (size_t i = 0; i < kPaths; ++i) paths[i] = i;
    auto* result = new std::vector<double>(kFinest * kPaths);
    const NoiseKind kind = NoiseKind::kNormal;
    FillNoise(5, 0, paths, {&kind, 1}, 0, kFinest, result->data());
    return result;
  }();
  return *normals;
}

// The states at the end, driven by the same paths whatever the number of steps.
std::vector<double> Solve(const std::string& equations,
                          const std::string& method, size_t n_steps) {
  Diagnostics diagnostics;
  const auto model =
      CompileModel({equations, method, {{"tau", "10*ms"}}, {{"x", "1"}}}, {},
                   {}, diagnostics);
  EXPECT_TRUE(model) << diagnostics.Render();
  const auto program = CompileProgram(
      *model, kDuration / static_cast<double>(n_steps), {}, diagnostics);
  EXPECT_TRUE(program) << diagnostics.Render();
  const size_t each = kFinest / n_steps;
  std::vector<double> noise(n_steps * kPaths, 0.0);
  for (size_t k = 0; k < kFinest; ++k) {
    for (size_t p = 0; p < kPaths; ++p) {
      noise[k / each * kPaths + p] +=
          Normals()[k * kPaths + p] / std::sqrt(static_cast<double>(each));
    }
  }
  Interpreter interpreter(*program, kPaths, {});
  TraceView trace;
  trace.n_steps = n_steps;
  trace.noise = noise;
  interpreter.Run(trace, 0, n_steps, [](size_t, auto) {});
  return interpreter.states();
}

// W at the end, in units in which its variance is 1.
double PathEnd(size_t path) {
  double sum = 0;
  for (size_t k = 0; k < kFinest; ++k) sum += Normals()[k * kPaths + path];
  return sum / std::sqrt(static_cast<double>(kFinest));
}

double MeanDistance(const std::vector<double>& a,
                    const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

class NoiseMethodTest : public ::testing::TestWithParam<const MethodEntry*> {
 protected:
  // Of the distance from `exact`, from a quarter of the steps.
  double StrongOrder(const std::string& equations,
                     const std::vector<double>& exact, size_t n_steps) {
    const std::string name(GetParam()->name);
    return std::log2(MeanDistance(Solve(equations, name, n_steps / 4), exact) /
                     MeanDistance(Solve(equations, name, n_steps), exact)) /
           2;
  }
};

// dx = -x dt / tau + s dW; its exact end is taken from many more steps.
TEST_P(NoiseMethodTest, HasItsStrongOrderWithAdditiveNoise) {
  const std::string equations = "dx/dt = -x/tau + 0.5*xi/sqrt(tau) : 1";
  std::vector<double> exact;
  const double h = 1.0 / static_cast<double>(kFinest);
  for (size_t p = 0; p < kPaths; ++p) {
    double x = 1;
    for (size_t k = 0; k < kFinest; ++k) {
      // A step's noise acts on average in its middle.
      x = x * std::exp(-h) +
          0.5 * std::sqrt(h) * std::exp(-h / 2) * Normals()[k * kPaths + p];
    }
    exact.push_back(x);
  }
  // The drift is Euler's, and an additive method has nothing else to get wrong.
  EXPECT_NEAR(StrongOrder(equations, exact, 64), 1, 0.1);
}

// dx = -x dt / tau + s x o dW (Stratonovich): x = exp(-t / tau + s W).
TEST_P(NoiseMethodTest, HasItsStrongOrderWithMultiplicativeNoise) {
  const std::string equations = "dx/dt = -x/tau + 0.5*x*xi/sqrt(tau) : 1";
  if (!GetParam()->multiplicative) {
    Diagnostics diagnostics;
    const auto model = CompileModel(
        {equations, std::string(GetParam()->name), {{"tau", "10*ms"}}, {}}, {},
        {}, diagnostics);
    ASSERT_TRUE(model);
    EXPECT_FALSE(CompileProgram(*model, 1e-3, {}, diagnostics));
    return;
  }
  std::vector<double> exact;
  for (size_t p = 0; p < kPaths; ++p) {
    exact.push_back(std::exp(-1 + 0.5 * PathEnd(p)));
  }
  EXPECT_NEAR(StrongOrder(equations, exact, kFinest), GetParam()->strong_order,
              0.1);
}

TEST(NoiseMethodCatalogueTest, SaysWhoTakesNoise) {
  std::vector<std::string> names;
  for (const MethodEntry* const method : AllMethods()) {
    if (method->strong_order > 0) names.emplace_back(method->name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"euler", "heun", "milstein"}));
}

std::vector<const MethodEntry*> WithNoise() {
  std::vector<const MethodEntry*> methods;
  for (const MethodEntry* const method : AllMethods()) {
    if (method->strong_order > 0) methods.push_back(method);
  }
  return methods;
}

INSTANTIATE_TEST_SUITE_P(All, NoiseMethodTest, ::testing::ValuesIn(WithNoise()),
                         [](const auto& each) {
                           return std::string(each.param->name);
                         });

}  // namespace
}  // namespace somafit
