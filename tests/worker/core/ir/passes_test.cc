#include "worker/core/ir/passes.h"

#include <gtest/gtest.h>

#include "worker/core/ir/program_builder.h"

namespace somafit {
namespace {

Program Names() {
  Program names;
  names.dt = 1;
  names.parameters = {"p"};
  names.states = {"x"};
  names.outputs = {"y"};
  return names;
}

// One state that starts at 0 and stays; `observed` is what is of interest.
Program Finish(ProgramBuilder& builder, ValueId observed) {
  Program program = builder.program();
  program.observed = {observed};
  ProgramBuilder rest(program);
  for (const Value& value : program.values) {
    std::vector<ValueId> same(program.values.size());
    for (size_t i = 0; i < same.size(); ++i) same[i] = static_cast<ValueId>(i);
    rest.Copy(value, same, false);
  }
  program.initial = {rest.Constant(0)};
  program.next = {rest.State(0)};
  program.values = rest.program().values;
  EXPECT_TRUE(VerifyProgram(program).ok()) << VerifyProgram(program);
  return program;
}

std::string Print(const Program& program) {
  EXPECT_TRUE(VerifyProgram(program).ok()) << VerifyProgram(program);
  const std::string text = PrintProgram(program);
  return text.substr(text.find('\n') + 1);
}

TEST(FoldConstantsTest, ComputesWhatIsConstant) {
  ProgramBuilder b(Names());
  const ValueId six = b.Emit(Op::kMultiply, b.Constant(2), b.Constant(3));
  const ValueId x = b.State(0);
  const Program program = Finish(
      b, b.Emit(Op::kMultiply, b.Emit(Op::kMultiply, x, b.Constant(1)), six));
  EXPECT_EQ(Print(DropDeadValues(FoldConstants(program))),
            "%0 = constant 6\n"
            "%1 = state x\n"
            "%2 = multiply %0 %1\n"
            "%3 = constant 0\n"
            "initial x = %3\n"
            "next x = %1\n"
            "observe y = %2\n");
}

TEST(InvertInvariantDivisorsTest, DividesOncePerLane) {
  ProgramBuilder b(Names());
  const ValueId x = b.State(0), p = b.Parameter(0);
  const Program program = Finish(b, b.Emit(Op::kDivide, x, p));
  EXPECT_EQ(Print(DropDeadValues(InvertInvariantDivisors(program))),
            "%0 = state x\n"
            "%1 = parameter p\n"
            "%2 = constant 1\n"
            "%3 = divide %2 %1\n"
            "%4 = multiply %0 %3\n"
            "%5 = constant 0\n"
            "initial x = %5\n"
            "next x = %0\n"
            "observe y = %4\n");
}

TEST(InvertInvariantDivisorsTest, LeavesOtherQuotientsExact) {
  ProgramBuilder b(Names());
  const ValueId x = b.State(0), p = b.Parameter(0);
  for (const ValueId quotient :
       {b.Emit(Op::kDivide, p, x), b.Emit(Op::kDivide, p, b.Constant(3)),
        b.Emit(Op::kDivide, x, x)}) {
    const Program program = Finish(b, quotient);
    EXPECT_EQ(PrintProgram(InvertInvariantDivisors(program)),
              PrintProgram(program));
  }
}

TEST(FuseMultiplyAddTest, FusesSumsAndDifferences) {
  struct Case {
    Op op;
    bool product_first;
    const char* text;
  };
  for (const Case& c : std::vector<Case>{
           {Op::kAdd, true, "%2 = fma %0 %1 %0\n"},
           {Op::kAdd, false, "%2 = fma %0 %1 %0\n"},
           {Op::kSubtract, true, "%2 = negate %0\n%3 = fma %0 %1 %2\n"},
           // The parameter is negated: that is done once.
           {Op::kSubtract, false, "%2 = negate %1\n%3 = fma %0 %2 %0\n"},
       }) {
    ProgramBuilder b(Names());
    const ValueId x = b.State(0), p = b.Parameter(0);
    const ValueId product = b.Emit(Op::kMultiply, x, p);
    const Program program =
        Finish(b, c.product_first ? b.Emit(c.op, product, x)
                                  : b.Emit(c.op, x, product));
    const std::string text = Print(FuseMultiplyAdd(program));
    const std::string head = "%0 = state x\n%1 = parameter p\n";
    EXPECT_EQ(text.substr(0, head.size()), head);
    EXPECT_EQ(text.substr(head.size(), std::string(c.text).size()), c.text)
        << text;
  }
}

TEST(FuseMultiplyAddTest, LeavesProductsWithOtherUses) {
  ProgramBuilder b(Names());
  const ValueId x = b.State(0), p = b.Parameter(0);
  const ValueId product = b.Emit(Op::kMultiply, x, p);
  const ValueId sum = b.Emit(Op::kAdd, product, x);
  const Program program = Finish(b, b.Emit(Op::kDivide, sum, product));
  EXPECT_EQ(PrintProgram(FuseMultiplyAdd(program)), PrintProgram(program));
}

TEST(FuseMultiplyAddTest, LeavesProductsThatAreKnownBefore) {
  ProgramBuilder b(Names());
  const ValueId x = b.State(0), p = b.Parameter(0);
  const Program program =
      Finish(b, b.Emit(Op::kAdd, b.Emit(Op::kMultiply, p, p), x));
  EXPECT_EQ(PrintProgram(FuseMultiplyAdd(program)), PrintProgram(program));
}

TEST(DropDeadValuesTest, KeepsOnlyWhatResultsNeed) {
  ProgramBuilder b(Names());
  b.Emit(Op::kExp, b.Parameter(0));
  const Program program = Finish(b, b.State(0));
  EXPECT_EQ(Print(DropDeadValues(program)),
            "%0 = state x\n"
            "%1 = constant 0\n"
            "initial x = %1\n"
            "next x = %0\n"
            "observe y = %0\n");
}

}  // namespace
}  // namespace somafit
