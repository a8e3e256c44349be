// The rows of the language's conformance tables that give numbers (7.2, 7.4,
// 7.5), by their ids: through the interpreter and every kind of kernel, which
// agree to the bit.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/jit/conformance.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

TEST(ConformanceValuesTest, Expressions) {
  const double inf = std::numeric_limits<double>::infinity();
  struct Case {
    std::string id;
    std::string expression;
    double expected;
    double x = 0, n = 0, b = 0;
  };
  const Case cases[] = {
      {"X01", "-x**2", -9, 3},
      {"X02", "2**-1", 0.5},
      {"X02", "2**3**2", 512},
      {"X02", "(2**3)**2", 64},
      {"X03", "7//2", 3},
      {"X03", "-7//2", -4},
      {"X03", "-3.5//2", -2},
      {"X03", "n//2", -4, 0, -7},
      {"X04", "-7 % 3", 2},
      {"X04", "7 % -3", -2},
      {"X04", "5.5 % 2", 1.5},
      {"X04", "-1.2 % 3.4", 2.2},
      {"X04", "x % 2", 1.5, 5.5},
      {"1.4", "n // 98", 1, 0, 98},
      {"1.4", "n // 49", 1, 0, 49},
      {"1.4", "int(n/49)", 1, 0, 49},
      {"1.4", "floor(n/103)", 1, 0, 103},
      {"1.4", "int(n/49 == 1) + int(n/49 < 1)", 1, 0, 49},
      {"1.5", "int(x*x - (n + x)*(n + x) == 0)", 1, 0.1, 0},
      {"1.4", "n // 0", 0, 0, 98},
      {"1.4", "n % 0", 0, 0, 98},
      {"1.4", "x // 0", inf, 3},
      {"1.4", "n // 3", 3002399751580330, 0, 9007199254740990},
      {"1.4", "(n - 1) // 3", 3002399751580329, 0, 9007199254740990},
      {"1.4", "n", -2, 0, -2.9},
      {"1.4", "int(b) + n", 4, 0, 3, 7},
      {"X05", "n/2", 0.5, 0, 1},
      {"X05", "1/2*x", 1.5, 3},
      {"X06", "int(not 0 < x and x < 5)", 0, 3},
      {"X06", "int(not 0 < x and x < 5)", 1, -1},
      {"X07", "int(x > 1 or x < 0 and x > -1)", 1, 2},
      {"X07", "int(x > 1 or x < 0 and x > -1)", 0, -2},
      {"1.3", "int(x >= 2) + 2*int(x <= 2) + 4*int(x == 2) + 8*int(x != 2)", 7,
       2},
      {"1.3", "int(x >= 2) + 2*int(x <= 2) + 4*int(x == 2) + 8*int(x != 2)", 9,
       3},
      {"1.3", "int(True and not False)", 1},
      {"X10", "1e-3 + .5 + 5. + 1E3 + 1_000 + 0x10", 2021.501},
      {"X12", "5.e3", 5000},
      {"X13", "int(2.9)", 2},
      {"X13", "int(-2.9)", -2},
      {"X13", "int(x)", -2, -2.9},
      {"X13", "int(b)", 1, 0, 0, 1},
      {"X14", "clip(x,0,3)", 3, 5},
      {"X14", "clip(x,0,3)", 0, -1},
      {"X14", "clip(x,0,3)", 2, 2},
      {"X14", "sign(x)", -1, -2},
      {"X14", "sign(x)", 0, 0},
      {"X14", "abs(x)", 2, -2},
      {"X15", "floor(x)", -2, -1.5},
      {"X15", "ceil(x)", -1, -1.5},
      {"X16", "exprel(x)", 1, 0},
      {"X16", "exprel(x)", 1.718281828459045, 1},
      {"X16", "exprel(x)", inf, 800},
      {"X17", "log10(1000*x)", 3, 1},
      {"X17", "log1p(x)", 0},
      {"X17", "expm1(x)", 0},
      {"X17", "arctan(x)", 0.7853981633974483, 1},
      {"X17", "log(e)", 1},
      {"X17", "sin(pi/2*x)", 1, 1},
      {"X18", "timestep(0.3*ms, 0.1*ms)", 3},
      {"X18", "timestep(0.29*ms, 0.1*ms)", 2},
      {"X18", "timestep(x*ms, 0.1*ms)", 3, 0.3},
      {"X20", "b + 1", 2, 0, 0, 1},
  };
  for (const Case& each : cases) {
    Row row;
    row.id = each.id + " " + each.expression;
    row.equations =
        "y = " + each.expression + " : 1\nx : 1\nn : integer\nb : boolean";
    row.output = std::string("y");
    row.parameters = {each.x, each.n, each.b};
    row.expected = {each.expected};
    CheckRow(row);
    // The same, where x, n and b change from step to step.
    row.id += " per step";
    row.equations =
        "y = " + each.expression +
        " : 1\nx = x0 + 0*t/second : 1\nn = int(n0) + 0*t_in_timesteps : "
        "integer\nb = b0 + 0*t/second != 0 : boolean\nx0 : 1\nn0 : 1\nb0 : 1";
    CheckRow(row);
  }
}

