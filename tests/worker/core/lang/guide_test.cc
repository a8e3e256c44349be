// The page for users is true: its models compile, and its tables are whole.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "worker/core/lang/functions.h"
#include "worker/core/lang/method.h"
#include "worker/core/lang/model.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

std::string Guide() {
  std::ifstream file("worker/core/lang/README.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Blocks(const std::string& guide) {
  constexpr std::string_view kBegin = "```equations\n";
  std::vector<std::string> blocks;
  for (size_t at = guide.find(kBegin); at != std::string::npos;
       at = guide.find(kBegin, at)) {
    at += kBegin.size();
    blocks.push_back(guide.substr(at, guide.find("```", at) - at));
  }
  return blocks;
}

TEST(GuideTest, ItsModelsCompile) {
  const std::vector<std::string> blocks = Blocks(Guide());
  EXPECT_GE(blocks.size(), 2u);
  for (const std::string& equations : blocks) {
    const bool has_input = equations.find("+ I)") != std::string::npos;
    std::vector<Channel> inputs;
    if (has_input) inputs.push_back({"I", FindUnit("amp")->dimension});
    Diagnostics diagnostics;
    EXPECT_TRUE(
        CompileModel({equations,
                      "",
                      {{"El", "-65*mV"}, {"ENa", "50*mV"}, {"C", "200*pF"}},
                      {}},
                     inputs, {}, diagnostics))
        << equations << diagnostics.Render();
    EXPECT_TRUE(diagnostics.empty()) << equations << diagnostics.Render();
  }
}

TEST(GuideTest, NamesEveryFunctionUnitAndMethod) {
  const std::string guide = Guide();
  for (const Function& function : AllFunctions()) {
    const std::string name(function.name);
    EXPECT_TRUE(guide.find(absl::StrCat("`", name, "`")) != std::string::npos ||
                guide.find(absl::StrCat("`", name, "(")) != std::string::npos)
        << name;
  }
  // Other spellings of a unit are left out.
  const std::string others =
      " meter kilogramme kgram kgramme ampere mol gramme mmolar kliter klitre "
      "litre ";
  for (const std::string& unit : DefinitionUnitNames()) {
    if (others.find(absl::StrCat(" ", unit, " ")) != std::string::npos)
      continue;
    EXPECT_NE(guide.find(unit), std::string::npos) << unit;
  }
  for (const char* const method :
       {"exact", "exponential_euler", "euler", "rk2", "rk4", "heun", "milstein",
        "dopri5", "cash_karp54", "fehlberg78", "rosenbrock4", "gsl_rk8pd"}) {
    EXPECT_NE(guide.find(absl::StrCat("`", method, "`")), std::string::npos);
  }
}

}  // namespace
}  // namespace somafit
