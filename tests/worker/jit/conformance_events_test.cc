// The rows of the language's conformance tables on TimedArrays, spikes, resets,
// refractoriness, periodic code and noise (7.4 to 7.7), by their ids.
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/jit/conformance.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kTenth = 1e-4;  // [s]

Row Model(const std::string& id, const std::string& equations) {
  Row row;
  row.id = id;
  row.equations = equations;
  return row;
}

// Staircases of the tables, called as functions of time.
TEST(ConformanceEventsTest, TimedArrays) {
  const auto check = [](const std::string& id, const std::string& equations,
                        const std::string& method, const std::string& spacing,
                        const std::vector<double>& stairs,
                        const std::vector<double>& expected) {
    Row row = Model(id, equations);
    row.method = method;
    row.timed_arrays = {{.name = "ta",
                         .unit = "1",
                         .dt = spacing,
                         .values = stairs,
                         .columns = 0}};
    row.expected = expected;
    CheckRow(row);
  };
  const std::string driven = "dv/dt = (ta(t)-v)/tau : 1";
  const std::string integral = "dv/dt = ta(t)/ms : 1";
  const std::vector<double> three = {1, 2, 4}, two = {0, 6};
  check("N11", driven, "euler", "1*ms", three, {0, 0.1, 0.29, 0.661, 0.9949});
  const std::vector<double> exact = {0, 0.09516258196404048, 0.2764318288860588,
                                     0.6307761901683819, 0.9514002271266802};
  check("N12", driven, "exact", "1*ms", three, exact);
  check("M07", driven, "", "1*ms", three, exact);
  check("N13", driven, "rk2", "1*ms", three,
        {0, 0.095, 0.275975, 0.629757375, 0.949930424375});
  check("N14", integral, "rk4", "1*ms", two, {0, 1, 7, 13});
  check("N15a", integral, "euler", "1*ms", two, {0, 0, 6, 12});
  check("N15b", integral, "rk2", "1*ms", two, {0, 0, 6, 12});
  // 3.8: finer, wider, and other spacings; other arguments.
  check("3.8 half", integral, "rk2", "0.5*ms", {1, 2, 3, 4, 5}, {0, 2, 6, 11});
  check("3.8 half, whole steps", integral, "euler", "0.5*ms", {1, 2, 3, 4, 5},
        {0, 1, 4, 9, 14});
  check("3.8 two", integral, "rk4", "2*ms", {1, 7},
        {0, 1, 1 + 5.0 / 6 + 7.0 / 6, 1 + 5.0 / 6 + 7.0 / 6 + 7});
  check("3.8 two and a half", "v = ta(t) : 1", "", "2.5*ms", {1, 2, 3},
        {1, 1, 1, 2, 2, 3, 3, 3, 3});
  check("3.8 before", "v = ta(t - 2*ms) : 1", "", "1*ms", three,
        {1, 1, 1, 2, 4, 4});
  check("3.8 slower", "v = ta(t/2) : 1", "", "1*ms", three,
        {1, 1, 2, 2, 4, 4, 4});
  Row columns = Model("3.8 columns",
                      "v = ta(t, n) : 1\nn = t_in_timesteps - 1 : integer");
  columns.timed_arrays = {{.name = "ta",
                           .unit = "1",
                           .dt = "2*ms",
                           .values = {1, 2, 3, 4},
                           .columns = 2}};
  columns.expected = {std::nan(""), 1, 4, std::nan("")};
  CheckRow(columns);
  Row lanes = Model("3.8 units", "v = ta(t)/mV + 0*g : 1\ng : 1");
  lanes.parameters = {1};
  lanes.timed_arrays = {{.name = "ta",
                         .unit = "mV",
                         .dt = "1*ms",
                         .values = {1, 2},
                         .columns = 0}};
  lanes.expected = {1, 2, 2};
  CheckRow(lanes);
}