TEST(ConformanceValuesTest, Numbers) {
  const std::string decay = "dv/dt = -v/tau : 1";
  const std::vector<NamedText> one = {{"v", "1"}};
  const auto powers = [](double factor, size_t n) {
    std::vector<double> result = {1};
    while (result.size() < n) result.push_back(result.back() * factor);
    return result;
  };
  const double h = 0.01;
  const std::string spiral = "dx/dt = y/ms : 1\ndy/dt = -x/ms : 1";
  const std::string chain = "dv/dt = (w-v)/ms : 1\ndw/dt = -w/ms : 1";
  const std::string square = "dv/dt = -s/tau : 1\ns = v**2 : 1";
  const std::string wave = "dv/dt = sin(2*pi*t/(4*ms))/ms : 1";
  const std::string affine = "dv/dt = -g*v/ms + 1/ms : 1\ng : 1";
  const Row rows[] = {
      {"N01 N05", decay, powers(std::exp(-h), 11), "exact", one, {}, 1e-4},
      {"M01", decay, powers(std::exp(-h), 11), "", one, {}, 1e-4},
      {"N02a", decay, powers(1 - h, 11), "euler", one, {}, 1e-4},
      {"N02b", decay, powers(1 - h + h * h / 2, 11), "rk2", one, {}, 1e-4},
      {"N02c",
       decay,
       powers(1 - h + h * h / 2 - h * h * h / 6 + h * h * h * h / 24, 11),
       "rk4",
       one,
       {},
       1e-4},
      {"N03a", decay, powers(1 - h, 11), "heun", one, {}, 1e-4},
      {"N03b", decay, powers(1 - h, 11), "milstein", one, {}, 1e-4},
      {"N04",
       decay,
       powers(std::exp(-h), 11),
       "exponential_euler",
       one,
       {},
       1e-4},
      {"N06",
       "dv/dt = v*(1-v)/tau : 1",
       {0.5, 0.525, 0.5499375},
       "euler",
       {{"v", "0.5"}}},
      {"N07x", spiral, {1, 1, 0.99}, "euler", {{"x", "1"}}, {}, 1e-4, {}, "x"},
      {"N07y",
       spiral,
       {0, -0.1, -0.2},
       "euler",
       {{"x", "1"}},
       {},
       1e-4,
       {},
       "y"},
      {"N08x",
       spiral,
       {1, 0.5403023058681398, -0.4161468365471424},
       "exact",
       {{"x", "1"}},
       {},
       1e-3,
       {},
       "x"},
      {"N08y",
       spiral,
       {0, -0.8414709848078965, -0.9092974268256817},
       "exact",
       {{"x", "1"}},
       {},
       1e-3,
       {},
       "y"},
      {"N09",
       chain,
       {0, 0.6321205588285577, 0.4650883158696593},
       "exponential_euler",
       {{"w", "1"}}},
      {"N10",
       chain,
       {0, 0.3678794411714423, 0.2706705664732254},
       "exact",
       {{"w", "1"}}},
      {"N18a", wave, {0, 0}, "euler"},
      {"N18b", wave, {0, 0.7071067811865475}, "rk2"},
      {"N18c", wave, {0, 0.6380711874576983}, "rk4"},
      {"N16a", square, {1, 0.9090911863322196}, "rk4", one},
      {"N16b", square, {1, 0.90975}, "rk2", one},
      {"N17a", square + " (constant over dt)", {1, 0.9}, "rk4", one},
      {"N17b", square + " (constant over dt)", {1, 0.9}, "rk2", one},
      // A method takes what is constant over a step as a number (1.8).
      {"1.8a",
       "dv/dt = (s - v)/tau : 1\ns = 2*v : 1 (constant over dt)",
       {1, 2 - std::exp(-0.1)},
       "exact",
       one},
      {"1.8b",
       "dv/dt = (s - v)/tau : 1\ns = 2*v : 1 (constant over dt)",
       {1, 2 - std::exp(-0.1)},
       "exponential_euler",
       one},
      {"1.8c",
       "dv/dt = -s*v/tau : 1\ns = v**2 + t/second : 1 (constant over dt)",
       {1, std::exp(-0.1)},
       "",
       one},
      {"N19a", affine, {0, 1}, "exact", {}, {0}},
      {"N19b", affine, {0, 0.6321205588285577}, "exact", {}, {1}},
      {"N19c", affine, {0, 1}, "exponential_euler", {}, {0}},
      {"N20",
       "dm/dt = al*(1-m)-be*m : 1\nal = 0.3/ms : Hz\nbe = 0.1/ms : Hz",
       {0, 0.2472599654732704, 0.4130032769120837},
       "exponential_euler",
       {},
       {},
       1e-3,
       {},
       "m"},
      {"N22",
       "y = t/ms : 1",
       {0, 0.1, 0.2, 3 * 1e-4 / 1e-3},
       "",
       {},
       {},
       1e-4,
       {},
       "y"},
      {"4.7",
       "y = t_in_timesteps : integer",
       {0, 1, 2, 3},
       "",
       {},
       {},
       1e-4,
       {},
       "y"},
  };
  for (const Row& row : rows) CheckRow(row);
}

