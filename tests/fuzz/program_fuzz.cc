// A random program, made of the bytes: its kernel against the interpreter, to
// the bit.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/worker/jit/random_program.h"
#include "worker/core/base/random.h"
#include "worker/jit/kernel.h"

namespace somafit {
namespace {

constexpr int kWorkloads = 4;  // for each kernel: compiling takes longest

// Choices that the bytes make, and behind their end a stream that they seed: a
// few bytes are a whole program.
class Choices {
 public:
  explicit Choices(std::span<const uint8_t> bytes)
      : bytes_(bytes), random_(Hash(bytes), StreamPurpose::kExample, 0, 0) {}

  uint64_t Below(uint64_t n) {
    if (at_ >= bytes_.size()) return random_.Below(n);
    uint64_t value = bytes_[at_++];
    if (n > 256 && at_ < bytes_.size()) value += 256 * bytes_[at_++];
    return value % n;
  }

  // An ordinary number, a special one, or any bits.
  double Number() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kSpecial[] = {
        0.0,  -0.0,   1.0,   -1.0,      0.5,        2.0,   3.0,    1e-3,
        1e22, 5e-324, 1e300, -1e300,    1e-310,     709.9, -745.2, 717.5,
        0.34, 1e-16,  -40.0, kInfinity, -kInfinity, NAN,   0x1p53, -0x1p63};
    switch (Below(4)) {
      case 0:
        return kSpecial[Below(std::size(kSpecial))];
      case 1: {
        uint64_t bits = 0;
        for (int i = 0; i < 8; ++i) bits = 256 * bits + Below(256);
        return std::bit_cast<double>(bits);
      }
      default:
        return (static_cast<double>(Below(65536)) - 32768) / 8192;
    }
  }

  std::vector<double> Numbers(size_t n) {
    std::vector<double> numbers(n);
    for (double& number : numbers) number = Number();
    return numbers;
  }

 private:
  // FNV-1a.
  static uint64_t Hash(std::span<const uint8_t> bytes) {
    uint64_t hash = 0xcbf29ce484222325;
    for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
    return hash;
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  RandomStream random_;
};

KernelOptions ChooseOptions(Choices& choices) {
  KernelOptions options;
  constexpr KernelVariant kVariants[] = {KernelVariant::kErrors,
                                         KernelVariant::kPlainErrors,
                                         KernelVariant::kRecord};
  options.variant = kVariants[choices.Below(3)];
  const bool wide = choices.Below(2) == 1 && Supports(Isa::kAvx512);
  options.isa = wide ? Isa::kAvx512 : Isa::kAvx2;
  options.width = 4 << choices.Below(3);
  options.optimize = choices.Below(2) == 1;
  return options;
}

ProgramExtras ChooseExtras(Choices& choices) {
  ProgramExtras extras;
  extras.constants = choices.Numbers(choices.Below(4));
  for (uint64_t n = choices.Below(4); n > 0; --n) {
    extras.noises.push_back(n == 1 ? NoiseKind::kUniform : NoiseKind::kNormal);
  }
  for (uint64_t n = choices.Below(3); n > 0; --n) {
    extras.arrays.push_back(std::make_shared<const std::vector<double>>(
        choices.Numbers(1 + choices.Below(8))));
  }
  return extras;
}

// A trace and a block of parameter sets. Signals go on behind the trace's end,
// where nobody may look.
struct Workload {
  size_t n_steps = 0;
  size_t chunk = 0;
  std::vector<double> parameters;
  std::vector<std::vector<double>> inputs, targets, weights;
  std::vector<double> initial_noise, noise;
};

Workload ChooseWorkload(Choices& choices, const Program& program,
                        size_t width) {
  Workload work;
  work.n_steps = 1 + choices.Below(40);
  work.chunk = 1 + choices.Below(work.n_steps);
  work.parameters = choices.Numbers(program.parameters.size() * width);
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    work.inputs.push_back(choices.Numbers(work.n_steps + 1));
  }
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    work.targets.push_back(choices.Numbers(work.n_steps + 1));
    work.weights.push_back(choices.Numbers(work.n_steps + 1));
    for (double& weight : work.weights.back()) {
      weight = weight > 0 && std::isfinite(weight) ? weight : 0;
    }
  }
  const size_t n_draws = program.noises.size() * width;
  work.initial_noise = choices.Numbers(n_draws);
  work.noise = choices.Numbers(n_draws * work.n_steps);
  return work;
}

