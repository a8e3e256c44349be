#include "tests/server/study/example_fit.h"

#include <cmath>
#include <limits>

namespace somafit {

FitPlan ExamplePlan(const std::string& name, int64_t n_samples,
                    int64_t rounds) {
  FitPlan plan;
  plan.spec.name = name;
  plan.spec.label = "fit";
  plan.spec.model = ExampleModel();
  plan.spec.dataset = std::string(64, 'd');
  plan.spec.dt = "0.1*ms";
  plan.spec.parameters = {{"gl", "[1*nS, 100*nS]"}, {"Cm", "[0.1, 2]"}};
  plan.spec.metrics = {{"v", "mse", {}, {}}};
  plan.spec.optimizer.name = "de";
  plan.spec.n_samples = n_samples;
  plan.spec.stop.rounds = rounds;
  plan.spec.seed = 42;
  plan.model_hash = std::string(64, 'a');
  const Dimension siemens({-2, -1, 3, 2, 0, 0, 0});
  const Dimension volt({2, 1, -3, -1, 0, 0, 0});
  plan.space = ParameterSpace(
      {{"gl", siemens, 1e-9, 1e-7}, {"Cm", kNoDimension, 0.1, 2}});
  plan.outputs = {{"v", volt}};
  plan.n_traces = 2;
  plan.dt = 1e-4;
  plan.metrics = plan.spec.metrics;
  plan.error_dimension = volt.Power(2);
  plan.stop.rounds = rounds;
  return plan;
}

ModelSource ExampleModel() {
  return {.equations = "dv/dt = -gl*v/Cm : volt",
          .method = "",
          .constants = {},
          .initial_values = {{"v", "-65*mV"}}};
}

Evaluation ExampleEvaluation(const std::vector<double>& point) {
  const double x = (point[0] - 1e-9) / (1e-7 - 1e-9);
  const double y = point[1];
  Evaluation evaluation;
  if (x > 0.95) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    evaluation.status = SampleStatus::kNonfinite;
    evaluation.total_error = nan;
    evaluation.output_errors = {nan};
    evaluation.output_errors_normalized = {nan};
    evaluation.trace_errors = {nan, nan};
    return evaluation;
  }
  const double first = (x - 0.3) * (x - 0.3);
  const double second = (y - 1.1) * (y - 1.1);
  evaluation.status = SampleStatus::kOk;
  evaluation.total_error = (first + second) / 2;
  evaluation.output_errors = {evaluation.total_error};
  evaluation.output_errors_normalized = {evaluation.total_error};
  evaluation.trace_errors = {first, second};
  return evaluation;
}

Coordinator::Report ExampleReport(const std::string& session,
                                  const Task& task) {
  Coordinator::Report report;
  report.session = session;
  report.lease = task.lease;
  report.fit = task.fit;
  report.microseconds = 1000;
  for (size_t i = 0; i < task.points.size(); ++i) {
    report.samples.push_back({task.first_sample + static_cast<int64_t>(i),
                              ExampleEvaluation(task.points[i])});
  }
  return report;
}

}  // namespace somafit
