#include "worker/core/lang/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/core/lang/hodgkin_huxley.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

using testing::HasSubstr;

TEST(ModelTest, ReadsHodgkinHuxley) {
  Diagnostics diagnostics;
  const auto model = CompileModel(HodgkinHuxleySource(), HodgkinHuxleyInputs(),
                                  HodgkinHuxleyOutputs(), diagnostics);
  ASSERT_TRUE(model.has_value()) << diagnostics.Render();
  EXPECT_EQ(diagnostics.Render(), "");
  EXPECT_EQ(model->states.size(), 4u);
  EXPECT_EQ(model->subexpressions.size(), 6u);
  ASSERT_EQ(model->parameters.size(), 3u);
  EXPECT_EQ(model->parameters[0].name, "g_na");
  EXPECT_EQ(model->methods.at(0), "exponential_euler");
  EXPECT_NEAR(model->constants.at("Cm").value, 2e-10, 1e-24);
  ASSERT_EQ(model->initial_values.size(), 1u);
  EXPECT_EQ(model->states[model->initial_values[0].state].name, "v");

  using Kind = Meaning::Kind;
  EXPECT_EQ(model->Resolve("h")->kind, Kind::kState);
  EXPECT_EQ(model->Resolve("h")->index, 3u);
  EXPECT_EQ(model->Resolve("gl")->kind, Kind::kParameter);
  EXPECT_EQ(model->Resolve("beta_h")->kind, Kind::kSubexpression);
  EXPECT_EQ(model->Resolve("I")->kind, Kind::kInput);
  EXPECT_EQ(model->Resolve("t")->kind, Kind::kTime);
  EXPECT_EQ(model->Resolve("dt")->kind, Kind::kTimeStep);
  EXPECT_EQ(model->Resolve("VT")->value, -63 * 1e-3);
  EXPECT_EQ(model->Resolve("mV")->value, 1e-3);
  EXPECT_FALSE(model->Resolve("nothing").has_value());
}

TEST(ModelTest, PrintsEveryDefinition) {
  ModelSource source;
  source.equations =
      "b = 2*a : volt\na = k*mV : volt\ndv/dt = (b-v)/(10*ms) : volt\nk : 1";
  source.constants = {{"E", "-65*mV"}};
  source.initial_values = {{"v", "E + k*mV"}};
  source.method = "Exponential_Euler";
  Diagnostics diagnostics;
  const auto model = CompileModel(source, {}, {}, diagnostics);
  ASSERT_TRUE(model.has_value()) << diagnostics.Render();
  EXPECT_EQ(PrintModel(*model),
            "constant E = -0.065*volt\n"
            "parameter k : 1\n"
            "subexpression a = k*mV : volt\n"
            "subexpression b = 2*a : volt\n"
            "state dv/dt = (b - v)/(10*ms) : volt\n"
            "initial v = E + k*mV\n"
            "method exponential_euler\n");
}

// What is wrong with `change` applied to the model above.
template <typename Change>
std::string Mistakes(const Change& change) {
  ModelSource source = HodgkinHuxleySource();
  std::vector<Channel> inputs = HodgkinHuxleyInputs();
  std::vector<Channel> outputs = HodgkinHuxleyOutputs();
  change(source, inputs, outputs);
  Diagnostics diagnostics;
  const auto model = CompileModel(source, inputs, outputs, diagnostics);
  EXPECT_EQ(model.has_value(), !diagnostics.HasErrors());
  return diagnostics.Render();
}

TEST(ModelTest, ChecksInputsAndOutputs) {
  const Dimension volt = HodgkinHuxleyOutputs()[0].dimension;
  EXPECT_THAT(Mistakes([](auto&, auto& inputs, auto&) { inputs.clear(); }),
              HasSubstr("[E_UNRESOLVED]"));
  EXPECT_THAT(Mistakes([&](auto&, auto& inputs, auto&) {
                inputs.push_back({"J", volt});
              }),
              HasSubstr("`J` is not used in the model's equations [E_INPUT]"));
  EXPECT_THAT(Mistakes([](auto& source, auto&, auto&) {
                source.equations += "I : amp\n";
              }),
              HasSubstr("[E_INPUT]"));
  EXPECT_THAT(
      Mistakes([&](auto&, auto& inputs, auto&) { inputs[0].dimension = volt; }),
      HasSubstr("[E_DIM]"));
  EXPECT_THAT(Mistakes([&](auto&, auto&, auto& outputs) {
                outputs.push_back({"Vm", volt});
              }),
              HasSubstr("`Vm` is not defined by the model [E_INPUT]"));
  EXPECT_THAT(Mistakes([&](auto&, auto&, auto& outputs) {
                outputs.push_back({"m", volt});
              }),
              HasSubstr("`m` has the unit 1 but the data"));
  EXPECT_THAT(Mistakes([](auto& source, auto&, auto&) {
                source.equations += "v_target : volt\n";
              }),
              HasSubstr("[E_NAME]"));
  EXPECT_EQ(Mistakes([](auto& source, auto&, auto&) {
              source.equations += "x = v_target : volt\n";
            }),
            "");
}