std::vector<const double*> Pointers(
    const std::vector<std::vector<double>>& signals) {
  std::vector<const double*> pointers;
  for (const auto& signal : signals) pointers.push_back(signal.data());
  return pointers;
}

// All that the kernel writes: states, sums and records. Each array goes on
// behind its end, where nobody may write.
using Written = std::vector<std::vector<double>>;

Written Run(const Kernel& kernel, const Program& program, const Workload& work,
            size_t chunk) {
  constexpr size_t kGuard = 16;
  constexpr double kUntouched = 12345;
  const auto width = static_cast<size_t>(kernel.width());
  const auto array = [=](size_t n) {
    return std::vector<double>(n + kGuard, kUntouched);
  };
  const auto inputs = Pointers(work.inputs), targets = Pointers(work.targets),
             weights = Pointers(work.weights);
  std::vector<const double*> arrays;
  for (const auto& each : program.arrays) arrays.push_back(each->data());
  const size_t n_draws = program.noises.size() * width;
  const size_t row = program.outputs.size() * width;
  auto states = array(program.states.size() * width);
  auto record = array(work.n_steps * row);
  auto sums = array(row);
  std::fill_n(sums.begin(), row, 0.0);
  kernel.Start(work.parameters.data(), states.data(),
               work.initial_noise.data());
  Written written = {states};
  for (size_t begin = 0; begin < work.n_steps; begin += chunk) {
    KernelCall call;
    call.begin = static_cast<int64_t>(begin);
    call.end = static_cast<int64_t>(std::min(begin + chunk, work.n_steps));
    call.n_steps = static_cast<int64_t>(work.n_steps);
    call.parameters = work.parameters.data();
    call.states = states.data();
    call.inputs = inputs.data();
    call.targets = targets.data();
    call.weights = weights.data();
    call.sums = sums.data();
    call.record = record.data() + begin * row;
    call.noise = work.noise.data() + begin * n_draws;
    call.arrays = arrays.data();
    kernel.Run(call);
  }
  written.push_back(std::move(states));
  written.push_back(std::move(sums));
  written.push_back(std::move(record));
  return written;
}

bool SameNumber(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

void RequireSame(const Written& expected, const Written& found,
                 const char* which, const KernelOptions& options,
                 const Workload& work, const Program& program) {
  constexpr const char* kNames[] = {"initial states", "states", "sums",
                                    "records"};
  for (size_t k = 0; k < expected.size(); ++k) {
    for (size_t i = 0; i < expected[k].size(); ++i) {
      if (SameNumber(expected[k][i], found[k][i])) continue;
      std::fprintf(
          stderr,
          "violated: %s, %s: number %zu of %s is %.17g, the interpreter's "
          "%.17g\n"
          "%s, %d lanes%s, %zu steps in chunks of %zu\n%s",
          which,
          options.variant == KernelVariant::kRecord ? "record" : "errors", i,
          kNames[k], found[k][i], expected[k][i],
          std::string(IsaName(options.isa)).c_str(), options.width,
          options.optimize ? ", O2" : "", work.n_steps, work.chunk,
          PrintProgram(program).c_str());
      std::abort();
    }
  }
}

void TestProgram(std::span<const uint8_t> bytes) {
  Choices choices(bytes);
  const KernelOptions options = ChooseOptions(choices);
  const ProgramExtras extras = ChooseExtras(choices);
  const Program program = RandomProgram(
      [&choices](uint64_t n) { return choices.Below(n); }, extras);
  const auto kernel = CompileKernel(program, options);
  if (!kernel.ok()) {
    std::fprintf(stderr, "violated: %s\n%s", kernel.status().ToString().c_str(),
                 PrintProgram(program).c_str());
    std::abort();
  }
  const auto reference = MakeReferenceKernel(program, options);
  for (int i = 0; i < kWorkloads; ++i) {
    const Workload work =
        ChooseWorkload(choices, program, static_cast<size_t>(options.width));
    const Written expected = Run(*reference, program, work, work.n_steps);
    RequireSame(expected, Run(**kernel, program, work, work.n_steps),
                "the whole trace", options, work, program);
    RequireSame(expected, Run(**kernel, program, work, work.chunk), "in chunks",
                options, work, program);
  }
}

}  // namespace
}  // namespace somafit

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  somafit::TestProgram({data, size});
  return 0;
}
