// Kernels that are kept are told apart by all that their code depends on.
#include <vector>

#include <gtest/gtest.h>

#include "worker/core/ir/lower.h"
#include "worker/core/lang/model.h"
#include "worker/jit/kernel.h"

namespace somafit {
namespace {

Program Compile(const std::string& equations) {
  Diagnostics diagnostics;
  const auto model =
      CompileModel({equations, "euler", {}, {}}, {}, {}, diagnostics);
  EXPECT_TRUE(model) << diagnostics.Render();
  return *CompileProgram(*model, 1e-3, {"v"}, diagnostics);
}

// Both programs have the same text; in the second a source of noise lies
// between, which nobody uses.
TEST(KernelCacheTest, TellsApartHowNoiseIsLaidOut) {
  const std::string walk = "dv/dt = xi/sqrt(ms) : 1";
  const Program one = Compile(walk);
  const Program two = Compile(walk + "\ns = randn() : 1 (constant over dt)");
  ASSERT_EQ(PrintProgram(one), PrintProgram(two));
  ASSERT_NE(one.noises.size(), two.noises.size());
  for (const Program* const program : {&one, &two, &one}) {
    const KernelOptions options = {.variant = KernelVariant::kRecord,
                                   .width = 8};
    const auto kernel = CachedKernel(*program, options);
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    const size_t n_noises = program->noises.size();
    std::vector<double> noise(4 * n_noises * 8);
    for (size_t i = 0; i < noise.size(); ++i) {
      noise[i] = i / 8 % n_noises == 0 ? 1 : 1000;
    }
    std::vector<double> states(8, 0.0), rows(4 * 8);
    KernelCall call;
    call.end = call.n_steps = 4;
    call.states = states.data();
    call.noise = noise.data();
    call.record = rows.data();
    (*kernel)->Run(call);
    EXPECT_DOUBLE_EQ(rows[3 * 8 + 5], 3);
  }
}

}  // namespace
}  // namespace somafit