TEST(ModelTest, ChecksInitialValues) {
  const auto mistakes = [](const char* name, const char* text) {
    return Mistakes([&](auto& source, auto&, auto&) {
      source.initial_values = {{"v", "El"}, {name, text}};
    });
  };
  EXPECT_EQ(mistakes("m", "1/(1 + exp(-v/mV))*gl/nS*t/second"), "");
  EXPECT_THAT(mistakes("m", "El"), HasSubstr("[E_DIM]"));
  EXPECT_THAT(mistakes("m", "alpha_m/Hz"), HasSubstr("[E_UNSUPPORTED]"));
  EXPECT_THAT(mistakes("m", "I/amp"), HasSubstr("[E_UNSUPPORTED]"));
  EXPECT_THAT(mistakes("m", "1 +"), HasSubstr("[E_SYNTAX]"));
  EXPECT_THAT(mistakes("m", "zz"), HasSubstr("[E_UNRESOLVED]"));
  EXPECT_EQ(mistakes("gl", "1*nS"), "");
  EXPECT_EQ(mistakes("gl", "v/mV*nS*(i + rand())/N"), "");
  EXPECT_THAT(mistakes("alpha_m", "1*Hz"), HasSubstr("[E_WRITE]"));
  EXPECT_THAT(mistakes("I", "1*nA"), HasSubstr("[E_WRITE]"));
  EXPECT_THAT(mistakes("m", "xi"), HasSubstr("[E_XI]"));
  EXPECT_THAT(mistakes("zz", "1"), HasSubstr("[E_UNRESOLVED]"));
  EXPECT_THAT(mistakes("v", "El"), HasSubstr("[E_DUP]"));
}

TEST(ModelTest, ChecksConstants) {
  const auto mistakes = [](const char* name, const char* text) {
    return Mistakes([&](auto& source, auto&, auto&) {
      source.constants.push_back({name, text});
    });
  };
  EXPECT_EQ(mistakes("later", "2*El"), "");
  EXPECT_THAT(mistakes("pi", "3"), HasSubstr("[W_SHADOW]"));
  EXPECT_THAT(mistakes("v", "3"), HasSubstr("[W_SHADOW]"));
  EXPECT_THAT(mistakes("exp", "3"), HasSubstr("[W_SHADOW]"));
  EXPECT_THAT(mistakes("t", "3"), HasSubstr("[W_SHADOW]"));
  EXPECT_EQ(mistakes("mV", "0.001*volt"), "");
  EXPECT_THAT(mistakes("El", "3"), HasSubstr("[E_DUP]"));
  EXPECT_THAT(mistakes("2x", "3"), HasSubstr("[E_NAME]"));
  EXPECT_THAT(mistakes("x", "later"), HasSubstr("[E_UNRESOLVED]"));
  EXPECT_THAT(mistakes("x", "[1, 2]"), HasSubstr("[E_SYNTAX]"));
}

TEST(ModelTest, AMistakenConstantIsReportedOnce) {
  const std::string text = Mistakes(
      [](auto& source, auto&, auto&) { source.constants[2].text = "-65*mX"; });
  EXPECT_EQ(text.find("error"), text.rfind("error")) << text;
}

// However many warnings there are, errors behind them are found.
TEST(ModelTest, WarningsHideNoErrors) {
  std::string equations;
  for (int i = 0; i < 300; ++i) {
    equations +=
        "dx" + std::to_string(i) + "/dt = 0*Hz : 1 (unless refractory)\n";
  }
  Diagnostics warnings;
  EXPECT_TRUE(CompileModel({equations, "", {}, {}}, {}, {}, warnings));
  EXPECT_EQ(warnings.all().size(), kMaxWarnings + 1);
  EXPECT_FALSE(warnings.full());
  for (const char* const mistake :
       {"y = exp(x0, x1, x2, x3, x4) : 1", "y = int() : 1",
        "y = z : 1\nz = y : 1", "y = 2*volt : 1", "y = nothing : 1"}) {
    Diagnostics diagnostics;
    EXPECT_FALSE(
        CompileModel({equations + mistake, "", {}, {}}, {}, {}, diagnostics))
        << mistake;
  }
}

TEST(ModelTest, ChecksMethods) {
  const auto mistakes = [](const char* method) {
    return Mistakes(
        [&](auto& source, auto&, auto&) { source.method = method; });
  };
  EXPECT_EQ(mistakes(""), "");
  EXPECT_EQ(mistakes("EXPONENTIAL_EULER"), "");
  EXPECT_EQ(mistakes("RK4"), "");
  EXPECT_EQ(mistakes("linear"), "");
  EXPECT_THAT(mistakes("gsl_rkf45"), HasSubstr("is cash_karp54 here"));
  EXPECT_THAT(mistakes("rk5"), HasSubstr("did you mean `rk"));
  EXPECT_THAT(mistakes("simplectic"), HasSubstr("known: exact, exponential"));
  EXPECT_THAT(mistakes("independent"), HasSubstr("use exact"));
}

}  // namespace
}  // namespace somafit
