// One suite for all integration methods.
#include "worker/core/ir/method.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "worker/core/ir/lower.h"
#include "worker/core/lang/method.h"

namespace somafit {
namespace {

ModelSource With(const std::string& method) {
  return {"x = 2*t/ms : 1", method, {}, {}};
}

class MethodTest : public ::testing::TestWithParam<const MethodEntry*> {};

TEST_P(MethodTest, IsKnownToTheLanguage) {
  Diagnostics diagnostics;
  const std::string name(GetParam()->name);
  EXPECT_EQ(ReadMethods(With(name), diagnostics),
            std::vector<std::string>{name});
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.Render();
  EXPECT_FALSE(GetParam()->summary.empty());
}

// A model without states has nothing to integrate.
TEST_P(MethodTest, TakesModelsWithoutStates) {
  Diagnostics diagnostics;
  const auto model =
      CompileModel(With(std::string(GetParam()->name)), {}, {}, diagnostics);
  ASSERT_TRUE(model) << diagnostics.Render();
  EXPECT_TRUE(CompileProgram(*model, 1e-3, {"x"}, diagnostics));
}

INSTANTIATE_TEST_SUITE_P(All, MethodTest,
                         ::testing::ValuesIn(AllMethods().begin(),
                                             AllMethods().end()),
                         [](const auto& each) {
                           return std::string(each.param->name);
                         });

TEST(MethodCatalogueTest, EveryMethodOfTheLanguageIsThere) {
  for (const char* const name :
       {"exact", "linear", "Exponential_Euler", "euler", "rk2", "RK4", "heun",
        "milstein", "gsl", "gsl_rkf45", "gsl_rk2", "gsl_rk4", "gsl_rkck",
        "gsl_rk8pd", "dopri5", "rosenbrock4"}) {
    Diagnostics diagnostics;
    const auto methods = ReadMethods(With(name), diagnostics);
    ASSERT_EQ(methods.size(), 1u) << name;
    EXPECT_NE(FindMethod(methods[0]), nullptr) << name;
    EXPECT_FALSE(diagnostics.HasErrors()) << name;
    // Another solver than the one named is used, which is to be said.
    EXPECT_EQ(diagnostics.empty(), std::string(name).find("gsl") != 0) << name;
  }
  std::set<std::string_view> names;
  for (const MethodEntry* const method : AllMethods()) {
    EXPECT_TRUE(names.insert(method->name).second) << method->name;
  }
  EXPECT_EQ(FindMethod("rk5"), nullptr);
}

// 3.2: the first of a list that applies.
TEST(MethodCatalogueTest, SeveralAreTriedInTurn) {
  const auto compile = [](const std::string& methods, Diagnostics& found) {
    std::string taken;
    const auto model =
        CompileModel({"dv/dt = -v**2/ms : 1", methods, {}, {}}, {}, {}, found);
    if (!model) return taken;
    int n_stages = 0;
    CompileProgram(*model, 1e-4, {"v"}, found,
                   [&](std::string_view stage, const Program&) {
                     if (++n_stages == 2) taken = stage;
                   });
    return taken;
  };
  Diagnostics found;
  EXPECT_EQ(compile("exact, exponential_euler, rk2, rk4", found), "rk2");
  EXPECT_FALSE(found.HasErrors());
  EXPECT_EQ(compile("exact, exponential_euler", found), "");
  EXPECT_EQ(found.all().size(), 2u) << found.Render();
  Diagnostics unknown;
  EXPECT_EQ(compile("exact,, rk5", unknown), "");
  EXPECT_EQ(unknown.all().size(), 2u) << unknown.Render();
}

}  // namespace
}  // namespace somafit
