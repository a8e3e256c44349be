// One suite for all integration methods.
#include "worker/core/ir/method.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "worker/core/ir/interpreter.h"
#include "worker/core/ir/lower.h"
#include "worker/core/lang/method.h"

namespace somafit {
namespace {

constexpr double kDuration = 4e-3;  // [s]

// The states after kDuration.
std::vector<double> Solve(const std::string& equations,
                          const std::string& method, double dt) {
  const ModelSource source{equations, method, {}, {{"x", "1.2"}, {"y", "0.7"}}};
  Diagnostics diagnostics;
  const auto model = CompileModel(source, {}, {}, diagnostics);
  EXPECT_TRUE(model) << diagnostics.Render();
  const auto program = CompileProgram(*model, dt, {"x", "y"}, diagnostics);
  EXPECT_TRUE(program) << diagnostics.Render();
  const auto n_steps = static_cast<size_t>(std::lround(kDuration / dt));
  std::vector<double> last;
  // Outputs are seen before a step.
  Interpret(*program, {n_steps + 1, {}}, 1, {},
            [&](size_t, std::span<const double> outputs) {
              last.assign(outputs.begin(), outputs.end());
            });
  return last;
}

double Distance(const std::vector<double>& a, const std::vector<double>& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

// Of the error, from halving the step; the exact one by the finest rk4.
double MeasuredOrder(const std::string& equations, const std::string& method) {
  const std::vector<double> truth = Solve(equations, "rk4", kDuration / 20000);
  const double coarse = Distance(Solve(equations, method, 2e-5), truth);
  const double fine = Distance(Solve(equations, method, 1e-5), truth);
  return std::log2(coarse / fine);
}

// Each equation is linear in its own variable; t tells right stages from wrong.
constexpr char kPredatorAndPrey[] =
    "dx/dt = (x*(1 - y) + 0.4*sin(t/ms))/ms : 1\n"
    "dy/dt = (y*(x - 1) + 0.2*cos(2*t/ms))/ms : 1";
constexpr char kOscillator[] =
    "dx/dt = (y - 0.1*x)/ms : 1\ndy/dt = (0.5 - 4*x - 0.1*y)/ms : 1";

class MethodTest : public ::testing::TestWithParam<const MethodEntry*> {};

TEST_P(MethodTest, HasItsOrder) {
  const MethodEntry& method = *GetParam();
  const std::string name(method.name);
  if (method.order == 0) {
    // Whatever the step, what is left is rounding.
    const std::vector<double> truth =
        Solve(kOscillator, "rk4", kDuration / 20000);
    for (const double dt : {kDuration, kDuration / 8, kDuration / 100}) {
      EXPECT_LT(Distance(Solve(kOscillator, name, dt), truth), 1e-12) << dt;
    }
    return;
  }
  EXPECT_NEAR(MeasuredOrder(kPredatorAndPrey, name), method.order, 0.1);
  EXPECT_NEAR(MeasuredOrder(kOscillator, name), method.order, 0.1);
}

TEST_P(MethodTest, IsKnownToTheLanguage) {
  Diagnostics diagnostics;
  const std::string name(GetParam()->name);
  EXPECT_EQ(ReadMethod(name, diagnostics), name);
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.Render();
  EXPECT_FALSE(GetParam()->summary.empty());
}

// A model without states has nothing to integrate.
TEST_P(MethodTest, TakesModelsWithoutStates) {
  Diagnostics diagnostics;
  const auto model =
      CompileModel({"x = 2*t/ms : 1", std::string(GetParam()->name), {}, {}},
                   {}, {}, diagnostics);
  ASSERT_TRUE(model) << diagnostics.Render();
  EXPECT_TRUE(CompileProgram(*model, 1e-3, {"x"}, diagnostics));
}

INSTANTIATE_TEST_SUITE_P(All, MethodTest,
                         ::testing::ValuesIn(AllMethods().begin(),
                                             AllMethods().end()),
                         [](const auto& each) {
                           return std::string(each.param->name);
                         });

TEST(MethodCatalogueTest, EveryMethodOfTheLanguageIsThere) {
  for (const char* const name : {"exact", "linear", "exponential_euler",
                                 "euler", "rk2", "rk4", "heun", "milstein"}) {
    Diagnostics diagnostics;
    EXPECT_NE(FindMethod(ReadMethod(name, diagnostics)), nullptr) << name;
  }
  std::set<std::string_view> names;
  for (const MethodEntry* const method : AllMethods()) {
    EXPECT_TRUE(names.insert(method->name).second) << method->name;
  }
  EXPECT_EQ(FindMethod("rk5"), nullptr);
}

}  // namespace
}  // namespace somafit
