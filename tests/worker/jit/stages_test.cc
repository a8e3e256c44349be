#include "worker/jit/stages.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/jit/random_program.h"
#include "worker/core/ir/lower.h"
#include "worker/core/lang/model.h"

namespace somafit::jit {
namespace {

Program Compile(const std::string& equations) {
  Diagnostics diagnostics;
  const auto model =
      CompileModel({equations, "exponential_euler", {}, {}},
                   {{"I", kNoDimension}}, {{"v", kNoDimension}}, diagnostics);
  EXPECT_TRUE(model.has_value()) << diagnostics.Render();
  const auto program = CompileProgram(*model, 1e-5, {"v"}, diagnostics);
  EXPECT_TRUE(program.has_value()) << diagnostics.Render();
  return *program;
}

std::vector<bool> All(const Program& program) {
  return std::vector<bool>(program.values.size(), true);
}

// How many operations `op` are in the front stage, and in the back.
std::pair<int, int> Count(const Program& program,
                          const std::vector<bool>& front, Op op) {
  std::pair<int, int> count;
  for (size_t id = 0; id < front.size(); ++id) {
    if (program.values[id].op != op) continue;
    ++(front[id] ? count.first : count.second);
  }
  return count;
}

// The front stage takes nothing from the back one.
void ExpectClosed(const Program& program, const std::vector<bool>& front) {
  const std::vector<Rate> rates = Rates(program);
  ASSERT_EQ(front.size(), program.values.size());
  for (size_t id = 0; id < front.size(); ++id) {
    if (!front[id]) continue;
    const Value& value = program.values[id];
    ASSERT_EQ(rates[id], Rate::kPerStep);
    ASSERT_NE(value.op, Op::kState);
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand < 0 || rates[operand] != Rate::kPerStep) continue;
      ASSERT_TRUE(front[operand] || program.values[operand].op == Op::kState)
          << id << " takes " << operand << "\n"
          << PrintProgram(program);
    }
  }
}

TEST(StagesTest, RatesComeBeforeWhatFollowsThem) {
  // The exponential of v first, then m's exponential Euler.
  const Program program = Compile(
      "dv/dt = (g*m**3*(50 - v) - v + I)/ms : 1\n"
      "dm/dt = (exp(v/10)*(1 - m) - 4/(1 + exp((q - v)/7))*m)/ms : 1\n"
      "g : 1\nq : 1");
  const auto front = FrontStage(program, All(program));
  ASSERT_TRUE(front);
  ExpectClosed(program, *front);
  EXPECT_EQ(Count(program, *front, Op::kExp), std::make_pair(2, 0));
  EXPECT_GE(Count(program, *front, Op::kExprel).second, 1);
}

TEST(StagesTest, ShortStepsHaveOne) {
  for (const char* const equations :
       {"dv/dt = (I - v)/ms : 1",
        "dv/dt = (m**2 - v + I)/ms : 1\ndm/dt = (I - m)/ms : 1"}) {
    const Program program = Compile(equations);
    EXPECT_FALSE(FrontStage(program, All(program))) << equations;
  }
}

TEST(StagesTest, FrontTakesNothingFromBack) {
  int found = 0;
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    const Program program = RandomProgram(seed);
    const auto front = FrontStage(program, All(program));
    if (!front) continue;
    ++found;
    ExpectClosed(program, *front);
    if (HasFatalFailure()) FAIL() << "program " << seed;
  }
  EXPECT_GT(found, 200);
}

// What is not needed belongs to no stage.
TEST(StagesTest, KeepsToWhatIsNeeded) {
  const Program program = RandomProgram(5);
  EXPECT_FALSE(FrontStage(program, std::vector<bool>(program.values.size())));
}

}  // namespace
}  // namespace somafit::jit