TEST(ConformanceEventsTest, Spikes) {
  const std::string ramp = "dv/dt = 1*kHz : 1";
  const std::string held = ramp + " (unless refractory)";
  const auto check =
      [](const std::string& id, const std::string& equations,
         const std::string& threshold, const std::optional<std::string>& reset,
         const std::string& refractory, const std::vector<int>& steps,
         int n_steps = 55, const std::vector<NamedText>& initial_values = {}) {
        Row row = Model(id, equations);
        row.method = "euler";
        row.dt = kTenth;
        row.threshold = threshold;
        row.reset = reset;
        row.refractory = refractory;
        row.initial_values = initial_values;
        row.output = "spikes";
        row.expected = SpikesAt(steps, n_steps);
        CheckRow(row);
      };
  const std::string above = "v > 0.95";
  check("R01", ramp, above, "v = 0", "", {9, 19, 29, 39, 49});
  check("R02", held, above, "v = 0", "0.5*ms", {9, 23, 37, 51});
  check("R03", ramp, above, "v = 0", "2*ms", {9, 29, 49});
  check("R04", "", "True", {}, "10*dt", {0, 10, 20, 30, 40, 50});
  check("R05", held, above, "v = 0", "0.05*ms", {9, 19, 29, 39, 49});
  check("R06", ramp, above, {}, "", {9, 10, 11, 12, 13}, 14);
  check("R07", ramp, above, "v = 0", "v > 0.95", {9, 19, 29, 39, 49});
  check("R08", ramp, above, "v = 0", "", {0, 10}, 15, {{"v", "2"}});
  check("R13", "", "t >= 0.2*ms", "", "", {2, 3}, 4);
  check("R17", held, above, "v = 0", "", {9, 19, 29, 39, 49});
  check("4.4 boolean", "dv/dt = 1*kHz : 1\ndw/dt = -w/(0.5*ms) : 1", above,
        "v = 0\nw = 1", "w > 0.5", {9, 19, 29}, 35);
  // Once the reset made v small, only the time since then matters.
  check("4.4 own time",
        "dv/dt = 1*kHz : 1\nref = 1*ms + 1*ms*int(t > 2*ms) : second", above,
        "", "ref", {9, 19, 39}, 55);
}

TEST(ConformanceEventsTest, States) {
  const std::string ramp = "dv/dt = 1*kHz : 1";
  Row r01 = Model("R01", ramp);
  r01.method = "euler";
  r01.dt = kTenth;
  r01.threshold = "v > 0.95";
  r01.reset = "v = 0";
  for (int k = 0; k < 25; ++k) r01.expected.push_back(0.1 * (k % 10));
  CheckRow(r01);

  Row r03 = r01;
  r03.id = "R03";
  r03.refractory = "2*ms";
  r03.expected.clear();
  for (int k = 0; k < 35; ++k) {
    r03.expected.push_back(k < 10   ? 0.1 * k
                           : k < 30 ? 0.1 * (k - 10)
                                    : 0.1 * (k - 30));
  }
  CheckRow(r03);

  Row r09 = Model("R09", ramp + "\nw : 1");
  r09.method = "euler";
  r09.dt = kTenth;
  r09.threshold = "v > 0.95";
  r09.reset = "w += 1\nv = w";
  r09.initial_values = {{"w", "0"}};
  for (int k = 0; k < 10; ++k) r09.expected.push_back(0.1 * k);
  for (const double v : {1.0, 2.0, 3.0}) r09.expected.push_back(v);
  CheckRow(r09);
  r09.output = "w";
  r09.expected = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3};
  CheckRow(r09);
  // Where w is fitted, it begins as its parameter.
  r09.id = "R09 fitted";
  r09.initial_values = {};
  r09.parameters = {0};
  CheckRow(r09);

  Row r15 = Model("R15", "ref : second");
  r15.dt = kTenth;
  r15.threshold = "True";
  r15.refractory = "ref";
  r15.output = "spikes";
  r15.parameters = {2e-4};
  r15.expected = SpikesAt({0, 2, 4, 6, 8}, 9);
  CheckRow(r15);
  r15.parameters = {4e-4};
  r15.expected = SpikesAt({0, 4, 8}, 9);
  CheckRow(r15);

  Row r16 = Model("R16", "");
  r16.dt = kTenth;
  r16.threshold = "True";
  r16.refractory = "10*dt";
  r16.output = "lastspike";
  r16.expected = {-1e4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1e-3};
  CheckRow(r16);
  r16.output = "not_refractory";
  r16.expected = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  CheckRow(r16);
}

