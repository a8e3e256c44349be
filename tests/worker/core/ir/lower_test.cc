#include "worker/core/ir/lower.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/ir/interpreter.h"

namespace somafit {
namespace {

using testing::HasSubstr;

struct Compiled {
  std::optional<Program> program;
  Diagnostics diagnostics;
};

Compiled Compile(const ModelSource& source, const std::vector<Channel>& outputs,
                 double dt = 1e-3, const std::vector<Channel>& inputs = {},
                 const ProgramObserver& observer = {}) {
  Compiled result;
  const std::optional<Model> model =
      CompileModel(source, inputs, outputs, result.diagnostics);
  if (!model.has_value()) return result;
  std::vector<std::string> names;
  for (const Channel& output : outputs) names.push_back(output.name);
  result.program =
      CompileProgram(*model, dt, names, result.diagnostics, observer);
  return result;
}

// The first output of one lane over `n_steps`.
std::vector<double> FirstOutput(const Program& program, size_t n_steps,
                                const std::vector<double>& parameters = {},
                                const std::vector<double>& input = {}) {
  TraceView view;
  view.n_steps = n_steps;
  if (!program.inputs.empty()) view.inputs = {input};
  std::vector<double> trace;
  Interpret(program, view, 1, parameters,
            [&](size_t, std::span<const double> outputs) {
              trace.push_back(outputs[0]);
            });
  return trace;
}

const std::vector<Channel> kV = {{"v", kNoDimension}};

TEST(ExponentialEulerTest, GivesTheTextbookNumbers) {
  struct Case {
    const char* name;
    ModelSource source;
    double dt;
    std::vector<double> parameters;
    std::vector<double> expected;
  };
  const std::vector<NamedText> tau = {{"tau", "10*ms"}};
  for (const Case& c : std::vector<Case>{
           {"decay",
            {"dv/dt = -v/tau : 1", "", tau, {{"v", "1"}}},
            1e-3,
            {},
            {1, std::exp(-0.1), std::exp(-0.2)}},
           {"decay, named method",
            {"dv/dt = -v/tau : 1", "Exponential_Euler", tau, {{"v", "1"}}},
            1e-3,
            {},
            {1, std::exp(-0.1)}},
           {"simultaneous",
            {"dv/dt = (w-v)/ms : 1\ndw/dt = -w/ms : 1", "", {}, {{"w", "1"}}},
            1e-3,
            {},
            {0, 0.6321205588285577, 0.4650883158696593}},
           {"gate",
            {"dv/dt = al*(1-v)-be*v : 1\nal = 0.3/ms : Hz\nbe = 0.1/ms : Hz",
             "",
             {},
             {}},
            1e-3,
            {},
            {0, 0.2472599654732704, 0.4130032769120837}},
           {"rate 0",
            {"dv/dt = -g*v/ms + 1/ms : 1\ng : 1", "", {}, {}},
            1e-3,
            {0},
            {0, 1, 2}},
           {"rate 1",
            {"dv/dt = -g*v/ms + 1/ms : 1\ng : 1", "", {}, {}},
            1e-3,
            {1},
            {0, 0.6321205588285577}},
           {"no rate",
            {"dv/dt = 5*Hz : 1", "", {}, {}},
            1e-3,
            {},
            {0, 0.005, 0.01}},
           {"nothing",
            {"dv/dt = 0*Hz : 1", "", {}, {{"v", "3"}}},
            1e-3,
            {},
            {3, 3}},
           {"frozen",
            {"dv/dt = (-v + exp(v))/tau : 1", "", tau, {}},
            1e-3,
            {},
            {0, 1 - std::exp(-0.1)}},
           {"vanishing square",
            {"dv/dt = ((v+1)**2 - v**2 - 4*v)/tau : 1", "", tau, {}},
            1e-3,
            {},
            {0, -std::expm1(-0.2) / 2}},
           {"below a fraction bar",
            {"dv/dt = -v/(tau*(1+v)) : 1", "", tau, {{"v", "1"}}},
            1e-3,
            {},
            {1, std::exp(-0.05)}},
       }) {
    ModelSource source = c.source;
    source.method = "exponential_euler";
    const Compiled compiled = Compile(source, kV, c.dt);
    ASSERT_TRUE(compiled.program.has_value()) << c.name << "\n"
                                              << compiled.diagnostics.Render();
    const std::vector<double> trace =
        FirstOutput(*compiled.program, c.expected.size(), c.parameters);
    for (size_t k = 0; k < trace.size(); ++k) {
      EXPECT_NEAR(trace[k], c.expected[k], 1e-12 * std::abs(c.expected[k]))
          << c.name << " step " << k;
    }
  }
}

TEST(ExponentialEulerTest, RefusesWhatIsNotLinearInItsVariable) {
  struct Case {
    const char* right_side;
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {"(v - v**3/3)/ms", "v**3"},
           {"(v - v**3/3 + 1)/ms", "v**3"},
           {"(v - v**2)/tau", "v**2"},
           {"v*(1-v)/tau", "v**2"},
           {"(1/v - v)/ms", "v**-1"},
           {"(sqrt(v) - v)/ms", "v**0.5"},
           {"exp(v)/ms", "only inside functions"},
           {"1/(1+v)/ms", "only inside functions"},
           {"v*v/ms", "v**2"},
           {"(1+v)**40/ms", "too long"},
       }) {
    const Compiled compiled = Compile(
        {"dx/dt = -x/tau : 1\ndv/dt = " + std::string(c.right_side) + " : 1",
         "exponential_euler",
         {{"tau", "10*ms"}},
         {}},
        kV);
    EXPECT_FALSE(compiled.program.has_value()) << c.right_side;
    ASSERT_EQ(compiled.diagnostics.all().size(), 1u)
        << compiled.diagnostics.Render();
    const Diagnostic& diagnostic = compiled.diagnostics.all()[0];
    EXPECT_EQ(diagnostic.code, "E_METHOD");
    EXPECT_EQ(diagnostic.begin.line, 2);
    EXPECT_THAT(diagnostic.message, HasSubstr(c.message));
  }
}

TEST(ExponentialEulerTest, WarnsOfFrozenParts) {
  const Compiled compiled = Compile(
      {"dv/dt = (-v + exp(v))/ms : 1", "exponential_euler", {}, {}}, kV);
  ASSERT_TRUE(compiled.program.has_value());
  ASSERT_EQ(compiled.diagnostics.all().size(), 1u);
  EXPECT_EQ(compiled.diagnostics.all()[0].code, "W_FROZEN_NONLINEAR");
}

TEST(ExponentialEulerTest, ComputesInvariantFactorsOncePerLane) {
  const Compiled compiled =
      Compile({"dv/dt = (g*(E-v) + 2*v*w)/C : 1\ndw/dt = -w/ms : 1\n"
               "g : 1\nE : 1\nC : second",
               "exponential_euler",
               {},
               {}},
              kV);
  ASSERT_TRUE(compiled.program.has_value()) << compiled.diagnostics.Render();
  const std::vector<Rate> rates = Rates(*compiled.program);
  for (size_t i = 0; i < rates.size(); ++i) {
    if (rates[i] == Rate::kPerStep) {
      EXPECT_NE(compiled.program->values[i].op, Op::kDivide);
    }
  }
}

TEST(CompileProgramTest, ShowsEveryStage) {
  std::vector<std::string> stages;
  const Compiled compiled =
      Compile({"dv/dt = -v/ms : 1", "", {}, {}}, kV, 1e-3, {},
              [&](std::string_view stage, const Program& program) {
                EXPECT_TRUE(VerifyProgram(program).ok());
                stages.emplace_back(stage);
              });
  EXPECT_EQ(stages, (std::vector<std::string>{
                        "lowered", "exact", "fold constants",
                        "invert invariant divisors", "invert exprel",
                        "share exponentials", "gather factors",
                        "fuse multiply add", "drop dead values"}));
}

// Observed at step 3 of 1 ms, with I = 2, g = 4.
TEST(CompileProgramTest, EvaluatesExpressionsAsWritten) {
  struct Case {
    const char* expression;
    double expected;
  };
  for (const Case& c : std::vector<Case>{
           {"g", 4},
           {"I + g*I", 10},
           {"g**3", 64},
           {"g**-2", 1 / 16.0},
           {"g**0.5", 2},
           {"g**-0.5", 0.5},
           {"g**0", 1},
           {"-g**2", -16},
           {"g**(1+2)", 64},
           {"g**11", 4194304},
           {"2**-1", 0.5},
           {"2**0.25", 1.189207115002721},
           {"sqrt(g)", 2},
           {"abs(-g)", 4},
           {"exp(g)/exp(g-1)", 2.718281828459045},
           {"expm1(g/1e20)", 4e-20},
           {"exprel(0*g)", 1},
           {"t/ms", 3},
           {"t/dt", 3},
           {"1/2", 0.5},
           {"s + s", 16},
           {"mV/volt", 1e-3},
           {"pi", 3.141592653589793},
           {"c*g", 20},
           {"g**g", 256},
           {"2**g", 16},
           {"g**1.5", 8},
           {"g**2000", std::numeric_limits<double>::infinity()},
           {"sin(g/4)", 0.8414709848078965},
           {"cos(g/4)", 0.5403023058681398},
           {"tan(g/4)", 1.557407724654902},
           {"sinh(g/4)", 1.1752011936438014},
           {"cosh(g/4)", 1.543080634815244},
           {"tanh(g/4)", 0.7615941559557649},
           {"arcsin(g/8)", 0.5235987755982989},
           {"arccos(g/8)", 1.0471975511965979},
           {"arctan(g/4)", 0.7853981633974483},
           {"log(g)", 1.3862943611198906},
           {"log10(25*g)", 2},
           {"log1p(g)", 1.6094379124341003},
           {"sign(-g)", -1},
           {"floor(g/3)", 1},
           {"ceil(-g/3)", -1},
           {"clip(g, 1, 3)", 3},
           {"clip(sin(1), 0, 1) + clip(-g, -1, 1)", -0.1585290151921035},
       }) {
    const Compiled compiled =
        Compile({"s = 2*g : 1\ng : 1\ny = " + std::string(c.expression) +
                     " : 1" + "\nz = I : 1\ndv/dt = z/ms : 1",
                 "",
                 {{"c", "5"}},
                 {}},
                {{"y", kNoDimension}}, 1e-3, {{"I", kNoDimension}});
    ASSERT_TRUE(compiled.program.has_value()) << c.expression << "\n"
                                              << compiled.diagnostics.Render();
    const std::vector<double> trace =
        FirstOutput(*compiled.program, 4, {4}, {2, 2, 2, 2});
    EXPECT_DOUBLE_EQ(trace[3], c.expected) << c.expression;
  }
}

TEST(CompileProgramTest, LeavesOutWhatNoResultNeeds) {
  const Compiled compiled =
      Compile({"y = v**1.5 : 1\ndv/dt = -v/ms : 1", "", {}, {}}, kV);
  EXPECT_TRUE(compiled.program.has_value()) << compiled.diagnostics.Render();
}

TEST(CompileProgramTest, AssignsInitialValuesInOrder) {
  const Compiled compiled =
      Compile({"dv/dt = 0*Hz : 1\ndw/dt = 0*Hz : 1\ng : 1",
               "",
               {},
               {{"w", "v + g"}, {"v", "2*w + 1 + t/ms"}}},
              {{"v", kNoDimension}, {"w", kNoDimension}});
  ASSERT_TRUE(compiled.program.has_value()) << compiled.diagnostics.Render();
  std::vector<double> first;
  const std::vector<double> parameters = {3};
  Interpret(*compiled.program, {1, {}}, 1, parameters,
            [&](size_t, std::span<const double> outputs) {
              first.assign(outputs.begin(), outputs.end());
            });
  // v is still 0 where w is assigned.
  EXPECT_EQ(first, (std::vector<double>{7, 3}));
}

TEST(CompileProgramTest, SurvivesLongChainsOfSubexpressions) {
  std::string equations = "g : 1\ns0 = g : 1\n";
  for (int i = 1; i < 1000; ++i) {
    const std::string n = std::to_string(i), last = std::to_string(i - 1);
    equations += "s" + n + " = -s" + last + " : 1\n";
  }
  equations += "dv/dt = s999*(1 - v)/ms : 1";
  const Compiled compiled = Compile({equations, "", {}, {}}, kV);
  ASSERT_TRUE(compiled.program.has_value()) << compiled.diagnostics.Render();
  EXPECT_NEAR(FirstOutput(*compiled.program, 2, {-1})[1], 1 - std::exp(-1),
              1e-12);
}

// Neither takes long, nor much memory.
TEST(CompileProgramTest, ExactGivesUpOnLargeSystems) {
  std::string chain = "sum = 0*Hz", pairs;
  for (int i = 0; i < 600; ++i) {
    const std::string n = std::to_string(i);
    chain += " + x" + n + "/ms";
    pairs += "dy" + n + "/dt = p" + n + "*(z" + n + " - y" + n +
             ")/ms : 1\ndz" + n + "/dt = -y" + n + "/ms : 1\np" + n + " : 1\n";
  }
  for (int i = 0; i < 5000; ++i) chain += " + 1*Hz";
  chain += " : Hz\n";
  for (int i = 0; i < 600; ++i) {
    chain += "dx" + std::to_string(i) + "/dt = sum : 1\n";
  }
  for (const auto& [equations, output] :
       {std::make_pair(chain, "x0"), std::make_pair(pairs, "y0")}) {
    const std::vector<Channel> outputs = {{output, kNoDimension}};
    const Compiled exact = Compile({equations, "exact", {}, {}}, outputs);
    EXPECT_FALSE(exact.program.has_value());
    EXPECT_THAT(exact.diagnostics.Render(), HasSubstr("E_METHOD"));
    EXPECT_TRUE(Compile({equations, "", {}, {}}, outputs).program.has_value());
  }
}

TEST(CompileProgramTest, GivesUpOnExplodingExpansions) {
  std::string equations = "s0 = 1 + v + w : 1\n";
  for (int i = 1; i < 200; ++i) {
    const std::string n = std::to_string(i), last = std::to_string(i - 1);
    equations += "s" + n + " = s" + last + "*s" + last + " + w : 1\n";
  }
  equations += "dv/dt = s199/ms : 1\ndw/dt = s199/ms : 1";
  for (const char* const method : {"exponential_euler", "exact"}) {
    const Compiled compiled = Compile({equations, method, {}, {}}, kV);
    EXPECT_FALSE(compiled.program.has_value());
    EXPECT_THAT(compiled.diagnostics.Render(), HasSubstr("E_METHOD"));
  }
  EXPECT_TRUE(Compile({equations, "", {}, {}}, kV).program.has_value());
}

}  // namespace
}  // namespace somafit
