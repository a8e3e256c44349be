// Native kernels against the interpreter, to the bit.
#include "worker/jit/kernel.h"

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/jit/random_program.h"
#include "worker/core/base/elementary_formulas.h"
#include "worker/core/base/random.h"
#include "worker/core/ir/interpreter.h"
#include "worker/core/ir/lower.h"
#include "worker/core/ir/program_builder.h"
#include "worker/core/lang/model.h"
#include "worker/jit/stages.h"

namespace somafit {
namespace {

// One trace, and points that are simulated on it.
struct Workload {
  size_t n_steps = 0;
  std::vector<std::vector<double>> inputs, targets, weights;
  std::vector<std::vector<double>> points;  // [point][parameter]
};

Workload RandomWorkload(const Program& program, uint32_t seed, size_t n_steps,
                        size_t n_points) {
  RandomStream random(seed, StreamPurpose::kExample, 1, 0);
  const auto signals = [&](size_t count) {
    std::vector<std::vector<double>> result(count);
    for (auto& signal : result) {
      for (size_t k = 0; k < n_steps; ++k) {
        signal.push_back(4 * random.Uniform() - 2);
      }
    }
    return result;
  };
  Workload work;
  work.n_steps = n_steps;
  work.inputs = signals(program.inputs.size());
  work.targets = signals(program.outputs.size());
  work.weights = signals(program.outputs.size());
  for (auto& signal : work.weights) {
    for (double& weight : signal) weight = std::max(weight, 0.0);
  }
  const double special[] = {0.0, -0.0, 1.0, 1e-320, 1e300, -800};
  for (size_t i = 0; i < n_points; ++i) {
    work.points.emplace_back();
    for (size_t p = 0; p < program.parameters.size(); ++p) {
      work.points.back().push_back(random.Below(8) == 0
                                       ? special[random.Below(6)]
                                       : 6 * random.Uniform() - 3);
    }
  }
  return work;
}

// What a point's lane gives: sums or records, then states.
using Bits = std::vector<uint64_t>;

uint64_t BitsOf(double x) {
  return std::isnan(x) ? 0x7ff8000000000000 : std::bit_cast<uint64_t>(x);
}

// Runs the points in the order given, in blocks, each trace in `chunk` steps.
std::vector<Bits> RunKernel(const Kernel& kernel, const Program& program,
                            const Workload& work, bool record, size_t chunk,
                            const std::vector<size_t>& order) {
  const auto width = static_cast<size_t>(kernel.width());
  const auto pointers = [](const auto& signals) {
    std::vector<const double*> result;
    for (const auto& signal : signals) result.push_back(signal.data());
    return result;
  };
  const auto inputs = pointers(work.inputs), targets = pointers(work.targets),
             weights = pointers(work.weights);
  const size_t n_outputs = program.outputs.size();
  std::vector<Bits> results(work.points.size());
  for (size_t first = 0; first < order.size(); first += width) {
    const auto point = [&](size_t lane) {
      return order[std::min(first + lane, order.size() - 1)];
    };
    std::vector<double> parameters, states(program.states.size() * width),
        sums(n_outputs * width, 0.0);
    for (size_t p = 0; p < program.parameters.size(); ++p) {
      for (size_t lane = 0; lane < width; ++lane) {
        parameters.push_back(work.points[point(lane)][p]);
      }
    }
    kernel.Start(parameters.data(), states.data());
    const size_t n_lanes = std::min(width, order.size() - first);
    for (size_t begin = 0; begin < work.n_steps; begin += chunk) {
      const size_t end = std::min(work.n_steps, begin + chunk);
      std::vector<double> rows((end - begin) * n_outputs * width);
      KernelCall call;
      call.begin = static_cast<int64_t>(begin);
      call.end = static_cast<int64_t>(end);
      call.n_steps = static_cast<int64_t>(work.n_steps);
      call.parameters = parameters.data();
      call.states = states.data();
      call.inputs = inputs.data();
      call.targets = targets.data();
      call.weights = weights.data();
      call.sums = sums.data();
      call.record = rows.data();
      kernel.Run(call);
      if (!record) continue;
      for (size_t lane = 0; lane < n_lanes; ++lane) {
        for (size_t row = 0; row < rows.size() / width; ++row) {
          results[point(lane)].push_back(BitsOf(rows[row * width + lane]));
        }
      }
    }
    for (size_t lane = 0; lane < n_lanes; ++lane) {
      Bits& result = results[point(lane)];
      for (size_t i = 0; !record && i < n_outputs; ++i) {
        result.push_back(BitsOf(sums[i * width + lane]));
      }
      for (size_t i = 0; i < program.states.size(); ++i) {
        result.push_back(BitsOf(states[i * width + lane]));
      }
    }
  }
  return results;
}

std::vector<size_t> InOrder(size_t n) {
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

std::vector<size_t> Shuffled(size_t n, uint32_t seed) {
  RandomStream random(seed, StreamPurpose::kExample, 2, 0);
  std::vector<size_t> order = InOrder(n);
  for (size_t i = n; i > 1; --i) {
    std::swap(order[i - 1], order[random.Below(i)]);
  }
  return order;
}

constexpr KernelVariant kVariants[] = {KernelVariant::kErrors,
                                       KernelVariant::kPlainErrors,
                                       KernelVariant::kRecord};

std::vector<KernelOptions> AllOptions(KernelVariant variant) {
  std::vector<KernelOptions> all;
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    if (!Supports(isa)) continue;
    for (const int width : {4, 8, 16}) {
      for (const bool optimize : {false, true}) {
        all.push_back({variant, isa, width, optimize});
      }
    }
    all.push_back({variant, isa, 32, false});
  }
  return all;
}

// Every kind of kernel, whole traces and chunks, points in order and shuffled.
void ExpectEqual(const Program& program, const Workload& work,
                 const std::vector<KernelOptions>& all, uint32_t seed) {
  const size_t n = work.points.size();
  for (const KernelOptions& options : all) {
    const bool record = options.variant == KernelVariant::kRecord;
    const auto reference =
        RunKernel(*MakeReferenceKernel(program, {.variant = options.variant}),
                  program, work, record, work.n_steps, InOrder(n));
    const auto kernel = CompileKernel(program, options);
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    const std::string which = std::string(IsaName(options.isa)) +
                              " W=" + std::to_string(options.width) +
                              (options.optimize ? " O2" : "") +
                              (record ? " record" : "");
    ASSERT_EQ(
        RunKernel(**kernel, program, work, record, work.n_steps, InOrder(n)),
        reference)
        << which << "\n"
        << PrintProgram(program);
    ASSERT_EQ(RunKernel(**kernel, program, work, record, 7, Shuffled(n, seed)),
              reference)
        << which << " in chunks, shuffled\n"
        << PrintProgram(program);
  }
}

TEST(KernelTest, EqualsTheInterpreterOnRandomPrograms) {
  // Each program meets a few of the kinds of kernel, all kinds in turn.
  std::vector<KernelOptions> all;
  for (const KernelVariant variant : kVariants) {
    for (const auto& options : AllOptions(variant)) all.push_back(options);
  }
  const uint32_t n_programs = SOMAFIT_KERNEL_PROGRAMS;
  for (uint32_t seed = 1; seed <= n_programs; ++seed) {
    const Program program = RandomProgram(seed);
    ExpectEqual(program, RandomWorkload(program, seed, 20, 19),
                {all[seed % all.size()]}, seed);
    if (HasFatalFailure()) FAIL() << "program " << seed;
  }
}

// Of the random programs those whose steps have two stages.
TEST(KernelTest, EqualsTheInterpreterInAPipeline) {
  if (!Supports(Isa::kAvx512)) GTEST_SKIP() << "only with AVX-512";
  int n_found = 0;
  for (uint32_t seed = 10'000; n_found < SOMAFIT_KERNEL_PROGRAMS / 20; ++seed) {
    const Program program = RandomProgram(seed);
    const std::vector<bool> all(program.values.size(), true);
    if (!jit::FrontStage(program, all)) continue;
    ++n_found;
    ExpectEqual(program, RandomWorkload(program, seed, 20, 19),
                {{kVariants[n_found % 3], Isa::kAvx512, 16, false}}, seed);
    if (HasFatalFailure()) FAIL() << "program " << seed;
  }
}

// More exprels than are late, whose arguments lie on both sides of the limit
// and on it, are infinite and not a number.
TEST(KernelTest, ExprelsOnBothSidesOfTheLimitAgree) {
  Program names;
  names.dt = 1;
  names.states = {"x", "y"};
  names.inputs = {"I"};
  names.outputs = {"a", "b"};
  ProgramBuilder builder(names);
  const ValueId x = builder.State(0), y = builder.State(1);
  const ValueId input = builder.Input(0);
  ValueId sum = builder.Emit(Op::kMultiply, y, input);
  for (int i = 0; i < 20; ++i) {
    const ValueId factor = builder.Constant(1 + 0.25 * i);
    sum = builder.Emit(
        Op::kAdd, sum,
        builder.Emit(Op::kExprel, builder.Emit(Op::kMultiply, factor, y)));
  }
  const ValueId exprel = builder.Emit(Op::kExprel, x);
  const ValueId square = builder.Emit(Op::kMultiply, exprel, exprel);
  const ValueId zero = builder.Constant(0), tenth = builder.Constant(0.1);
  Program program = builder.program();
  program.initial = {zero, tenth};
  program.next = {input, square};
  program.observed = {sum, exprel};
  ASSERT_TRUE(VerifyProgram(program).ok()) << VerifyProgram(program);
  Workload work;
  const double inf = std::numeric_limits<double>::infinity();
  const double limit = elementary::kExprelLimit;
  work.inputs = {{0, limit, std::nextafter(limit, 0), std::nextafter(limit, 1),
                  -limit, -std::nextafter(limit, 0), 0.1, -0.2, 3, -700, 710,
                  inf, -inf, NAN, 0.01, 1e-310, 0.3, 0.35}};
  work.n_steps = work.inputs[0].size();
  work.targets = work.weights = {std::vector<double>(work.n_steps, 1.0),
                                 std::vector<double>(work.n_steps, 1.0)};
  work.points.resize(19);
  for (const auto variant : kVariants) {
    ExpectEqual(program, work, AllOptions(variant), 1);
    if (HasFatalFailure()) return;
  }
}

// As whether a neuron is refractory: computed behind the loop.
TEST(KernelTest, StatesThatNoStepLooksAtAgree) {
  Program names;
  names.dt = 1;
  names.states = {"x", "is_high", "is_low"};
  names.inputs = {"I"};
  names.outputs = {"x"};
  ProgramBuilder builder(names);
  const ValueId x = builder.State(0), input = builder.Input(0);
  const ValueId zero = builder.Constant(0), half = builder.Constant(0.5);
  const ValueId next = builder.Emit(Op::kFma, x, half, input);
  const ValueId is_high = builder.Emit(Op::kLess, half, next);
  const ValueId is_low = builder.Emit(Op::kSelect, is_high, zero,
                                      builder.Emit(Op::kLessEqual, next, zero));
  Program program = builder.program();
  program.initial = {zero, half, half};
  program.next = {next, is_high, is_low};
  program.observed = {x};
  ASSERT_TRUE(VerifyProgram(program).ok()) << VerifyProgram(program);
  Workload work;
  work.inputs = {{0.3, 0.5, -0.7, 0.2, NAN, 1, -1, 0, 0.6, -0.1, 0.1}};
  work.n_steps = work.inputs[0].size();
  work.targets = {std::vector<double>(work.n_steps, 0.1)};
  work.weights = {{1, 0, 2, 1, 0, NAN, 1, -0.0, 1, 0.5, 1}};
  work.points.resize(35);
  for (const auto variant : kVariants) {
    ExpectEqual(program, work, AllOptions(variant), 1);
    if (HasFatalFailure()) return;
  }
  for (const KernelOptions& options : AllOptions(KernelVariant::kErrors)) {
    const auto kernel = CompileKernel(program, options);
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    const double* const signal = work.inputs[0].data();
    std::vector<double> states(3 * 32, 7), sums(32, 7);
    KernelCall nothing;
    nothing.begin = nothing.end = 5;
    nothing.n_steps = 11;
    nothing.states = states.data();
    nothing.inputs = nothing.targets = nothing.weights = &signal;
    nothing.sums = sums.data();
    (*kernel)->Run(nothing);
    EXPECT_EQ(states, std::vector<double>(3 * 32, 7));
    EXPECT_EQ(sums, std::vector<double>(32, 7));
  }
}

TEST(KernelTest, EveryKindOfKernelAgrees) {
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    const Program program = RandomProgram(seed + 1'000'000);
    for (const auto variant : kVariants) {
      ExpectEqual(program, RandomWorkload(program, seed, 30, 37),
                  AllOptions(variant), seed);
    }
  }
}

// Models as people write them.
TEST(KernelTest, EveryKindOfKernelAgreesOnModels) {
  const char* const equations[] = {
      // A passive membrane.
      "dv/dt = (p*I - v)/(q*ms) : 1\nw = 2*v : 1",
      // Hodgkin and Huxley's, once with exprel and once with exponentials that
      // are shared.
      "dv/dt = (10*(-65 - v) + p*10000*m**3*w*(50 - v) + q*1000*n**4*"
      "(-90 - v) + I)/(200*ms) : 1\n"
      "dm/dt = (1.28/exprel((-50 - v)/4)*(1 - m) - 1.4/exprel((v + "
      "23)/5)*m)/ms "
      ": 1\n"
      "dn/dt = (0.16/exprel((-48 - v)/5)*(1 - n) - 0.5*exp((-53 - v)/40)*n)/ms "
      ": 1\n"
      "dw/dt = (0.128*exp((-46 - v)/18)*(1 - w) - 4/(1 + exp((-23 - "
      "v)/5))*w)/ms "
      ": 1",
      "dv/dt = (10*(-65 - v) + p*10000*m**3*w*(50 - v) + I)/(200*ms) : 1\n"
      "dm/dt = (0.32*(-50 - v)/(exp((-50 - v)/4) - 1)*(1 - m) - "
      "0.28*(v + 23)/(exp((v + 23)/5) - 1)*m)/ms : 1\n"
      "dw/dt = (0.128*exp((-46 - v)/18)*(1 - w) - 4/(1 + exp((-23 - v)/5))*w*q)"
      "/ms : 1",
      // Steps of exponential Euler that are long in some lanes and short in
      // others.
      "dv/dt = (q - v*(1 + 100*w**2))/ms : 1\n"
      "dw/dt = (4*I - w*(1 + 50*abs(v + 60)))/ms : 1",
      // What is observed belongs to the front stage.
      "dv/dt = (p*m - v + I)/ms : 1\ndm/dt = (w - m*exp(-v/40))/ms : 1\n"
      "w = exp(v/4 + q) : 1",
      // Library functions, powers, limits; initial values from parameters.
      "dv/dt = (sin(I) + tanh(p) - v*log1p(abs(q)) + clip(w, -1, 1))/ms : 1\n"
      "dw/dt = (abs(v)**1.5 - w + floor(p) + arctan(v) + cosh(q/4))/ms : 1",
  };
  uint32_t seed = 1;
  for (const char* const text : equations) {
    Diagnostics diagnostics;
    const std::vector<Channel> inputs = {{"I", kNoDimension}};
    const std::vector<Channel> outputs = {{"v", kNoDimension},
                                          {"w", kNoDimension}};
    const auto model = CompileModel({std::string(text) + "\np : 1\nq : 1",
                                     "exponential_euler",
                                     {},
                                     {{"v", "p - 60"}}},
                                    inputs, outputs, diagnostics);
    ASSERT_TRUE(model.has_value()) << diagnostics.Render();
    const auto program = CompileProgram(*model, 1e-5, {"v", "w"}, diagnostics);
    ASSERT_TRUE(program.has_value()) << diagnostics.Render();
    for (const auto variant : kVariants) {
      ++seed;
      ExpectEqual(*program, RandomWorkload(*program, seed, 60, 21),
                  AllOptions(variant), seed);
      if (HasFatalFailure()) return;
    }
  }
}

// Each operation alone, on numbers of all kinds.
TEST(KernelTest, EveryOperationAgrees) {
  const double inf = std::numeric_limits<double>::infinity();
  for (auto op = static_cast<uint8_t>(Op::kNegate);
       op <= static_cast<uint8_t>(Op::kClip); ++op) {
    Program names;
    names.dt = 1;
    names.parameters = {"a", "b", "c"};
    names.outputs = {"y"};
    ProgramBuilder builder(names);
    const ValueId operands[] = {builder.Parameter(0), builder.Parameter(1),
                                builder.Parameter(2)};
    const int arity = OpArity(static_cast<Op>(op));
    Program program = builder.program();
    const ValueId result = builder.Emit(static_cast<Op>(op), operands[0],
                                        arity > 1 ? operands[1] : -1,
                                        arity > 2 ? operands[2] : -1);
    program = builder.program();
    program.observed = {result};
    Workload work;
    work.n_steps = 1;
    RandomStream random(op, StreamPurpose::kExample, 3, 0);
    const double special[] = {0.0,  -0.0,   1.0,  -1.0,  inf,    -inf,
                              NAN,  5e-324, 0.5,  2.0,   1e300,  -1e300,
                              1e22, 709.9,  -745, 717.5, 1e-310, -40};
    for (int i = 0; i < 20'000; ++i) {
      work.points.emplace_back();
      for (int k = 0; k < 3; ++k) {
        const uint64_t kind = random.Below(4);
        work.points.back().push_back(
            kind == 0   ? special[random.Below(std::size(special))]
            : kind == 1 ? 1600 * (random.Uniform() - 0.5)
            : kind == 2
                ? 4 * (random.Uniform() - 0.5)
                : std::ldexp(random.Uniform() - 0.5,
                             static_cast<int>(random.Below(2100)) - 1070));
      }
    }
    for (const KernelOptions& options : AllOptions(KernelVariant::kRecord)) {
      ExpectEqual(program, work, {options}, op);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(KernelTest, RefusesWhatThereIsNot) {
  const Program program = RandomProgram(1);
  const auto kernel = CompileKernel(program, {.width = 5});
  ASSERT_FALSE(kernel.ok());
  EXPECT_EQ(kernel.status().message(),
            "a block of 5 lanes; a kernel has 4, 8, 16 or 32");
}

TEST(KernelTest, KeepsKernelsByContent) {
  const Program program = RandomProgram(2);
  const auto first = CachedKernel(program, {});
  const auto again = CachedKernel(RandomProgram(2), {});
  const auto other = CachedKernel(program, {.width = 4});
  ASSERT_TRUE(first.ok() && again.ok() && other.ok());
  EXPECT_EQ(*first, *again);
  EXPECT_NE(*first, *other);
}

TEST(KernelTest, ShowsItsCode) {
  const Program program = RandomProgram(3);
  const auto ir = DumpKernel(program, {}, KernelText::kIr);
  const auto assembly = DumpKernel(program, {}, KernelText::kAssembly);
  ASSERT_TRUE(ir.ok() && assembly.ok());
  EXPECT_NE(ir->find("define void @somafit_run"), std::string::npos);
  EXPECT_NE(assembly->find("somafit_run:"), std::string::npos);
}

}  // namespace
}  // namespace somafit
