// Methods that choose their steps: numbers, equal bits, and giving up.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/sim/points.h"
#include "worker/sim/batch.h"
#include "worker/sim/experiment.h"
#include "worker/sim/record.h"
#include "worker/sim/solving_kernel.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

constexpr double kDt = 1e-4;  // [s]

// What a model without an input does, point by point.
struct Simulation {
  ModelSource source;
  std::vector<std::string> parameters = {};
  std::vector<std::string> names = {"x"};
  size_t n_steps = 200;
  std::vector<double> input = {};

  std::shared_ptr<Dataset> Data() const {
    auto data = std::make_shared<Dataset>();
    data->outputs = {{"x", kNoDimension}};
    Trace trace;
    trace.dt = kDt;
    if (!input.empty()) {
      data->inputs = {{"I", kNoDimension}};
      trace.inputs = {input};
    }
    trace.targets = {std::vector<double>(n_steps, 0.0)};
    data->traces = {trace};
    return data;
  }

  std::vector<Recording> Record(const std::vector<std::vector<double>>& points,
                                const KernelSource& kernels = KernelFor,
                                int threads = 1,
                                const RoundPlace& place = {.seed = 3}) const {
    const auto data = Data();
    const auto experiment =
        MakeRecordingExperiment(source, data, kDt, parameters, names);
    EXPECT_TRUE(experiment.ok()) << experiment.status();
    if (!experiment.ok()) return {};
    const auto recordings = RecordBatch(experiment->program, *data, points,
                                        threads, {}, kernels, place);
    EXPECT_TRUE(recordings.ok()) << recordings.status();
    return *recordings;
  }

  std::vector<Evaluation> Evaluate(
      const std::vector<std::vector<double>>& points) const {
    const auto experiment = MakeExperiment(source, Data(), kDt, parameters, {});
    EXPECT_TRUE(experiment.ok()) << experiment.status();
    return *EvaluateBatch(*experiment, points, 1);
  }
};

class SolverTest : public ::testing::TestWithParam<const char*> {
 protected:
  Simulation Solving(const std::string& equations,
                     const std::vector<NamedText>& options = {}) const {
    Simulation simulation{{equations, GetParam(), {}, {{"x", "1"}}}};
    simulation.source.method_options = options;
    return simulation;
  }
};

// The exact solution, within what the tolerances let grow.
TEST_P(SolverTest, KeepsItsTolerance) {
  const std::vector<std::vector<double>> points = {{}};
  double last = 1;
  for (const char* const tolerance : {"1e-4", "1e-7", "1e-10"}) {
    const auto x = Solving("dx/dt = 30*cos(30*t/ms)*x/ms : 1",
                           {{"relative_error", tolerance}})
                       .Record(points)[0];
    double largest = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact =
          std::exp(std::sin(3e4 * static_cast<double>(i) * kDt));
      largest = std::max(largest, std::fabs(x[i] / exact - 1));
    }
    EXPECT_LT(largest, 1000 * std::stod(tolerance));
    EXPECT_LT(largest, last / 10);
    last = largest;
  }
}

// N22 and kin: an input holds over a step, and t moves within it.
TEST_P(SolverTest, InputsHoldAndTimeMoves) {
  Simulation simulation = Solving("dx/dt = (I + t/ms)/ms : 1");
  simulation.input = std::vector<double>(200, 1.0);
  for (size_t i = 0; i < 200; i += 3) simulation.input[i] = -2;
  const auto x = simulation.Record({{}})[0];
  double sum = 1;
  for (size_t i = 0; i < 200; ++i) {
    const double t = static_cast<double>(i) * kDt;
    EXPECT_NEAR(x[i], sum + t * t / 2e-6, 1e-9 * (1 + std::fabs(x[i]))) << i;
    sum += simulation.input[i] * kDt / 1e-3;
  }
}

// Subexpressions that hold, noise in them, code, thresholds and refractoriness.
ModelSource Busy(const char* method) {
  ModelSource source{
      "dx/dt = (drive + u*exp(-abs(x)) - x*y + I)/ms : 1\n"
      "dy/dt = (clip(x, -0.5, 2) - y)/tau : 1 (unless refractory)\n"
      "dz/dt = exprel((x - y)/2)/(10*ms) - z*tanh(z)/ms + k*sqrt(1 + z**2)/ms "
      ": 1\n"
      "u = 0.3*randn() : 1 (constant over dt)\nk : 1\ndrive : 1\n"
      "tau : second",
      method,
      {},
      {{"x", "0.2"}, {"k", "0.1"}}};
  source.threshold = "x > 1.1";
  source.reset = "x = 0\nk += 0.01";
  source.refractory = "1*ms";
  source.periodic = {{"z = 0.9*z", "start", "2*ms"}};
  return source;
}