// Inputs hold over a step and are sampled anew at its end (3.8).
TEST(ConformanceValuesTest, Inputs) {
  const std::string driven = "dv/dt = (ta-v)/tau : 1";
  const std::vector<double> ta = {1, 2, 4, 4, 4};
  const std::string integral = "dv/dt = ta/ms : 1";
  const std::vector<double> step = {0, 6, 6, 6};
  const Row rows[] = {
      {"N11", driven, {0, 0.1, 0.29, 0.661, 0.9949}, "euler", {}, {}, 1e-3, ta},
      {"N12",
       driven,
       {0, 0.09516258196404048, 0.2764318288860588, 0.6307761901683819,
        0.9514002271266802},
       "exact",
       {},
       {},
       1e-3,
       ta},
      {"M07",
       driven,
       {0, 0.09516258196404048, 0.2764318288860588, 0.6307761901683819,
        0.9514002271266802},
       "",
       {},
       {},
       1e-3,
       ta},
      {"N13",
       driven,
       {0, 0.095, 0.275975, 0.629757375, 0.949930424375},
       "rk2",
       {},
       {},
       1e-3,
       ta},
      {"N14", integral, {0, 1, 7, 13}, "rk4", {}, {}, 1e-3, step},
      {"N15a", integral, {0, 0, 6, 12}, "euler", {}, {}, 1e-3, step},
      {"N15b", integral, {0, 0, 6, 12}, "rk2", {}, {}, 1e-3, step},
      {"3.8",
       integral,
       {0, 1, 2 + 5.0 / 6, 8 + 5.0 / 6},
       "rk4",
       {},
       {},
       1e-3,
       {1, 1, 6, 6}},
  };
  for (const Row& row : rows) CheckRow(row);
}

// exact, where M is singular, stiff, large or made of inputs.
TEST(ConformanceValuesTest, Exact) {
  const Row rows[] = {
      {"N18", "dv/dt = 5*Hz : 1", {0, 0.005, 0.01}, "exact"},
      {"3.4 singular",
       "dv/dt = (w-v)/ms : 1\ndw/dt = (v-w)/ms : 1",
       {0, (1 - std::exp(-2)) / 2, (1 - std::exp(-4)) / 2},
       "exact",
       {{"w", "1"}}},
      {"3.4 nilpotent",
       "dv/dt = w/ms : 1\ndw/dt = 2/ms : 1",
       {0, 1, 4, 9},
       "exact"},
      {"3.4 stiff",
       "dv/dt = (w-v)*1000/ms : 1\ndw/dt = -w/ms : 1",
       {1, 1000.0 / 999 * std::exp(-1), 1000.0 / 999 * std::exp(-2)},
       "exact",
       {{"v", "1"}, {"w", "1"}}},
      {"3.4 three",
       "dv/dt = (w-v)/ms : 1\ndw/dt = (x-w)/ms : 1\ndx/dt = -x/ms : 1",
       {0, std::exp(-1) / 2, 2 * std::exp(-2)},
       "exact",
       {{"x", "1"}}},
      {"3.4 input",
       "dv/dt = ta*w/ms : 1\ndw/dt = -ta*v/ms : 1",
       {1, std::cos(1), std::cos(3)},
       "exact",
       {{"v", "1"}},
       {},
       1e-3,
       {1, 2, 3}},
      {"573",
       "dv/dt = (w-v*a)/ms : 1\ndw/dt = -w*b/ms : 1\na : 1\nb : 1",
       {0, std::exp(-1), 2 * std::exp(-2)},
       "exact",
       {{"w", "1"}},
       {1, 1}},
  };
  for (const Row& row : rows) CheckRow(row);
}

