// The rows of the language's conformance tables about thresholds, resets,
// refractoriness, periodic code and timed arrays (7.1, 7.3, 7.6, 7.9): by their
// ids; others bear the section's number.
#include <gtest/gtest.h>

#include "worker/core/lang/model.h"

namespace somafit {
namespace {

// What a model is given besides its equations.
struct Given {
  std::string threshold = "v > 1*volt";
  std::optional<std::string> reset = "";
  std::string refractory = "";
  std::vector<PeriodicSpec> periodic = {};
  std::vector<TimedArraySpec> timed_arrays = {};
};

struct Row {
  std::string id;
  Given given;
  std::string code;  // "" is accepted
  std::string mention = "";
  std::string equations =
      "dv/dt = -v/tau : volt\nI = 2*x*nA : amp\nx : 1\nw : 1\nn : integer\n"
      "b : boolean\ng : 1 (constant)\ns : 1 (shared)";
};

void Check(const Row& row) {
  ModelSource source;
  source.equations = row.equations;
  source.constants = {{"tau", "10*ms"}};
  source.threshold = row.given.threshold;
  source.reset = row.given.reset;
  source.refractory = row.given.refractory;
  source.periodic = row.given.periodic;
  source.timed_arrays = row.given.timed_arrays;
  Diagnostics diagnostics;
  const auto model = CompileModel(source, {}, {}, diagnostics);
  const std::string text = row.id + ":\n" + diagnostics.Render();
  ASSERT_EQ(model.has_value(), !diagnostics.HasErrors()) << text;
  if (row.code.empty()) {
    EXPECT_TRUE(diagnostics.empty()) << text;
    return;
  }
  // The code expected, and no other: one mistake, one message.
  EXPECT_EQ(diagnostics.all().size(), 1u) << text;
  for (const Diagnostic& each : diagnostics.all()) {
    EXPECT_EQ(each.code, row.code) << text;
  }
  EXPECT_NE(diagnostics.Render().find(row.mention), std::string::npos)
      << row.mention << " in " << text;
}

TEST(EventConformanceTest, Thresholds) {
  const Row rows[] = {
      {"R10a", {.threshold = "v"}, "E_THRESHOLD", "model.threshold:1:1"},
      {"R10b", {.threshold = "int(v > 1*mV)"}, "E_THRESHOLD"},
      {"R10c", {.threshold = "1"}, "E_THRESHOLD", "condition"},
      {"R10d", {.threshold = "v > 1*mV and w"}, "E_TYPE", "`w`"},
      {"4.3a", {.threshold = "b"}, ""},
      {"4.3b", {.threshold = "True"}, ""},
      {"4.3c", {.threshold = "t >= 0.2*ms and not b or i == N"}, ""},
      {"R12", {.threshold = "", .reset = "w = 0"}, "E_THRESHOLD"},
      {"R06", {.reset = std::nullopt}, "W_ONLY_THRESHOLD", "empty reset"},
      {"4.3d", {.reset = std::nullopt, .refractory = "2*ms"}, ""},
      {"4.3e", {.threshold = "rand() < 0.1", .reset = std::nullopt}, ""},
      {"4.3f", {.threshold = " # none", .reset = std::nullopt}, ""},
      {"4.3g", {.threshold = "v > xi"}, "E_XI"},
      {"4.3h", {.threshold = "v > vv"}, "E_UNRESOLVED", "`vv`"},
      {"U19a", {.threshold = "v > -50"}, "E_DIM", "*volt"},
      {"U19b", {.threshold = "v > -50*mV"}, ""},
      {"X20", {.threshold = "(w > 1)*2 > 1"}, "E_TYPE", "int(...)"},
  };
  for (const Row& row : rows) Check(row);
}

TEST(EventConformanceTest, Refractoriness) {
  const std::string flagged =
      "dv/dt = -v/tau : volt (unless refractory)\nw : 1";
  const Row rows[] = {
      {"R11a", {.refractory = "3"}, "E_REFRACTORY", "2*ms"},
      {"R11b", {.refractory = "3*Hz"}, "E_REFRACTORY"},
      {"R11c", {.refractory = "w"}, "E_REFRACTORY", "`w`"},
      {"R11d", {.refractory = "0.002"}, "E_REFRACTORY", "model.refractory:1:1"},
      {"R02", {.refractory = "0.5*ms"}, "", "", flagged},
      {"R04", {.refractory = "10*dt"}, ""},
      {"R07", {.refractory = "v > 0.95*volt"}, ""},
      {"R17a", {}, "W_NO_REFRACTORY", "", flagged},
      {"R17b", {.refractory = "False"}, "W_NO_REFRACTORY", "", flagged},
      {"R17c", {.refractory = "false"}, "W_NO_REFRACTORY", "", flagged},
      {"4.4a", {.refractory = "0*ms"}, "", "", flagged},
      {"4.4b",
       {.threshold = "", .reset = std::nullopt, .refractory = "2*ms"},
       ""},
      {"4.4c", {.refractory = "(1 + 2*rand())*ms"}, "W_REFRACTORY_SAMPLED"},
      {"4.4d", {.refractory = "rand() < 0.5"}, ""},
      {"4.4e", {.refractory = "x*tau"}, ""},
      {"4.4f",
       {.threshold = "not_refractory and t - lastspike > 1*ms",
        .reset = "x = lastspike/ms\nnot_refractory = True\nlastspike = t",
        .refractory = "2*ms"},
       ""},
      {"4.4g", {.reset = "not_refractory = True"}, "E_WRITE"},
      {"P22a", {.refractory = "2*ms"}, "E_DUP", "", "v : volt\nlastspike : 1"},
      {"P22b", {}, "", "", "v : volt\nlastspike : 1"},
      {"P21", {}, "E_NAME", "", "v : volt\nnot_refractory : 1"},
  };
  for (const Row& row : rows) Check(row);
}

TEST(EventConformanceTest, Resets) {
  const std::pair<Row, std::string> rows[] = {
      {{"U20a", {}, "E_DIM", "model.reset:1:5"}, "v = -70"},
      {{"U20b", {}, ""}, "v = -70*mV; x *= 2"},
      {{"U20c", {}, ""}, "v *= x"},
      {{"U20d", {}, "E_DIM"}, "v *= v"},
      {{"U20e", {}, "E_DIM", "added"}, "v += 1"},
      {{"U21", {}, ""}, "v *= 1 + x"},
      {{"R09", {}, ""}, "w += 1\nv = w*volt"},
      {{"R14a", {}, "E_WRITE", "subexpression"}, "I = 0*amp"},
      {{"R14b", {}, "E_WRITE"}, "t = 0*ms"},
      {{"R14c", {}, "E_SYNTAX", "`=`"}, "v == 0"},
      {{"R14d", {}, "E_SYNTAX", "int(condition)"}, "if v > 1: v = 0"},
      {{"R14e", {}, "E_SYNTAX", "model.reset:2:2"}, "v = 0*mV\n + 1"},
      {{"1.7a", {}, "E_WRITE"}, "dt = 1*ms"},
      {{"1.7b", {}, "E_WRITE"}, "N = 1"},
      {{"1.7c", {}, "E_WRITE"}, "i = 1"},
      {{"1.7d", {}, "E_WRITE", "function"}, "exp = 7"},
      {{"1.7e", {}, "E_WRITE", "`constant`"}, "g = 7"},
      {{"1.7f", {}, "E_WRITE", "`shared`"}, "s = 7"},
      {{"1.7g", {}, "E_WRITE", "noise"}, "xi = 7"},
      {{"1.7h", {}, "E_XI"}, "x = xi*ms**.5"},
      {{"1.7i", {}, "E_SYNTAX", "`**=`"}, "x **= 2"},
      {{"1.7j", {}, "E_SYNTAX", "`//=`"}, "x //= 2"},
      {{"1.7k", {}, "E_SYNTAX"}, "x, w = 1"},
      {{"1.7l", {}, "E_SYNTAX"}, "x = w = 1"},
      {{"1.7m", {}, "E_SYNTAX"}, "x = (1\n+ w)"},
      {{"1.7n", {}, "E_SYNTAX"}, "x"},
      {{"1.7o", {}, "E_SYNTAX"}, "x ="},
      {{"1.7p", {}, ""}, "# c; x\n\n x = 1 # d = 2; e\n;;w -= rand();x %= 2"},
      {{"1.7q", {}, ""}, "q = v\nq /= 2\nv = q"},
      {{"1.7r", {}, "E_DIM", "temporary"}, "q = v\nx = q/mV\nq = x"},
      {{"1.7s", {}, "E_UNRESOLVED"}, "q += 1\nx = q"},
      {{"1.7t", {}, ""}, "tau = 2\nx = tau*2"},
      {{"1.7u", {}, "W_UNUSED_TEMP"}, "tau = 2"},
      {{"1.7v", {}, "W_SHADOW"}, "ms = 2\nx = ms*2"},
      {{"1.4a", {}, "E_TYPE", "boolean"}, "b = 1"},
      {{"1.4b", {}, "W_TRUNC", "`n`"}, "n = 2.5"},
      {{"1.4c", {}, ""}, "b = x > 1; n += 1; x = n"},
      {{"1.4d", {}, "W_BOOLARITH"}, "x = b"},
      {{"X20b", {}, "E_TYPE", "int(...)"}, "x = (w > 1)*2"},
      {{"K06", {}, "W_UNUSED_TEMP", "`vv`"}, "vv = 0*volt"},
  };
  for (auto [row, reset] : rows) {
    row.given.reset = reset;
    Check(row);
  }
}

TEST(EventConformanceTest, PeriodicCode) {
  const Row rows[] = {
      {"R18",
       {.periodic = {{"w += 1", "start", ""},
                     {"x = w", "end", ""},
                     {"x = w", "before_start", "1*ms"}}},
       ""},
      {"4.2a",
       {.periodic = {{"w = 1", "strat", ""}}},
       "E_OPTION",
       "did you mean `start`?"},
      {"4.2b",
       {.periodic = {{"w = 1", "", "0*ms"}}},
       "E_OPTION",
       "model.periodic[0].dt"},
      {"4.2c", {.periodic = {{"w = 1", "", "-1*ms"}}}, "E_OPTION"},
      {"4.2d", {.periodic = {{"w = 1", "", "inf*ms"}}}, "E_OPTION"},
      {"4.2e", {.periodic = {{"w = 1", "", "3"}}}, "E_DIM"},
      {"4.2f",
       {.periodic = {{"", "", ""}, {"w = v", "", ""}}},
       "E_DIM",
       "model.periodic[1].code:1:5"},
      {"1.7a", {.periodic = {{"s += 2*t/ms; w = s", "", ""}}}, ""},
      {"1.7b", {.periodic = {{"w = 1; s = 1", "", ""}}}, "E_SHARED", "`w`"},
      {"1.7c", {.periodic = {{"s = x", "", ""}}}, "E_SHARED", "`x`"},
      {"1.7d", {.periodic = {{"s = rand()", "", ""}}}, "E_SHARED", "random"},
      {"1.7e", {.periodic = {{"q = i; s = q", "", ""}}}, "E_SHARED", "`q`"},
      {"1.7f", {.periodic = {{"q = 2*s; s = q", "", ""}}}, ""},
      {"1.7g", {.periodic = {{"g = 1", "", ""}}}, "E_WRITE"},
  };
  for (const Row& row : rows) Check(row);
}

TEST(EventConformanceTest, TimedArrays) {
  const TimedArraySpec one{"ta", "nA", "1*ms", {1, 2, 4}, 0};
  const TimedArraySpec two{"tb", "", "1*ms", {1, 2, 3, 4}, 2};
  const std::pair<Row, std::string> formulas[] = {
      {{"M07", {}, ""}, "ta(t) + ta(t/2)"},
      {{"1.6a", {}, ""}, "tb(t, i % 2)*ta(t)"},
      {{"K05a", {}, "E_SYNTAX", "`ta` is a function of time"}, "ta"},
      {{"K05b", {}, "E_SYNTAX", "`tb(t, column)`"}, "tb*nA"},
      {{"X21a", {}, "E_ARITY", "1 argument"}, "ta(t, 1)"},
      {{"X21b", {}, "E_ARITY", "2 arguments"}, "tb(t)*nA"},
      {{"1.6b", {}, "E_DIM", "function of time"}, "ta(1)"},
      {{"1.6c", {}, "E_DIM"}, "tb(t, t)*nA"},
      {{"1.6d", {}, "E_TYPE", "int(...)"}, "tb(t, 1.0)*nA"},
      {{"3.8a", {}, "E_INPUT", "0 to 1"}, "tb(t, 2)*nA"},
      {{"3.8b", {}, "E_INPUT"}, "tb(t, -1)*nA"},
      {{"1.6e", {}, "E_DIM"}, "ta(t) + 1"},
  };
  for (auto [row, formula] : formulas) {
    row.given.threshold = "";
    row.given.reset.reset();
    row.given.timed_arrays = {one, two};
    row.equations = "y = " + formula + " : amp";
    Check(row);
  }
  const Row arrays[] = {
      {"6.1a", {.timed_arrays = {{"exp", "", "1*ms", {1}}}}, "E_NAME"},
      {"6.1b", {.timed_arrays = {{"2x", "", "1*ms", {1}}}}, "E_NAME"},
      {"6.1c", {.timed_arrays = {{"w", "", "1*ms", {1}}}}, "E_DUP"},
      {"6.1d", {.timed_arrays = {{"tau", "", "1*ms", {1}}}}, "E_DUP"},
      {"6.1e", {.timed_arrays = {one, one}}, "E_DUP"},
      {"3.8a", {.timed_arrays = {{"ta", "", "", {1}}}}, "E_INPUT", "dt"},
      {"3.8b", {.timed_arrays = {{"ta", "", "0*ms", {1}}}}, "E_INPUT"},
      {"3.8c", {.timed_arrays = {{"ta", "", "1*mV", {1}}}}, "E_DIM"},
      {"3.8d", {.timed_arrays = {{"ta", "", "1*ms", {}}}}, "E_INPUT"},
      {"3.8e", {.timed_arrays = {{"ta", "", "1*ms", {1, 2}, -1}}}, "E_INPUT"},
      {"3.8f", {.timed_arrays = {{"ta", "", "1*ms", {1, 2, 3}, 2}}}, "E_INPUT"},
      {"3.8g",
       {.timed_arrays = {{"ta", "", "1*ms", {1, 0.0 / 0.0}}}},
       "E_INPUT",
       "value 1"},
      {"3.8h", {.timed_arrays = {{"ta", "nX", "1*ms", {1}}}}, "E_UNRESOLVED"},
      {"3.8i", {.timed_arrays = {{"ta", "0*nA", "1*ms", {1}}}}, "E_INPUT"},
      {"1.7", {.reset = "ta = 1", .timed_arrays = {one}}, "E_WRITE"},
  };
  for (const Row& row : arrays) Check(row);
}

TEST(EventConformanceTest, AConstantIsNoList) {
  ModelSource source{"v : 1", "", {{"a", "[1, 2]"}}, {}};
  Diagnostics diagnostics;
  EXPECT_FALSE(CompileModel(source, {}, {}, diagnostics)) << "K04";
}

}  // namespace
}  // namespace somafit