// 4.4: what is refractory stands still for the others too, in every method.
TEST(ConformanceEventsTest, Frozen) {
  for (const std::string method :
       {"exact", "euler", "rk2", "rk4", "exponential_euler"}) {
    Row row = Model(method,
                    "dv/dt = (1 - v)/ms : 1 (unless refractory)\n"
                    "dw/dt = v/ms : 1");
    row.method = method;
    row.dt = kTenth;
    row.threshold = "t < dt/2";
    row.reset = "v = 2";
    row.refractory = "10*ms";
    row.output = "w";
    // The first step moves both; from then on w grows by 0.2 a step.
    Row free = row;
    free.threshold = "";
    free.reset = {};
    free.refractory = "";
    free.equations = "dv/dt = (1 - v)/ms : 1\ndw/dt = v/ms : 1";
    const double first = method == "euler" || method == "exponential_euler" ? 0
                         : method == "rk2" ? 0.005
                         : method == "rk4"
                             ? 0.1 * 0.1 / 2 - 0.001 / 6 + 0.0001 / 24
                             : 0.1 - (1 - std::exp(-0.1));
    free.expected = {0, first};
    CheckRow(free);
    row.expected = {0, first, first + 0.2, first + 0.4, first + 0.6};
    CheckRow(row);
  }
}

// R18 and 4.2: code in the slots of a step.
TEST(ConformanceEventsTest, PeriodicCode) {
  const std::string three = "v1 : 1\nv2 : 1\nv3 : 1";
  const auto check = [&](const std::string& output,
                         const std::vector<double>& expected) {
    Row row = Model("R18", three);
    row.initial_values = {{"v1", "0"}, {"v2", "0"}, {"v3", "0"}};
    row.periodic = {{"v1 += 1", "", ""},
                    {"v2 = v1", "end", ""},
                    {"v3 = v1", "before_start", ""}};
    row.output = output;
    row.expected = expected;
    CheckRow(row);
  };
  // Sample k sees what was done at the start of step k.
  check("v1", {1, 2, 3});
  check("v2", {0, 1, 2});
  check("v3", {0, 1, 2});
  Row every = Model("4.2 own dt", "v : 1");
  every.initial_values = {{"v", "0"}};
  every.periodic = {{"v += t/ms + 1", "start", "3*ms"}};
  every.expected = {1, 1, 1, 5, 5, 5, 12};
  CheckRow(every);
  // Writes are held off until the refractory flag is updated in step s + R.
  Row guarded = Model("9.1 point 6", "dv/dt = 0*Hz : 1 (unless refractory)");
  guarded.method = "euler";
  guarded.dt = kTenth;
  guarded.threshold = "t_in_timesteps == 3";
  guarded.reset = "";
  guarded.refractory = "0.5*ms";
  guarded.periodic = {{"v += 1", "start", ""}};
  guarded.expected = {1, 2, 3, 4, 4, 4, 4, 4, 4, 5, 6};
  CheckRow(guarded);
  guarded.periodic = {{"v += 1", "synapses", ""}};
  guarded.expected = {0, 1, 2, 3, 3, 3, 3, 3, 3, 4, 5};
  CheckRow(guarded);
  // What the code wrote is what is integrated.
  Row moved = Model("4.2 states", "dv/dt = -v/tau : 1");
  moved.periodic = {{"x = 2\nv = x*int(t < dt/2) + v*int(t > dt/2)", "", ""}};
  moved.expected = {2, 2 * std::exp(-0.1), 2 * std::exp(-0.2)};
  for (const std::string method : {"exact", "exponential_euler"}) {
    moved.method = method;
    CheckRow(moved);
  }
  // In the slot of resets, code comes before the reset.
  Row slot = Model("4.2 resets", "v : 1");
  slot.initial_values = {{"v", "0"}};
  slot.threshold = "t_in_timesteps == 1";
  slot.reset = "v = 0";
  slot.periodic = {{"v = 5", "resets", ""}};
  slot.expected = {0, 5, 0, 5};
  CheckRow(slot);
  slot.periodic = {{"v = 5", "after_resets", ""}};
  slot.expected = {0, 5, 5, 5};
  CheckRow(slot);
  // A temporary is a name of the code alone.
  Row own = Model("1.7 temporaries", "y = tau/ms : 1\nv : 1");
  own.initial_values = {{"v", "0"}};
  own.periodic = {{"tau = 7\nv = y + tau", "", ""}};
  own.expected = {17, 17};
  CheckRow(own);
  Row late = Model("4.2 order", "dv/dt = 1/ms : 1\nw = 2*v : 1\nx : 1");
  late.initial_values = {{"x", "0"}};
  late.method = "euler";
  late.periodic = {{"x = w", "after_start", ""}};
  late.output = "x";
  late.expected = {0, 0, 2, 4};
  CheckRow(late);
}

