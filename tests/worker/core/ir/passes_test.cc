#include "worker/core/ir/passes.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "worker/core/ir/interpreter.h"
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

TEST(InvertExprelTest, SavesADivision) {
  ProgramBuilder b(Names());
  const ValueId x = b.State(0), p = b.Parameter(0);
  const Program program =
      Finish(b, b.Emit(Op::kDivide, p, b.Emit(Op::kExprel, x)));
  EXPECT_EQ(Print(DropDeadValues(InvertExprel(program))),
            "%0 = state x\n"
            "%1 = parameter p\n"
            "%2 = bernoulli %0\n"
            "%3 = multiply %1 %2\n"
            "%4 = constant 0\n"
            "initial x = %4\n"
            "next x = %0\n"
            "observe y = %3\n");
}

// exp((c - x) / s), as rates of ion channels have it.
ValueId Rate(ProgramBuilder& b, double c, double s) {
  const ValueId u = b.Emit(Op::kSubtract, b.Constant(c), b.State(0));
  return b.Emit(Op::kExp, b.Emit(Op::kMultiply, u, b.Constant(1 / s)));
}

ValueId Sum(ProgramBuilder& b, const std::vector<ValueId>& terms) {
  ValueId sum = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    sum = b.Emit(Op::kAdd, sum, terms[i]);
  }
  return sum;
}

int Count(const Program& program, Op op) {
  return static_cast<int>(
      std::count_if(program.values.begin(), program.values.end(),
                    [op](const Value& value) { return value.op == op; }));
}

// What `program` observes at the first step, where x is `initial`.
double Observed(Program program, double initial) {
  const size_t id = program.values.size();
  program.values.push_back({.op = Op::kConstant, .constant = initial});
  program.initial = {static_cast<ValueId>(id)};
  double observed = 0;
  const std::vector<double> parameters = {1.0};
  Interpret(program, {1, {}}, 1, parameters,
            [&](size_t, std::span<const double> y) { observed = y[0]; });
  return observed;
}

TEST(ShareExponentialsTest, FormsPowersOfTheSlowestOne) {
  ProgramBuilder b(Names());
  // Slopes of 1, 10, 8, 8 and -8 times -1/40, and one that fits none.
  const Program program =
      Finish(b, Sum(b, {Rate(b, 10, 40), Rate(b, 13, 4), Rate(b, 15, 5),
                        Rate(b, 40, 5), Rate(b, 40, -5), Rate(b, 17, 18)}));
  const Program shared = DropDeadValues(ShareExponentials(program));
  EXPECT_TRUE(VerifyProgram(shared).ok()) << VerifyProgram(shared);
  EXPECT_EQ(Count(program, Op::kExp), 6);
  EXPECT_EQ(Count(shared, Op::kExp), 2);
  EXPECT_EQ(Count(shared, Op::kDivide), 1);
  for (double x = -80; x <= 120; x += 0.37) {
    const double expected = Observed(program, x);
    EXPECT_NEAR(Observed(shared, x), expected, 4e-15 * expected) << x;
  }
}

TEST(ShareExponentialsTest, LeavesWhatDoesNotFit) {
  using Make = std::vector<ValueId> (*)(ProgramBuilder & b);
  const Make makers[] = {
      // Not an integer ratio; too large a ratio; too far apart.
      [](ProgramBuilder& b) {
        return std::vector{Rate(b, 0, 3), Rate(b, 0, 2)};
      },
      [](ProgramBuilder& b) {
        return std::vector{Rate(b, 0, 11), Rate(b, 0, 1)};
      },
      [](ProgramBuilder& b) {
        return std::vector{Rate(b, 0, 2), Rate(b, 60, 1)};
      },
      // A coefficient that differs from lane to lane; not affine.
      [](ProgramBuilder& b) {
        const ValueId u = b.Emit(Op::kMultiply, b.State(0), b.Parameter(0));
        return std::vector{Rate(b, 0, 2), b.Emit(Op::kExp, u)};
      },
      [](ProgramBuilder& b) {
        const ValueId u = b.Emit(Op::kMultiply, b.State(0), b.State(0));
        return std::vector{Rate(b, 0, 2), b.Emit(Op::kExp, u)};
      },
  };
  for (const Make& make : makers) {
    ProgramBuilder b(Names());
    const Program program = Finish(b, Sum(b, make(b)));
    EXPECT_EQ(PrintProgram(ShareExponentials(program)), PrintProgram(program));
  }
}

TEST(GatherFactorsTest, MultipliesOnceWhatIsKnownBefore) {
  ProgramBuilder b(Names());
  const ValueId x = b.State(0), p = b.Parameter(0);
  const ValueId once = b.Emit(Op::kMultiply, x, p);
  const ValueId twice = b.Emit(Op::kMultiply, b.Constant(3), once);
  const ValueId thrice = b.Emit(Op::kMultiply, twice, b.Constant(0.5));
  EXPECT_EQ(Print(GatherFactors(Finish(b, thrice))).substr(0, 123),
            "%0 = state x\n%1 = parameter p\n%2 = constant 3\n"
            "%3 = multiply %1 %2\n%4 = constant 0.5\n%5 = multiply %3 %4\n"
            "%6 = multiply %0 %5");
}

TEST(GatherFactorsTest, LeavesOtherProducts) {
  const auto leaves = [](const auto& make) {
    ProgramBuilder b(Names());
    const Program program = Finish(b, make(b));
    EXPECT_EQ(PrintProgram(GatherFactors(program)), PrintProgram(program));
  };
  const auto scaled = [](ProgramBuilder& b, double a) {
    return b.Emit(Op::kMultiply, b.State(0), b.Constant(a));
  };
  // Of states.
  leaves([&](ProgramBuilder& b) {
    return b.Emit(Op::kMultiply, scaled(b, 3), b.State(0));
  });
  // Used elsewhere.
  leaves([&](ProgramBuilder& b) {
    const ValueId inner = scaled(b, 3);
    return b.Emit(Op::kSubtract, b.Emit(Op::kMultiply, inner, b.Parameter(0)),
                  inner);
  });
  // Seen by a comparison.
  leaves([&](ProgramBuilder& b) {
    return b.Emit(Op::kLess,
                  b.Emit(Op::kMultiply, scaled(b, 3), b.Parameter(0)),
                  b.State(0));
  });
  // Beyond what numbers hold.
  leaves([&](ProgramBuilder& b) {
    return b.Emit(Op::kMultiply, scaled(b, 1e200), b.Constant(1e200));
  });
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
