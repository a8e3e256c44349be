#include "worker/core/ir/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using testing::HasSubstr;

// x' = x + 0.5 g, observed x.
Program Valid() {
  Program program;
  program.dt = 1e-3;
  program.parameters = {"g"};
  program.states = {"x"};
  program.inputs = {"I"};
  program.outputs = {"x"};
  program.values = {{.op = Op::kConstant, .constant = 0.5},
                    {.op = Op::kParameter},
                    {.op = Op::kState},
                    {.op = Op::kFma, .a = 0, .b = 1, .c = 2}};
  program.initial = {1};
  program.next = {3};
  program.observed = {2};
  return program;
}

TEST(PrintProgramTest, ShowsAValueALine) {
  EXPECT_EQ(PrintProgram(Valid()),
            "dt 0.001\n"
            "%0 = constant 0.5\n"
            "%1 = parameter g\n"
            "%2 = state x\n"
            "%3 = fma %0 %1 %2\n"
            "initial x = %1\n"
            "next x = %3\n"
            "observe x = %2\n");
}

TEST(RatesTest, IsTheHighestOfTheOperands) {
  EXPECT_EQ(Rates(Valid()),
            (std::vector<Rate>{Rate::kOnce, Rate::kPerLane, Rate::kPerStep,
                               Rate::kPerStep}));
}

void Integrate(Program& program, const std::vector<ValueId>& slopes,
               const std::vector<double>& tolerances) {
  Integration& integration = program.integration.emplace();
  integration.from = integration.slopes = slopes;
  program.states.emplace_back("step of the solver");
  program.n_variables = 1;
  program.initial.push_back(0);
  program.next.push_back(0);
  integration.options.absolute_errors = tolerances;
}

TEST(VerifyProgramTest, NamesTheInvariantThatIsBroken) {
  EXPECT_TRUE(VerifyProgram(Valid()).ok());
  struct Case {
    void (*damage)(Program&);
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {[](Program& p) { p.dt = 0; }, "time step"},
           {[](Program& p) { p.values[3].c = 3; }, "not before it"},
           {[](Program& p) { p.values[3].c = -1; }, "not before it"},
           {[](Program& p) { p.values[1].a = 0; }, "operand too many"},
           {[](Program& p) { p.values[1].index = 1; }, "index"},
           {[](Program& p) { p.values[2].index = -1; }, "index"},
           {[](Program& p) { p.parameters.clear(); }, "index"},
           {[](Program& p) { p.values[3].constant = 1; }, "holds a number"},
           {[](Program& p) { p.values.push_back(p.values[0]); }, "repeats"},
           {[](Program& p) { p.values[0].op = static_cast<Op>(200); },
            "unknown"},
           {[](Program& p) { p.initial = {2}; }, "initial"},
           {[](Program& p) { p.initial.clear(); }, "initial"},
           {[](Program& p) { p.next = {4}; }, "out of range"},
           {[](Program& p) { p.observed = {-1}; }, "out of range"},
           {[](Program& p) { p.values[2].op = Op::kSolved; },
            "for an integration that there is not"},
           {[](Program& p) {
              Integrate(p, {2}, {1});
              p.values[2].op = Op::kSolved;
            },
            "is a slope made after integration"},
           {[](Program& p) {
              Integrate(p, {2}, {1});
              p.values[2].op = Op::kInner;
            },
            "is taken from within an integration"},
           {[](Program& p) { Integrate(p, {}, {1}); }, "0 slope values, not 1"},
           {[](Program& p) { Integrate(p, {2}, {}); },
            "tolerances for other states"},
       }) {
    Program program = Valid();
    c.damage(program);
    const absl::Status status = VerifyProgram(program);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << c.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace somafit