Simulation BusySimulation(const char* method) {
  Simulation simulation{
      Busy(method), {"drive", "tau"}, {"x", "y", "z", "u", "k", "spikes"}};
  simulation.n_steps = 300;  // chunks of 128 and a rest
  for (size_t i = 0; i < simulation.n_steps; ++i) {
    simulation.input.push_back(std::sin(static_cast<double>(i)));
  }
  return simulation;
}

std::vector<std::vector<double>> BusyPoints() { return Points(19); }

TEST_P(SolverTest, NativePartsHaveTheInterpretersBits) {
  const Simulation simulation = BusySimulation(GetParam());
  const auto native = simulation.Record(BusyPoints());
  const auto reference = simulation.Record(BusyPoints(), InterpretingKernel);
  ASSERT_EQ(native.size(), reference.size());
  size_t n_spikes = 0;
  for (size_t i = 0; i < native.size(); ++i) {
    EXPECT_TRUE(SameBits(native[i], reference[i])) << i;
    n_spikes += static_cast<size_t>(
        std::count(native[i].end() - 300, native[i].end(), 1.0));
    EXPECT_FALSE(std::any_of(native[i].begin(), native[i].end(),
                             [](double x) { return std::isnan(x); }));
  }
  EXPECT_GT(n_spikes, 50u);
}

TEST_P(SolverTest, CutsOrderAndThreadsChangeNothing) {
  const Simulation simulation = BusySimulation(GetParam());
  const auto points = BusyPoints();
  const auto all = simulation.Record(points);
  EXPECT_EQ(all, simulation.Record(points, KernelFor, 3));
  for (size_t first = 0; first < points.size(); first += 5) {
    const size_t n = std::min<size_t>(5, points.size() - first);
    const auto part = simulation.Record(
        {points.begin() + static_cast<std::ptrdiff_t>(first),
         points.begin() + static_cast<std::ptrdiff_t>(first + n)},
        KernelFor, 1, {.seed = 3, .first_sample = static_cast<int64_t>(first)});
    for (size_t i = 0; i < n; ++i) {
      EXPECT_TRUE(SameBits(part[i], all[first + i])) << first + i;
    }
  }
}

// What is recorded beside changes no step.
TEST_P(SolverTest, RecordingChangesNothing) {
  Simulation simulation = BusySimulation(GetParam());
  const auto all = simulation.Record(BusyPoints());
  simulation.names = {"x"};
  const auto alone = simulation.Record(BusyPoints());
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(SameBits(std::span(all[i]).first(300), alone[i])) << i;
  }
}

// Each with all others, to what the default tolerance lets grow.
TEST_P(SolverTest, AgreesWithOthers) {
  Simulation simulation = BusySimulation(GetParam());
  simulation.source.threshold = "";
  simulation.source.reset = std::nullopt;
  simulation.source.refractory = "";
  simulation.names = {"x", "y", "z"};
  const auto here = simulation.Record(BusyPoints());
  simulation.source.method = "dopri5";
  simulation.source.method_options = {{"relative_error", "1e-11"}};
  const auto truth = simulation.Record(BusyPoints());
  for (size_t i = 0; i < here.size(); ++i) {
    for (size_t k = 0; k < here[i].size(); ++k) {
      EXPECT_NEAR(here[i][k], truth[i][k], 2e-4) << i << " " << k;
    }
  }
}

// The solution ends at 1.05 ms.
TEST_P(SolverTest, ALaneThatIsGivenUpIsAloneInIt) {
  Simulation simulation = Solving("dx/dt = g*x**2/ms : 1\ng : 1");
  simulation.parameters = {"g"};
  const std::vector<std::vector<double>> points = {{0}, {1 / 1.05}, {-1}, {0}};
  const auto results = simulation.Evaluate(points);
  EXPECT_EQ(results[1].status, SampleStatus::kNonfinite);
  EXPECT_EQ(results[1].reason,
            std::string(GetParam()) +
                " found no step that is good enough at step 11 of trace 0");
  for (const size_t i : {0u, 2u, 3u}) {
    EXPECT_EQ(results[i].status, SampleStatus::kOk) << i;
  }
  const auto x = simulation.Record(points);
  EXPECT_TRUE(std::isfinite(x[1][10]));
  EXPECT_TRUE(std::isnan(x[1][11]));
  EXPECT_DOUBLE_EQ(x[0].back(), 1);
  EXPECT_NEAR(x[2].back(), 1 / (1 + 199 * 0.1), 1e-5);
}