TEST(ConformanceEventsTest, Noise) {
  const auto check = [](const std::string& id, const std::string& equations,
                        const std::string& method, double z, double dt,
                        const std::string& output,
                        const std::vector<NamedText>& initial_values,
                        const std::vector<double>& expected) {
    Row row = Model(id, equations);
    row.method = method;
    row.drawn = z;
    row.dt = dt;
    row.output = output;
    row.initial_values = initial_values;
    row.expected = expected;
    CheckRow(row);
  };
  for (const std::string method : {"euler", "heun", "milstein"}) {
    check("S01 " + method, "dv/dt = 2*xi/sqrt(ms) : 1", method, 0.5, kTenth,
          "v", {}, [&] {
            std::vector<double> exact;
            for (int k = 0; k <= 10; ++k) {
              exact.push_back(std::sqrt(0.1) * k);
            }
            return exact;
          }());
  }
  const std::vector<NamedText> one = {{"v", "1"}};
  check("S02", "dv/dt = -v/tau + sqrt(2/tau)*xi : 1", "euler", 0.5, 1e-3, "v",
        one, {1, 1.123606797749979, 1.23485291572496, 1.334974421902443});
  check("M03", "dv/dt = -v/tau + sqrt(2/tau)*xi : 1", "", 0.5, 1e-3, "v", one,
        {1, 1.123606797749979, 1.23485291572496, 1.334974421902443});
  const std::string multiplied = "dv/dt = -v/tau + v*xi/sqrt(tau) : 1";
  check("S03", multiplied, "heun", 1, 1e-3, "v", one,
        {1, 1.266227766016838, 1.603332755431992});
  check("S04", multiplied, "milstein", 1, 1e-3, "v", one,
        {1, 1.250416377715996, 1.563541117660392});
  Row frozen = Model("S06", "dv/dt = 2*xi/sqrt(ms) : 1 (unless refractory)");
  frozen.method = "euler";
  frozen.threshold = "True";
  frozen.refractory = "1*second";
  frozen.drawn = 1;
  frozen.dt = kTenth;
  frozen.expected = {0, 0.632455532033676, 0.632455532033676,
                     0.632455532033676};
  CheckRow(frozen);
  // Two equations with one symbol have the same noise.
  check("M11",
        "dv/dt = xi_1/sqrt(ms) : 1\ndw/dt = -xi_1/sqrt(ms) : 1\ns = v + w : 1",
        "heun", 0.7, kTenth, "s", {}, {0, 0, 0});
  // Random functions.
  check("1.6 rand", "v = rand() + 0*g : 1 (constant over dt)\ng : 1", "", 0.25,
        kTenth, "v", {{"g", "1"}}, {0.25, 0.25});
  check("1.6 randn", "v : 1", "", -1.5, kTenth, "v", {{"v", "2*randn()"}},
        {-3, -3});
  check("1.6 poisson", "v = poisson(3) : integer (constant over dt)", "", 0.5,
        kTenth, "v", {}, {3, 3});
  Row jitter = Model("4.4 sampled", "");
  jitter.dt = kTenth;
  jitter.threshold = "True";
  jitter.refractory = "0.2*ms + 0.4*ms*rand()";
  jitter.drawn = 0.5;
  jitter.output = "spikes";
  jitter.expected = SpikesAt({0, 4, 8, 12}, 14);
  CheckRow(jitter);
}

