#include <algorithm>
#include <cmath>
#include <vector>

#include "worker/core/ir/interpreter.h"
#include "worker/jit/kernel.h"

namespace somafit {
namespace {

class ReferenceKernel final : public Kernel {
 public:
  ReferenceKernel(const Program& program, const KernelOptions& options)
      : program_(program),
        variant_(options.variant),
        width_(options.width > 0 ? static_cast<size_t>(options.width) : 32) {}

  int width() const override { return static_cast<int>(width_); }

  void Start(const double* parameters, double* states,
             const double* noise) const override {
    const size_t n_draws = noise == nullptr ? 0 : program_.noises.size();
    const std::vector<double> values =
        Interpreter(program_, schedule_, width_, Parameters(parameters),
                    {noise, n_draws * width_})
            .states();
    std::copy(values.begin(), values.end(), states);
  }

  void Run(const KernelCall& call) const override {
    Interpreter interpreter(program_, schedule_, width_,
                            Parameters(call.parameters));
    const size_t n_states = program_.states.size() * width_;
    interpreter.set_states({call.states, n_states});
    TraceView view;
    const auto begin = static_cast<size_t>(call.begin);
    const auto end = static_cast<size_t>(call.end);
    const auto n_steps = static_cast<size_t>(call.n_steps);
    view.n_steps = n_steps;
    for (size_t i = 0; i < program_.inputs.size(); ++i) {
      view.inputs.emplace_back(call.inputs[i], n_steps);
    }
    view.noise = {call.noise, (end - begin) * program_.noises.size() * width_};
    view.noise_begin = begin;
    interpreter.Run(
        view, begin, end, [&](size_t step, std::span<const double> outputs) {
          if (variant_ == KernelVariant::kRecord) {
            std::copy(outputs.begin(), outputs.end(),
                      call.record + (step - begin) * outputs.size());
          } else {
            AddUp(call, step, outputs);
          }
        });
    const std::vector<double> states = interpreter.states();
    std::copy(states.begin(), states.end(), call.states);
  }

 private:
  std::span<const double> Parameters(const double* parameters) const {
    return {parameters, program_.parameters.size() * width_};
  }

  void AddUp(const KernelCall& call, size_t step,
             std::span<const double> outputs) const {
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const bool is_weighted = variant_ == KernelVariant::kErrors;
      const double weight = is_weighted ? call.weights[o][step] : 1;
      if (weight == 0) continue;
      for (size_t lane = 0; lane < width_; ++lane) {
        const double d = outputs[o * width_ + lane] - call.targets[o][step];
        double& sum = call.sums[o * width_ + lane];
        sum = std::fma(weight * d, d, sum);
      }
    }
  }

  const Program program_;
  const std::shared_ptr<const Interpreter::Schedule> schedule_ =
      Interpreter::Prepare(program_);
  const KernelVariant variant_;
  const size_t width_;
};

}  // namespace

std::shared_ptr<const Kernel> MakeReferenceKernel(
    const Program& program, const KernelOptions& options) {
  return std::make_shared<ReferenceKernel>(program, options);
}

}  // namespace somafit
