#include "worker/core/lang/diagnostic.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"
#include "worker/core/lang/model.h"

namespace somafit {
namespace {

std::string Rendered(const std::string& equations) {
  ModelSource source;
  source.equations = equations;
  source.constants = {{"tau", "10*ms"}};
  Diagnostics diagnostics;
  CompileModel(source, {}, {}, diagnostics);
  return diagnostics.Render();
}

TEST(DiagnosticTest, NamesBothUnitsWithTheCaretUnderTheOperator) {
  ExpectGolden("lang/added_units",
               Rendered("dv/dt = (10*mV + 2*mA)/ms : volt"));
}

TEST(DiagnosticTest, ReportsAllMistakesAtOnce) {
  ExpectGolden("lang/many_mistakes",
               Rendered("dv/dt = (El - v)/tau : volt   # no constant El\n"
                        "dw/dt = -w : 1\n"
                        "x : mV\n"
                        "y = x^2 : 1\n"
                        "g : siemens (constnat)\n"
                        "e : 1\n"
                        "a = b + 1 : 1\n"
                        "b = a*int(a > 2) : 1\n"
                        "z = exp(v) : 1\n"));
}

TEST(DiagnosticTest, PointsAtTheMissingUnit) {
  ExpectGolden("lang/missing_unit", Rendered("dv/dt = -v/tau\nw : 1\n"));
}

TEST(DiagnosticTest, LocatesLinesAndColumns) {
  EXPECT_EQ(Locate("ab\ncd", 0).line, 1);
  EXPECT_EQ(Locate("ab\ncd", 4).line, 2);
  EXPECT_EQ(Locate("ab\ncd", 4).column, 2);
  EXPECT_EQ(Locate("ab\ncd", 99).column, 3);
}

TEST(DiagnosticTest, ExcerptsSurviveTabsLongLinesAndOtherEncodings) {
  Diagnostics diagnostics;
  const Source source{"f", "\t\xC2\xB5 = " + std::string(300, 'x') + "\r\ny"};
  diagnostics.Error("E", source, {1, 3}, "m");
  EXPECT_EQ(diagnostics.all()[0].excerpt.substr(0, 7), " ? = xx");
  EXPECT_EQ(diagnostics.all()[0].excerpt.substr(
                diagnostics.all()[0].excerpt.find('\n')),
            "\n ^");
  diagnostics.Error("E", source, {200, 201}, "m");
  EXPECT_LT(diagnostics.all()[1].excerpt.size(), 260u);
  diagnostics.Error("E", source, {9999, 99999}, "m");
  EXPECT_EQ(diagnostics.all()[2].excerpt, "y\n ^");
}

TEST(DiagnosticTest, KeepsAHundredOfThemFiftyWarnings) {
  Diagnostics diagnostics;
  for (int i = 0; i < 200; ++i) {
    diagnostics.Add(Severity::kWarning, "W", {"f", "x"}, {0, 1}, "m");
  }
  EXPECT_FALSE(diagnostics.full());
  EXPECT_FALSE(diagnostics.HasErrors());
  EXPECT_EQ(diagnostics.all().size(), kMaxWarnings + 1);
  EXPECT_EQ(diagnostics.all().back().code, "W_TOO_MANY");
  for (int i = 0; i < 200; ++i) diagnostics.FieldError("E", "f", "m");
  EXPECT_TRUE(diagnostics.full());
  EXPECT_EQ(diagnostics.all().size(), kMaxDiagnostics + 1);
  EXPECT_EQ(diagnostics.all().back().code, "E_TOO_MANY");
  EXPECT_TRUE(diagnostics.HasErrors());
  EXPECT_FALSE(diagnostics.ToStatus().ok());
}

TEST(DiagnosticTest, StatusIsOkWithoutErrors) {
  Diagnostics diagnostics;
  EXPECT_TRUE(diagnostics.ToStatus().ok());
  diagnostics.FieldError("E_X", "f.g", "broken", "mend it");
  EXPECT_EQ(diagnostics.ToStatus().message(),
            "f.g: error: broken [E_X]\n  hint: mend it\n");
}

}  // namespace
}  // namespace somafit
