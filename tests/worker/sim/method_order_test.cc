// What all integration methods promise, as simulations see it: their order.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "worker/core/ir/method.h"
#include "worker/sim/experiment.h"
#include "worker/sim/record.h"

namespace somafit {
namespace {

constexpr double kDuration = 4e-3;  // [s]

// The states after kDuration. Solvers that choose their steps take one a time
// step.
std::vector<double> Solve(const std::string& equations,
                          const std::string& method, double dt) {
  ModelSource source{equations, method, {}, {{"x", "1.2"}, {"y", "0.7"}}};
  Diagnostics ignored;
  for (const char* const solver :
       {"dopri5", "cash_karp54", "fehlberg78", "rosenbrock4"}) {
    if (method == solver) {
      source.method_options = {{"adaptable_timestep", "false"}};
    }
  }
  const auto n_steps = static_cast<size_t>(std::lround(kDuration / dt)) + 1;
  auto data = std::make_shared<Dataset>();
  data->outputs = {{"x", kNoDimension}};
  Trace trace;
  trace.dt = dt;
  trace.targets = {std::vector<double>(n_steps, 0.0)};
  data->traces = {trace};
  const auto experiment =
      MakeRecordingExperiment(source, data, dt, {}, {"x", "y"});
  EXPECT_TRUE(experiment.ok()) << experiment.status();
  const std::vector<std::vector<double>> points = {{}};
  const auto recordings = RecordBatch(experiment->program, *data, points, 1);
  EXPECT_TRUE(recordings.ok()) << recordings.status();
  // Outputs are seen before a step.
  const Recording& recording = recordings->at(0);
  return {recording[n_steps - 1], recording[2 * n_steps - 1]};
}

double Distance(const std::vector<double>& a, const std::vector<double>& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

// Of the error, from halving the step; the exact one by the finest rk4.
double MeasuredOrder(const std::string& equations, const std::string& method,
                     double dt) {
  const std::vector<double> truth = Solve(equations, "rk4", kDuration / 20000);
  const double coarse = Distance(Solve(equations, method, dt), truth);
  const double fine = Distance(Solve(equations, method, dt / 2), truth);
  return std::log2(coarse / fine);
}

// Each equation is linear in its own variable; t tells right stages from wrong.
constexpr char kPredatorAndPrey[] =
    "dx/dt = (x*(1 - y) + 0.4*sin(t/ms))/ms : 1\n"
    "dy/dt = (y*(x - 1) + 0.2*cos(2*t/ms))/ms : 1";
constexpr char kOscillator[] =
    "dx/dt = (y - 0.1*x)/ms : 1\ndy/dt = (0.5 - 4*x - 0.1*y)/ms : 1";

class MethodOrderTest : public ::testing::TestWithParam<const MethodEntry*> {};

TEST_P(MethodOrderTest, HasItsOrder) {
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
  // Errors far above rounding; with so few steps of order 8, further terms of
  // the error still show.
  const double within = method.order > 5 ? 0.2 : 0.1;
  const double dt = method.order > 5   ? kDuration / 16
                    : method.order > 4 ? kDuration / 64
                                       : kDuration / 200;
  EXPECT_NEAR(MeasuredOrder(kPredatorAndPrey, name, dt), method.order, within);
  EXPECT_NEAR(MeasuredOrder(kOscillator, name, dt), method.order, within);
}

INSTANTIATE_TEST_SUITE_P(All, MethodOrderTest,
                         ::testing::ValuesIn(AllMethods().begin(),
                                             AllMethods().end()),
                         [](const auto& each) {
                           return std::string(each.param->name);
                         });

}  // namespace
}  // namespace somafit
