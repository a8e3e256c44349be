#include "worker/core/lang/quantity.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/units/unit.h"

namespace somafit {
namespace {

std::string CodeOf(const Diagnostics& diagnostics) {
  return diagnostics.empty() ? "" : diagnostics.all()[0].code;
}

TEST(QuantityTest, EvaluatesText) {
  struct Row {
    const char* text;
    double value;
    const char* unit;
  };
  const Row rows[] = {
      {"20000*umetre**2", 20000 * 1e-12, "metre2"},
      {"10*mV", 0.01, "volt"},
      {"1*uF/cm**2*20000*umetre**2", 2e-10, "farad"},
      {"-65*mV + 1*amp*ohm", 0.935, "volt"},
      {"2*nS*3*mV", 6e-12, "amp"},
      {"2*pi", 6.283185307179586, "radian"},
      {"exp(1) - e", 0, "radian"},
      {"sqrt(4*volt**2)", 2, "volt"},
      {"abs(-3*mV)", 3e-3, "volt"},
      {"exprel(0)", 1, "radian"},
      {"2**-1", 0.5, "radian"},
      {"2**3**2", 512, "radian"},
      {"-3**2", -9, "radian"},
      {"0x10", 16, "radian"},
      {"inf", INFINITY, "radian"},
      {"1/0", INFINITY, "radian"},
      {"p*mV", 2e-3, "volt"},
      {"volt**p", 1, "volt2"},
  };
  const std::map<std::string, Quantity> constants{{"p", {2, {}}}};
  for (const Row& row : rows) {
    Diagnostics diagnostics;
    const auto found =
        EvaluateQuantity({"x", row.text}, constants, diagnostics);
    ASSERT_TRUE(found.has_value()) << diagnostics.Render();
    if (std::isinf(row.value)) {
      EXPECT_EQ(found->value, row.value) << row.text;
    } else {
      EXPECT_NEAR(found->value, row.value, 1e-12 * std::abs(row.value) + 1e-15)
          << row.text;
    }
    EXPECT_EQ(found->dimension, FindUnit(row.unit)->dimension) << row.text;
  }
}

TEST(QuantityTest, RefusesText) {
  const std::pair<const char*, const char*> rows[] = {
      {"", "E_SYNTAX"},
      {"10 mV", "E_SYNTAX"},
      {"[1, 2]", "E_SYNTAX"},
      {"tau", "E_UNRESOLVED"},
      {"t", "E_UNRESOLVED"},
      {"5*celsius", "E_UNRESOLVED"},
      {"1*mV + 1*mA", "E_DIM"},
      {"exp(1*mV)", "E_DIM"},
      {"2**(3*mV)", "E_DIM"},
      {"0/0", "E_VALUE"},
      {"sqrt(-1)", "E_VALUE"},
      {"exp()", "E_ARITY"},
      {"rand()", "E_STATEFUL"},
      {"1 < 2", "E_TYPE"},
      {"True", "E_TYPE"},
      {"exp/2", "E_SYNTAX"},
      {"volt(2)", "E_SYNTAX"},
      {"foo(2)", "E_UNRESOLVED"},
      {"volt**inf", "E_DIM"},
      {"volt**1e4**2", "E_DIM"},
  };
  for (const auto& [text, code] : rows) {
    Diagnostics diagnostics;
    EXPECT_FALSE(EvaluateQuantity({"x", text}, {}, diagnostics)) << text;
    EXPECT_EQ(CodeOf(diagnostics), code) << text;
    EXPECT_TRUE(diagnostics.HasErrors());
  }
}

TEST(QuantityTest, ChecksTheDimension) {
  Diagnostics diagnostics;
  EXPECT_EQ(EvaluateQuantityOf({"dt", "0.01*ms"}, kTimeDimension, diagnostics),
            0.01 * 1e-3);
  EXPECT_TRUE(diagnostics.empty());
  EXPECT_FALSE(EvaluateQuantityOf({"dt", "0.01"}, kTimeDimension, diagnostics));
  EXPECT_THAT(diagnostics.Render(), testing::HasSubstr("`*second`"));
}

TEST(QuantityTest, ReadsBounds) {
  const Dimension siemens = FindUnit("siemens")->dimension;
  Diagnostics diagnostics;
  const auto bounds = EvaluateBounds({"b", " [ 2*psiemens , (200*nS) ] "},
                                     siemens, diagnostics);
  ASSERT_TRUE(bounds.has_value()) << diagnostics.Render();
  EXPECT_DOUBLE_EQ(bounds->first, 2e-12);
  EXPECT_DOUBLE_EQ(bounds->second, 2e-7);

  const std::pair<const char*, const char*> rows[] = {
      {"", "E_SYNTAX"},
      {"2*nS", "E_SYNTAX"},
      {"[2*nS]", "E_SYNTAX"},
      {"[1*nS, 2*nS, 3*nS]", "E_SYNTAX"},
      {"[1*nS, 2*nS", "E_SYNTAX"},
      {"[, 2*nS]", "E_SYNTAX"},
      {"[1*nS, 2*nS] 3", "E_SYNTAX"},
      {"[0, 2*nS]", "E_DIM"},
      {"[2*nS, 1*nS]", "E_BOUNDS"},
      {"[1*nS, 1*nS]", "E_BOUNDS"},
      {"[1*nS, inf*nS]", "E_BOUNDS"},
      {"]1*nS, 2*nS[", "E_SYNTAX"},
  };
  for (const auto& [text, code] : rows) {
    Diagnostics found;
    EXPECT_FALSE(EvaluateBounds({"b", text}, siemens, found)) << text;
    EXPECT_EQ(CodeOf(found), code) << text;
  }
}

TEST(QuantityTest, UnitExpressionsReadBack) {
  for (const char* text :
       {"volt", "volt**2", "1", "siemens/metre**2", "metre**3", "mmolar",
        "volt**0.5/second", "kilogram*kelvin*candle**-2", "second**-0.5",
        "amp**(1/3)"}) {
    Diagnostics diagnostics;
    const auto quantity = EvaluateQuantity({"x", text}, {}, diagnostics);
    ASSERT_TRUE(quantity.has_value()) << text;
    const auto back = EvaluateQuantity(
        {"x", UnitExpression(quantity->dimension)}, {}, diagnostics);
    ASSERT_TRUE(back.has_value()) << text;
    EXPECT_EQ(back->dimension, quantity->dimension) << text;
    EXPECT_EQ(back->value, 1) << text;
  }
}

}  // namespace
}  // namespace somafit