TEST(ConformanceValuesTest, MethodChoice) {
  struct Case {
    std::string id;
    std::string equations;
    std::string method;  // as given
    std::string chosen;  // "": E_METHOD
    std::string choice = "";
  };
  const Case cases[] = {
      {"M01", "dv/dt = -v/tau : 1", "", "exact"},
      {"M02", "dv/dt = (v**2 - v)/tau : 1", "", "euler"},
      {"M06a", "dv/dt = (sin(2*pi*t/second)-v)/tau : 1", "", "euler"},
      {"M06b", "dv/dt = (sin(2*pi*t/second)-v)/tau : 1", "exact", ""},
      {"M08a", "dv/dt = (v - v**3/3)/ms : 1", "exponential_euler", ""},
      {"M08b", "dv/dt = (v - v**3/3 + 1)/ms : 1", "exponential_euler", ""},
      {"M09", "dv/dt = (-v + exp(v))/tau : 1", "exponential_euler",
       "exponential_euler"},
      {"M10", "dv/dt = (v - v**2)/tau : 1", "exponential_euler", ""},
      {"M13b", "dv/dt = -v/tau : 1", "RK4", "rk4"},
      {"M13c", "dv/dt = -v/tau : 1", "Linear", "exact"},
      {"M15a", "dv/dt = -g*v/ms : 1\ng : 1", "", "exact"},
      {"M15b", "dv/dt = -w*v/ms : 1\ndw/dt = -w/ms : 1", "", "euler"},
      {"M16", "dv/dt = -v/tau*int(v > 0) : 1", "", "euler"},
      {"M17", "dv/dt = y/ms : 1\ndy/dt = -v/ms : 1", "", "exact"},
      {"M17 brian", "dv/dt = y/ms : 1\ndy/dt = -v/ms : 1", "", "euler",
       "brian"},
      {"M18", "dv/dt = 5*Hz : 1", "", "exact"},
      {"M18 brian", "dv/dt = 5*Hz : 1", "", "euler", "brian"},
      {"M01 brian", "dv/dt = -v/tau : 1", "", "exact", "brian"},
      // 3.4: rows of one another; rates of opposite signs; a chain of equal
      // time constants, whose eigenvalues are one; a state in other units.
      {"3.4d", "dv/dt = (y - v)/ms : 1\ndy/dt = (v - y)/ms : 1", "", "euler",
       "brian"},
      {"3.4e", "dv/dt = a*y/ms : 1\ndy/dt = -b*v/ms : 1\na : 1\nb : 1", "",
       "euler", "brian"},
      {"3.4f",
       "dv/dt = (y - v)/tau : 1\ndy/dt = (z - y)/tau : 1\ndz/dt = -z/tau : 1",
       "", "exact", "brian"},
      {"3.4g", "dv/dt = (y/(1*nA) - v)/ms : 1\ndy/dt = (1*pA*v - 9*y)/ms : amp",
       "", "exact", "brian"},
      // A chain of four equal rates, and another: not by order of the states.
      {"3.4h",
       "dz2/dt = (z1 - z2)/tau : 1\ndv/dt = (z3 - v)/ms : 1\n"
       "dz0/dt = -z0/tau : 1\ndz3/dt = (z2 - z3)/tau : 1\n"
       "dz1/dt = (z0 - z1)/tau : 1",
       "", "exact", "brian"},
      {"named", "dv/dt = 5*Hz : 1", "exact", "exact", "brian"},
      {"3.4a", "dv/dt = -abs(v)/ms : 1", "exact", ""},
      {"3.4b", "dv/dt = -v/ms*t/second : 1", "exact", ""},
      {"3.4c", "dv/dt = (v*v - v*v - v)/ms : 1", "exact", ""},
  };
  for (const Case& each : cases) {
    Row row;
    row.equations = each.equations;
    row.method = each.method;
    row.method_choice = each.choice;
    const CompiledRow compiled = CompileRow(row);
    EXPECT_EQ(compiled.method, each.chosen) << each.id;
    EXPECT_EQ(compiled.program.has_value(), !each.chosen.empty()) << each.id;
    if (each.chosen.empty()) {
      EXPECT_THAT(compiled.diagnostics.Render(), HasSubstr("E_METHOD"))
          << each.id;
    }
  }
  Row unknown{"M13a", "dv/dt = -v/tau : 1", {}};
  unknown.method = std::string("rk5");
  EXPECT_THAT(CompileRow(unknown).diagnostics.Render(), HasSubstr("E_METHOD"));
}

}  // namespace
}  // namespace somafit
