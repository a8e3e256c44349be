#include "tests/worker/jit/conformance.h"

#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "worker/core/ir/lower.h"
#include "worker/core/ir/recording.h"
#include "worker/core/lang/model.h"
#include "worker/jit/kernel.h"

namespace somafit {

CompiledRow CompileRow(const Row& row) {
  CompiledRow result;
  std::vector<Channel> inputs;
  if (!row.input.empty()) inputs.push_back({"ta", kNoDimension});
  ModelSource source;
  source.equations = row.equations;
  source.method = row.method;
  source.constants = {{"tau", "10*ms"}};
  source.initial_values = row.initial_values;
  source.threshold = row.threshold;
  source.reset = row.reset;
  source.refractory = row.refractory;
  source.periodic = row.periodic;
  source.timed_arrays = row.timed_arrays;
  source.method_choice = row.method_choice;
  const auto model = CompileModel(source, inputs, {}, result.diagnostics);
  if (!model) return result;
  if (row.output == kSpikes) {
    result.program =
        CompileRecording(*model, row.dt, {}, {row.output}, result.diagnostics);
    return result;
  }
  int n_stages = 0;
  result.program =
      CompileProgram(*model, row.dt, {row.output}, result.diagnostics,
                     [&](std::string_view stage, const Program&) {
                       if (++n_stages == 2) result.method = stage;
                     });
  return result;
}

std::vector<double> SpikesAt(const std::vector<int>& steps, int n_steps) {
  std::vector<double> spikes(static_cast<size_t>(n_steps), 0.0);
  for (const int step : steps) {
    if (step < n_steps) spikes[static_cast<size_t>(step)] = 1;
  }
  return spikes;
}

namespace {

uint64_t BitsOf(double x) {
  return std::isnan(x) ? 0x7ff8000000000000 : std::bit_cast<uint64_t>(x);
}

// In chunks of `chunk` steps; all lanes have the same parameters.
std::vector<double> Record(const Kernel& kernel, const Program& program,
                           const Row& row, size_t chunk) {
  const auto width = static_cast<size_t>(kernel.width());
  const size_t n_steps = row.expected.size();
  std::vector<double> parameters, states(64 * width);
  for (const double parameter : row.parameters) {
    parameters.insert(parameters.end(), width, parameter);
  }
  const double* const inputs[] = {row.input.data()};
  const std::vector<double> noise(chunk * program.noises.size() * width,
                                  row.drawn);
  std::vector<const double*> arrays;
  for (const auto& array : program.arrays) arrays.push_back(array->data());
  kernel.Start(parameters.data(), states.data(), noise.data());
  std::vector<double> recorded;
  for (size_t begin = 0; begin < n_steps; begin += chunk) {
    KernelCall call;
    call.begin = static_cast<int64_t>(begin);
    call.end = static_cast<int64_t>(std::min(n_steps, begin + chunk));
    call.n_steps = static_cast<int64_t>(n_steps);
    call.parameters = parameters.data();
    call.states = states.data();
    call.inputs = inputs;
    call.noise = noise.data();
    call.arrays = arrays.data();
    std::vector<double> rows(chunk * width);
    call.record = rows.data();
    kernel.Run(call);
    for (int64_t k = 0; k < call.end - call.begin; ++k) {
      recorded.push_back(rows[static_cast<size_t>(k) * width + width / 2]);
    }
  }
  return recorded;
}

}  // namespace

void CheckRow(const Row& row) {
  const CompiledRow compiled = CompileRow(row);
  ASSERT_TRUE(compiled.program) << row.id << "\n"
                                << compiled.diagnostics.Render();
  ASSERT_LE(compiled.program->states.size(), 64u);
  const auto reference = MakeReferenceKernel(
      *compiled.program, {.variant = KernelVariant::kRecord});
  const std::vector<double> values =
      Record(*reference, *compiled.program, row, row.expected.size());
  for (size_t k = 0; k < values.size(); ++k) {
    const double wanted = row.expected[k];
    if (std::isinf(wanted) || std::isnan(wanted)) {
      EXPECT_EQ(BitsOf(values[k]), BitsOf(wanted)) << row.id << " step " << k;
      continue;
    }
    EXPECT_NEAR(values[k], wanted, 1e-12 * std::abs(wanted) + 1e-15)
        << row.id << " step " << k;
  }
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    if (!Supports(isa)) continue;
    for (const int width : {4, 8, 16, 32}) {
      const auto kernel = CompileKernel(
          *compiled.program, {KernelVariant::kRecord, isa, width, false});
      ASSERT_TRUE(kernel.ok()) << kernel.status();
      for (const size_t chunk : {row.expected.size(), size_t{2}}) {
        const std::vector<double> native =
            Record(**kernel, *compiled.program, row, chunk);
        ASSERT_EQ(native.size(), values.size());
        for (size_t k = 0; k < values.size(); ++k) {
          EXPECT_EQ(BitsOf(native[k]), BitsOf(values[k]))
              << row.id << " step " << k << ", " << IsaName(isa) << ", width "
              << width;
        }
      }
    }
  }
}

}  // namespace somafit