// 4.2: what code does to a state before integration is where that begins, and a
// number that code assigns is one in the equations. exact is another code path.
TEST_P(SolverTest, CodeBeforeIntegrationCounts) {
  Simulation simulation = Solving("dx/dt = (p - x)/ms : 1\np : 1");
  simulation.names = {"x", "p"};
  simulation.source.initial_values.push_back({"p", "0.5"});
  simulation.source.periodic = {{"x += 1", "start", "1*ms"},
                                {"x *= 0.5", "groups", "0.7*ms"},
                                {"p = 3", "before_groups", ""},
                                {"x -= 0.25", "end", "0.3*ms"}};
  const auto here = simulation.Record({{}})[0];
  simulation.source.method = "exact";
  const auto exact = simulation.Record({{}})[0];
  for (size_t i = 0; i < here.size(); ++i) {
    EXPECT_NEAR(here[i], exact[i], 2e-5) << i;
  }
}

// An equation whose noise is none on paper.
TEST_P(SolverTest, NoiseThatVanishesIsNone) {
  const auto x = Solving("dx/dt = (xi_1*second**0.5)**0/ms : 1").Record({{}});
  ASSERT_EQ(x.size(), 1u);
  EXPECT_NEAR(x[0].back(), 1 + 199 * 0.1, 1e-5);
}

// The derivative of the slope is infinite where it begins.
TEST_P(SolverTest, GetsAwayFromAPointWithoutDerivative) {
  Simulation simulation = Solving("dx/dt = (1 + sqrt(abs(x)))/ms : 1");
  simulation.source.initial_values = {};
  simulation.n_steps = 11;
  // s - log(1 + s) = t/2 for the root s of x.
  const double s = std::sqrt(simulation.Record({{}})[0].back());
  EXPECT_NEAR(2 * (s - std::log1p(s)), 1, 1e-4);
}

// Thirty radians a time step, of which the states say nothing.
TEST_P(SolverTest, SeesWhatDependsOnTimeAlone) {
  Simulation simulation = Solving(
      "dx/dt = 300*cos(300*t/ms)/ms : 1\ndy/dt = -y/(0.1*ms) : 1",
      {{"relative_error", "1e-8"}});
  simulation.source.initial_values = {{"x", "3"}, {"y", "1"}};
  simulation.n_steps = 20;
  const auto x = simulation.Record({{}})[0];
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(x[i], 3 + std::sin(30 * static_cast<double>(i)), 1e-4) << i;
  }
}

// Its solver gives up at 1 ms; a reset makes a number of what is none.
TEST_P(SolverTest, NothingRevivesALaneThatIsGivenUp) {
  Simulation simulation = Solving("dx/dt = x**2/(1.05*ms) : 1");
  simulation.source.threshold = "not (x < 1e30)";
  simulation.source.reset = "x = 0.5";
  const auto results = simulation.Evaluate({{}});
  EXPECT_EQ(results[0].status, SampleStatus::kNonfinite);
  EXPECT_THAT(results[0].reason, HasSubstr("found no step"));
}

