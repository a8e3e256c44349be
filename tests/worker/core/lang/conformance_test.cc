// The rows of the language's conformance tables (7.1, 7.2, 7.3, 7.9) that
// concern what is available: by their ids.
#include <gtest/gtest.h>

#include "worker/core/lang/model.h"

namespace somafit {
namespace {

struct Row {
  std::string id;
  std::string text;
  std::string code;  // "" is accepted
  std::string mention = "";
};

void Check(const Row& row, std::vector<NamedText> constants) {
  ModelSource source;
  source.equations = row.text;
  source.constants = std::move(constants);
  Diagnostics diagnostics;
  const auto model = CompileModel(source, {}, {}, diagnostics);
  const std::string text =
      row.id + ": " + row.text + "\n" + diagnostics.Render();
  ASSERT_EQ(model.has_value(), !diagnostics.HasErrors()) << text;
  if (row.code.empty()) {
    EXPECT_TRUE(diagnostics.empty()) << text;
    return;
  }
  // The code expected, and no other: one mistake, one message.
  ASSERT_FALSE(diagnostics.empty()) << text;
  for (const Diagnostic& each : diagnostics.all()) {
    EXPECT_EQ(each.code, row.code) << text;
  }
  EXPECT_NE(diagnostics.Render().find(row.mention), std::string::npos)
      << row.mention << " in " << text;
}

TEST(ConformanceTest, Blocks) {
  const Row rows[] = {
      {"P01", "dv/dt = -v/tau : volt", ""},
      {"P02",
       "dv/dt = -(v +   # leak\n          I)    # input\n        / tau : "
       "volt\nI = 2*mV : volt # const",
       ""},
      {"P03", "dv/dt = -v/tau", "E_PARSE", ":1:15: "},
      {"P04", "dv/dt = -v/tau\nw : 1", "E_PARSE", ":1:15: "},
      {"P05", "v : mV", "E_UNITSPEC", "`volt`"},
      {"P06a", "v : 2*volt", "E_UNITSPEC"},
      {"P06b", "v : 1.0*volt", "E_UNITSPEC"},
      {"P06c", "v : volt/2", "E_UNITSPEC"},
      {"1.9a", "v : 5", "E_UNITSPEC"},
      {"1.9b", "v : -volt", "E_UNITSPEC"},
      {"1.9c", "v : volt-volt", "E_UNITSPEC"},
      {"1.9d", "v : volts", "E_UNITSPEC", "did you mean `volt`?"},
      {"1.9e", "v : nS", "E_UNITSPEC", "`siemens`"},
      {"1.9f", "v : gram", "E_UNITSPEC", "`kilogram`"},
      {"1.9g", "v : radian", ""},
      {"P07", "v : voltage", "E_UNITSPEC", "`voltage`"},
      {"P08a", "g : siemens/metre**2", ""},
      {"P08b", "x : second**-1\ny = x + 1*Hz : Hz", ""},
      {"P08c", "x : 1/second\ny = x + 1*Hz : Hz", ""},
      {"P08d", "x : Hz**0.5", ""},
      {"P09", "a : metre2", "E_UNITSPEC", "`metre ** 2`"},
      {"P10", "g : siemens/(metre**2)", "E_PARSE"},
      {"P11a", "c : mM", ""},
      {"P11b", "c : molar", "E_UNITSPEC", "`mmolar`"},
      {"P12", "b : bool", "E_UNITSPEC", "`boolean`"},
      {"P13a", "dv/dt = -v/ms : boolean", "E_TYPE"},
      {"P13b", "dn/dt = 1/ms : integer", "E_TYPE"},
      {"P14", "dv/dt = -v/tau : 1\nv = 2 : 1", "E_DUP", "line 1"},
      {"P15a", "dv/dt = -v/ms : 1 (constant)", "E_FLAG"},
      {"P15b", "g : 1 (constant over dt)", "E_FLAG"},
      {"P15c", "x = 2 : 1 (unless refractory)", "E_FLAG"},
      {"P15d", "dx/dt = -x/ms : 1 (event-driven)", "E_FLAG"},
      {"P15e", "g : 1 (constnat)", "E_FLAG", "`constant`"},
      {"1.8", "g : 1 (linked)", "E_FLAG", "single-neuron"},
      {"P16a", "g : siemens (constant, shared)", ""},
      {"P16b", "y : 1\nx = y+1 : 1 (constant over dt)", ""},
      {"P17", "g : siemens (constant )", ""},
      {"P18a", "v : volt w : 1", "E_PARSE"},
      {"P18b", "v : 1; w : 1", "E_PARSE"},
      {"P19", "d v / dt = -v/ms : 1", ""},
      {"P20a", "", ""},
      {"P20b", "# nothing\n  # at all", ""},
      {"P23", "a = b : 1\nb = a : 1", "E_CYCLE", "`a` -> `b` -> `a`"},
      {"P24a", "v = : 1", "E_SYNTAX"},
      {"P24b", "dv/d = -v/tau : 1", "E_PARSE"},
      {"P24c", "dv/dt = -v/tau : 1 : volt", "E_PARSE"},
      {"P25a", "dv/dt = -v/tau + xi/tau**.5 : 1", ""},
      {"P25b",
       "dv/dt = -v/tau + xi/tau**.5 : 1\ndw/dt = -w/tau + xi/tau**.5 : 1",
       "E_XI", ":2:"},
      {"P25c",
       "dv/dt = -v/tau + xi_1/tau**.5 : 1\n"
       "dw/dt = -w/tau + xi_1/tau**.5 + xi_2/tau**.5 : 1",
       ""},
      {"P26", "dv/dt = (I-v)/tau : 1\nI = xi*ms**.5 : 1", "E_XI", ":2:"},
      {"P27a", "s = rand() : 1", "E_STATEFUL", "`constant over dt`"},
      {"P27b", "s = rand() : 1 (constant over dt)", ""},
      {"P27c", "s = 1 + poisson(2) : integer", "E_STATEFUL"},
      {"P27d", "dv/dt = randn()/tau : 1", ""},
      {"1.8d", "s = rand() : 1 (shared, constant over dt)", "E_SHARED"},
      {"1.8e", "s = i + 1 : integer (shared)", "E_SHARED"},
      {"1.8f", "s = N + 1 : integer (shared)", ""},
      {"4.7a", "s = lastspike : second", "E_UNRESOLVED", "refractory"},
      {"4.7b", "s = int(not_refractory) : 1", "E_UNRESOLVED", "refractory"},
      {"U16a", "dv/dt = -v/tau + 1*mV*xi : volt", "E_DIM"},
      {"U16b", "dv/dt = -v/tau + 1*mV*sqrt(2/tau)*xi : volt", ""},
      {"P28", "x : 1\ns = 2*x : 1 (shared)", "E_SHARED", "`x`"},
      {"1.8b",
       "x : 1 (shared)\ns = 2*x + t/ms : 1 (shared)\n"
       "u = s + 1 : 1 (shared)",
       ""},
      {"1.8c", "dv/dt = -v/ms : 1\ns = 2*v : 1 (shared)", "E_SHARED"},
      {"R17", "dv/dt = -v/ms : 1 (unless refractory)", "W_NO_REFRACTORY"},
      {"1.4a", "n : integer\nb : boolean\nk = int(b)*n : integer", ""},
      {"1.4b", "k = 2.5 : integer", "W_TRUNC"},
      {"1.4c", "b = 1 : boolean", "E_TYPE"},
      {"1.4d", "b : boolean\nx = b : 1", "W_BOOLARITH"},
      {"1.4e", "b = x > 1 : boolean\nx : 1", ""},
  };
  for (const Row& row : rows) Check(row, {{"tau", "10*ms"}});
}

TEST(ConformanceTest, Names) {
  for (const char* name : {"e",
                           "pi",
                           "i",
                           "N",
                           "t",
                           "dt",
                           "xi",
                           "xi_a",
                           "_x",
                           "lambda",
                           "exp",
                           "clip",
                           "ms",
                           "mol",
                           "lux",
                           "v_post",
                           "refractory",
                           "t_in_timesteps",
                           "iteration",
                           "input_var",
                           "output_var_1",
                           "n_traces",
                           "v_pre",
                           "inf",
                           "not_refractory",
                           "True",
                           "not",
                           "umetre2",
                           "mliter"}) {
    Check({"P21", std::string(name) + " : 1", "E_NAME", name}, {});
  }
  Check({"1.2a", "ddt/dt = 1/ms : 1", "E_NAME", "`dt`"}, {});
  for (const char* name : {"m", "j", "E", "S", "A1", "tau_m", "I", "not_ref",
                           "minf", "lastspike", "output_var_x", "R", "h"}) {
    Check({"P22", std::string(name) + " : 1", ""}, {});
  }
  Check({"6.1", "mS : 1", "W_SHADOW"}, {});
}

TEST(ConformanceTest, Expressions) {
  const Row rows[] = {
      {"X01", "-x**2", ""},
      {"X02", "2**-1 + 2**3**2 + (2**3)**2", ""},
      {"X03", "7//2", ""},
      {"X04", "-7 % 3", ""},
      {"X05", "1/2*x", ""},
      {"X06", "int(not 0 < x and x < 5)", ""},
      {"X07", "int(x > 1 or x < 0 and x > -1)", ""},
      {"X08", "int(0 < x < 5)", "E_SYNTAX", "chained"},
      {"X09a", "x ^ 2", "E_SYNTAX", "`**`"},
      {"X09b", "int(b & b)", "E_SYNTAX", "`and`"},
      {"X09c", "x[0]", "E_SYNTAX"},
      {"X09d", "x.real", "E_SYNTAX"},
      {"X09e", "x if b else 0", "E_SYNTAX"},
      {"X09f", "clip(x, lo=0, hi=1)", "E_SYNTAX"},
      {"X09g", "(x, x)", "E_SYNTAX"},
      {"X09h", "~n", "E_SYNTAX"},
      {"X09i", "n << 2", "E_SYNTAX"},
      {"X10", "1e-3 + .5 + 5. + 1E3 + 1_000 + 0x10", ""},
      {"X11a", "007", "E_SYNTAX"},
      {"X11b", "1j", "E_SYNTAX"},
      {"X11c", "1__0", "E_SYNTAX"},
      {"X11d", "10 x", "E_SYNTAX", "`*`"},
      {"X12", "5.e3", ""},
      {"X13", "int(2.9) + int(-2.9) + int(b)", ""},
      {"X14", "abs(x)", ""},
      {"X14b", "sign(x)", ""},
      {"X14c", "clip(x, 0, 3)", ""},
      {"X16", "exprel(x)", ""},
      {"X17", "expm1(0)", ""},
      {"X18", "timestep(0.3*ms, 0.1*ms)", ""},
      {"X18b", "timestep(0.3, 0.1*ms)", "E_DIM", "needs times"},
      {"X19a", "-b", "E_TYPE", "int(...)"},
      {"X19b", "int(x and b)", "E_TYPE", "`x`"},
      {"X19c", "int(b or n)", "E_TYPE", "`n`"},
      {"X19d", "int(not x)", "E_TYPE", "`x`"},
      {"X20a", "(x > 1)*2", "E_TYPE", "int(...)"},
      {"X20b", "b + 1", "W_BOOLARITH"},
      {"X20c", "exp(x > 1)", "E_TYPE", "int(...)"},
      {"X20d", "exp(b)", "W_BOOLARITH"},
      {"1.6a", "clip(x, 2, 1)", "W_CLIP"},
      {"X21a", "exp(x, 1)", "E_ARITY"},
      {"X21b", "rand(1)", "E_ARITY", "takes 0 arguments"},
      {"X21d", "poisson()", "E_ARITY"},
      {"X21c", "clip(x)", "E_ARITY"},
      {"X22a", "exp/2", "E_SYNTAX", "`exp` is a function"},
      {"X22b", "x(2)", "E_SYNTAX", "`x` is no function"},
      {"X22c", "foo(x)", "E_UNRESOLVED", "`foo`"},
      {"X22d", "zz + 1", "E_UNRESOLVED", "`zz`"},
      {"4.7", "i + N", ""},
  };
  for (Row row : rows) {
    row.text = "y = " + row.text + " : 1\nx : 1\nn : integer\nb : boolean";
    Check(row, {});
  }
}

TEST(ConformanceTest, Dimensions) {
  const Row rows[] = {
      {"U01", "dv/dt = -v : volt", "E_DIM", "volt/second"},
      {"U02", "dv/dt = (I - v)/tau : volt", "E_DIM", ":1:12: "},
      {"U03a", "dx/dt = 0 : 1", "E_DIM"},
      {"U03b", "dx/dt = 0/second : 1", ""},
      {"U04a", "y = v + 0 : volt", "E_DIM", "*volt"},
      {"U04b", "y = int(v > 0) : 1", "E_DIM", "compared"},
      {"U05a", "y = exp(v) : 1", "E_DIM"},
      {"U05b", "y = exp(v/mV) : 1", ""},
      {"U06a", "y = sqrt(v**2) : volt", ""},
      {"U06b", "y = sqrt(v) : volt**0.5", ""},
      {"U06c", "y = sqrt(v) : volt", "E_DIM"},
      {"U07a", "y = v**2 : volt**2", ""},
      {"U07b", "y = v**p : volt**2", ""},
      {"U07c", "y = v**x : volt**2", "E_DIM"},
      {"2.7a", "y = v**exp(0) : volt", "E_DIM"},
      {"2.7b", "y = v**-(1/2 + 1) : volt**-1.5", ""},
      {"U08", "y = x**x : 1", ""},
      {"U09a", "y = clip(v, 0, 1*volt) : volt", "E_DIM"},
      {"U09b", "y = clip(v, 0*volt, 1*volt) : volt", ""},
      {"U10a", "y = sign(v) : 1", ""},
      {"U10b", "y = abs(v) : volt", ""},
      {"U10c", "y = int(v) : 1", "E_DIM"},
      {"U11a", "y = v//mV : 1", "E_DIM", "(v/mV)//1"},
      {"U11b", "y = (v/mV)//1 : 1", ""},
      {"U12", "y = v % mV : volt", ""},
      {"U12b", "y = v % 2 : volt", "E_DIM"},
      {"U13", "y = 10*mV + 1*amp*ohm : volt", ""},
      {"U14", "y = 2*nS*3*mV : amp", ""},
      {"U15a", "y = 1*uF/cm**2 : farad/metre**2", ""},
      {"U15b", "y = 1*uF/cm2 : farad/metre**2", ""},
      {"U15c", "y = 10*mS/cm2 : siemens/metre**2", ""},
      {"U15d", "y = 1*umetre2 : metre**2", ""},
      {"U17a", "y = 5*celsius : kelvin", "E_UNRESOLVED", "273.15"},
      {"U17b", "y = 10 mV : volt", "E_SYNTAX", "`*`"},
      {"U18", "y = 2**(3*mV) : 1", "E_DIM"},
      {"U22", "y = gas_constant*300*kelvin/faraday_constant : volt",
       "E_UNRESOLVED"},
  };
  const std::string declared[] = {"v : volt", "x : 1", "I : amp"};
  for (Row row : rows) {
    for (const std::string& each : declared) {
      const std::string name = each.substr(0, 1);
      if (row.text.find("d" + name + "/dt") != std::string::npos) continue;
      row.text += "\n" + each;
    }
    Check(row, {{"tau", "10*ms"}, {"p", "2"}});
  }
}

TEST(ConformanceTest, Resolution) {
  Check({"K01", "y = pi*x : 1\nx : 1", "W_SHADOW", "`pi`"}, {{"pi", "3"}});
  Check({"K02", "dw/dt = -w/ms : 1", "W_SHADOW", "`w`"}, {{"w", "5"}});
  Check({"K03", "dv/dt = -v/tau : volt", "E_DIM"}, {{"tau", "5*mV"}});
}

}  // namespace
}  // namespace somafit