TEST(ConformanceEventsTest, MethodChoice) {
  struct Case {
    std::string id;
    std::string equations;
    std::string method;  // as given
    std::string chosen;  // "": refused with `code`
    std::string code = "E_METHOD";
    std::string spacing = "";  // of a TimedArray ta
  };
  const std::string additive = "dv/dt = -v/tau + sqrt(2/tau)*xi : 1";
  const std::string multiplied = "dv/dt = -v/tau + v*xi/sqrt(tau) : 1";
  const std::string driven = "dv/dt = (ta(t)-v)/tau : 1";
  const std::string shared =
      "dv/dt = xi_1/sqrt(ms) : 1\ndw/dt = xi_1/sqrt(ms) : 1";
  const Case cases[] = {
      {"M03", additive, "", "euler"},
      {"M04", multiplied, "", "heun"},
      {"M05a", additive, "rk2", ""},
      {"M05b", additive, "rk4", ""},
      {"M05c", additive, "exact", ""},
      {"M05d", additive, "exponential_euler", ""},
      {"M05e", multiplied, "euler", ""},
      {"M07a", driven, "", "exact", "", "1*ms"},
      {"M07b", driven, "", "exact", "", "2*ms"},
      {"M07c", "dv/dt = (ta(t/2)-v)/tau : 1", "", "euler", "", "1*ms"},
      {"3.8", driven, "", "euler", "", "0.3*ms"},
      {"M11a", shared, "milstein", ""},
      {"M11b", shared, "heun", "heun"},
      {"M11c", shared, "euler", "euler"},
      {"M12a", "dv/dt = -v/tau + xi**2 : 1", "", "", "E_XI"},
      {"M12b", "dv/dt = -v/tau + xi_1*xi_2 : 1", "", "", "E_XI"},
      {"3.1", "dv/dt = -v/tau + sin(xi*second**0.5)*Hz : 1", "", "", "E_XI"},
      {"M14a", "dv/dt = ta(t)*xi/sqrt(tau) : 1", "euler", "euler", "", "10*ms"},
      {"M14b", "dv/dt = (t/ms)*xi/sqrt(tau) : 1", "euler", ""},
  };
  for (const Case& each : cases) {
    Row row = Model(each.id, each.equations);
    row.method = each.method;
    if (!each.spacing.empty()) {
      row.timed_arrays = {{.name = "ta",
                           .unit = "",
                           .dt = each.spacing,
                           .values = {1, 2},
                           .columns = 0}};
    }
    const CompiledRow compiled = CompileRow(row);
    EXPECT_EQ(compiled.program.has_value(), !each.chosen.empty())
        << each.id << compiled.diagnostics.Render();
    if (each.chosen.empty()) {
      EXPECT_THAT(compiled.diagnostics.Render(), HasSubstr(each.code))
          << each.id;
    } else {
      EXPECT_EQ(compiled.method, each.chosen) << each.id;
    }
  }
}

TEST(ConformanceEventsTest, Warnings) {
  Row r06 = Model("R06", "dv/dt = 1*kHz : 1");
  r06.threshold = "v > 0.95";
  EXPECT_THAT(CompileRow(r06).diagnostics.Render(),
              HasSubstr("W_ONLY_THRESHOLD"));
  r06.reset = "";
  EXPECT_THAT(CompileRow(r06).diagnostics.Render(),
              Not(HasSubstr("W_ONLY_THRESHOLD")));
  Row grid = Model("6.3", "v = ta(t) : 1");
  grid.timed_arrays = {
      {.name = "ta", .unit = "1", .dt = "2.5*ms", .values = {1}, .columns = 0}};
  EXPECT_THAT(CompileRow(grid).diagnostics.Render(), HasSubstr("W_GRID"));
  Row period = Model("4.2", "v : 1");
  period.periodic = {{"v = 1", "", "1.5*ms"}};
  EXPECT_THAT(CompileRow(period).diagnostics.Render(), HasSubstr("E_OPTION"));
}

}  // namespace
}  // namespace somafit