TEST_P(SolverTest, OptionsWork) {
  const char* const equations = "dx/dt = (cos(30*t/ms) - x)/ms : 1";
  const auto last = [&](const std::vector<NamedText>& options) {
    return Solving(equations, options).Record({{}})[0].back();
  };
  const double truth = last({{"relative_error", "1e-9"}});
  const auto error = [&](const std::vector<NamedText>& options) {
    return std::fabs(last(options) - truth);
  };
  EXPECT_LT(error({}), 1e-5);
  EXPECT_GT(error({{"absolute_error", "0.1"}}), error({}));
  EXPECT_GT(error({{"absolute_error_per_variable", "{'x': 0.1}"}}), error({}));
  EXPECT_GT(error({{"adaptable_timestep", "False"}}), error({}));
  EXPECT_TRUE(
      std::isnan(last({{"relative_error", "1e-9"}, {"max_steps", "2"}})));
  // It begins anew in each time step; the numbers are others, and as good.
  EXPECT_NE(last({{"use_last_timestep", "false"}}), last({}));
  EXPECT_LT(error({{"use_last_timestep", "false"}}), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, SolverTest,
                         ::testing::Values("dopri5", "cash_karp54",
                                           "fehlberg78", "rosenbrock4"),
                         [](const auto& each) {
                           return std::string(each.param);
                         });

// A time constant of a nanosecond: an explicit solver needs 1e5 tries a step.
TEST(StiffTest, OnlyRosenbrockGetsThrough) {
  Simulation simulation{
      {"dx/dt = (y - x)/(1*nsecond) : 1\ndy/dt = (1 - x*y)/ms : 1",
       "rosenbrock4",
       {},
       {{"x", "1"}, {"y", "0"}}}};
  const double x = simulation.Record({{}})[0].back();
  // y' = (1 - y^2)/ms from 0 on, x following: tanh.
  EXPECT_NEAR(x, std::tanh(199 * 0.1), 1e-5);
  simulation.source.method = "dopri5";
  EXPECT_TRUE(std::isnan(simulation.Record({{}})[0].back()));
}

struct Mistake {
  std::string method;
  std::vector<NamedText> options;
  std::string said;
  std::string equations = "dv/dt = -v/ms : volt\ndw/dt = -w/ms : amp";
};

TEST(SolverOptionsTest, EveryMistakeIsSaid) {
  const Mistake mistakes[] = {
      {"dopri5", {{"tolerance", "1"}}, "no option `tolerance`"},
      {"rk4", {{"relative_error", "1"}}, "no option `relative_error`"},
      {"", {{"max_steps", "9"}}, "no option `max_steps`"},
      {"dopri5", {{"relative_error", "-1"}}, "-1 is not within 0 and 1"},
      {"dopri5", {{"relative_error", "nan"}}, "relative_error"},
      {"dopri5", {{"absolute_error", "1*mV"}}, "absolute_error"},
      {"dopri5", {{"absolute_error", "inf"}}, "inf is not within"},
      {"dopri5", {{"max_steps", "1.5"}}, "1.5 is no whole number"},
      {"dopri5", {{"max_steps", "1e9"}}, "not within 0 and 1e+05"},
      {"dopri5", {{"max_steps", "9"}, {"max_steps", "8"}}, "is given twice"},
      {"dopri5",
       {{"absolute_error_per_variable", "v: 1*mV, v: 2*mV"}},
       "`v` is given twice"},
      {"dopri5", {{"adaptable_timestep", "yes"}}, "neither true nor false"},
      {"gsl", {{"save_failed_steps", "true"}}, "are not kept"},
      {"dopri5",
       {{"absolute_error_per_variable", "u: 1*mV"}},
       "`u` has no differential equation"},
      {"dopri5", {{"absolute_error_per_variable", "v"}}, "no tolerance"},
      {"dopri5", {{"absolute_error_per_variable", "v: 1*mA"}}, "amp"},
      {"dopri5",
       {},
       "dopri5 cannot integrate dv/dt: there is noise in it",
       "dv/dt = -v/ms + xi/sqrt(ms) : 1"},
      {"dopri5",
       {},
       "dopri5 cannot integrate dv/dt: random numbers are drawn in it",
       "dv/dt = (rand() - v)/ms : 1"},
  };
  for (const Mistake& mistake : mistakes) {
    ModelSource source{mistake.equations, mistake.method, {}, {}};
    source.method_options = mistake.options;
    const auto program = MakeProgram(source, {}, {}, kDt, {});
    ASSERT_FALSE(program.ok()) << mistake.said;
    EXPECT_THAT(std::string(program.status().message()),
                HasSubstr(mistake.said));
  }
}

TEST(SolverOptionsTest, RosenbrockTakesSixtyFourStates) {
  const auto compile = [](int n) {
    std::string equations;
    for (int i = 0; i < n; ++i) {
      equations += "dx" + std::to_string(i) + "/dt = -x0/ms : 1\n";
    }
    return MakeProgram({equations, "rosenbrock4", {}, {}}, {}, {}, kDt, {});
  };
  EXPECT_TRUE(compile(64).ok());
  EXPECT_THAT(std::string(compile(65).status().message()),
              HasSubstr("there are 65 states, at most 64"));
}

// Brian's names have Brian's defaults: an absolute error alone.
TEST(SolverOptionsTest, GslNamesHaveTheirDefaults) {
  Simulation simulation{
      {"dx/dt = -60*x/ms : 1", "gsl_rkf45", {}, {{"x", "1"}}}};
  const auto gsl = simulation.Record({{}});
  simulation.source.method = "cash_karp54";
  EXPECT_NE(simulation.Record({{}}), gsl);
  simulation.source.method_options = {{"relative_error", "0"},
                                      {"absolute_error", "1e-6"},
                                      {"max_steps", "100"}};
  EXPECT_EQ(simulation.Record({{}}), gsl);
}

}  // namespace
}  // namespace somafit
