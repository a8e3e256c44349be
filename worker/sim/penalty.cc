#include "worker/sim/penalty.h"

#include "worker/core/ir/interpreter.h"

namespace somafit {

std::vector<double> PenaltiesOf(const Program& observing, const Trace& trace,
                                const Block& block,
                                std::span<const double> states) {
  const size_t width = block.realizations.size();
  const size_t step = trace.n_steps();
  std::vector<double> noise(observing.noises.size() * width);
  const auto draw = [&](int64_t at) {
    if (observing.noises.empty()) return;
    FillNoise(block.seed, static_cast<uint32_t>(block.trace),
              block.realizations, observing.noises, at, at + 1, noise.data());
  };
  TraceView view;
  view.n_steps = step + 1;
  view.noise_begin = step;
  // Copies, so that there is a step behind the last. Seldom does a penalty look
  // at an input: else the program has none.
  std::vector<std::vector<double>> held;
  const auto hold = [&](const std::vector<double>& series) {
    held.push_back(series);
    held.back().push_back(series.empty() ? 0 : series.back());
  };
  if (!observing.inputs.empty()) {
    for (const auto& input : trace.inputs) hold(input);
  }
  for (const size_t output : observing.targets) hold(trace.targets[output]);
  for (const auto& series : held) view.inputs.emplace_back(series);
  draw(kInitialStep);
  Interpreter interpreter(observing, width, block.parameters, noise);
  interpreter.set_states(states);
  draw(static_cast<int64_t>(step));
  view.noise = noise;
  std::vector<double> penalties;
  interpreter.Run(view, step, step + 1,
                  [&](size_t, std::span<const double> outputs) {
                    penalties.assign(outputs.begin(), outputs.end());
                  });
  return penalties;
}

}  // namespace somafit
