#include "tests/suites/store_records.h"

#include <limits>
#include <utility>

namespace somafit {

FitRecord ExampleFit(int64_t id, const std::string& name) {
  FitRecord fit;
  fit.id = id;
  fit.name = name;
  fit.spec.name = name;
  fit.spec.label = "label";
  fit.spec.model = {.equations = "dv/dt = -v/tau : volt\ntau : second",
                    .method = "euler",
                    .constants = {{"El", "-65*mV"}},
                    .initial_values = {{"v", "El"}}};
  fit.spec.dataset = std::string(64, 'd');
  fit.spec.dt = "0.1*ms";
  fit.spec.parameters = {{"tau", "[1*ms, 2*ms]"}, {"Stage", "[0, 1]"}};
  fit.spec.metrics = {{"v", "mse", {{"t_start", "5*ms"}}, {}},
                      {"w", "mse", {}, {0.1, 1.0 / 3}}};
  fit.spec.optimizer = {"de", {{"F", "0.7"}}};
  fit.spec.n_samples = 3;
  fit.spec.stop.rounds = 0;
  fit.spec.stop.target = "1e-6*volt**2";
  fit.spec.seed = 0xffffffffffffffff;
  fit.spec.gate = {
      .enabled = true, .timeout_s = 12.5, .then = GateTimeout::kContinue};
  fit.spec.execution = {.task_timeout_s = 7, .max_attempts = 3};
  fit.model_hash = std::string(64, 'a');
  fit.parameters = {{"tau", kTimeDimension, 1e-3, 2e-3},
                    {"Stage", kNoDimension, 0, 1}};
  fit.outputs = {{"v", kVolt}, {"w", kNoDimension}};
  fit.error_dimension = kVolt.Power(0.5);
  fit.n_traces = 2;
  fit.create_time_us = 1234567890123;
  fit.numerics_version = 5;
  return fit;
}

RoundRecord ExampleRound(int64_t fit, int64_t round, int64_t first, int64_t n) {
  RoundRecord record;
  record.fit = fit;
  record.round = round;
  record.first_sample = first;
  for (int64_t i = 0; i < n; ++i) {
    const double u = 1.0 / (3.0 + static_cast<double>(first + i));
    record.points.push_back({1e-3 * (1 + u), u});
    record.unit_points.push_back({u, u / 7});
  }
  return record;
}

RecordedSample Result(int64_t sample, double error) {
  Evaluation evaluation;
  evaluation.status = SampleStatus::kOk;
  evaluation.total_error = error;
  evaluation.output_errors = {error / 3, error / 7};
  evaluation.output_errors_normalized = {error, error / 11};
  evaluation.trace_errors = {1, 2, 3, std::numeric_limits<double>::quiet_NaN()};
  return {sample, evaluation};
}

EventRecord Event(int64_t fit, int64_t seq) {
  EventRecord event;
  event.fit = fit;
  event.seq = seq;
  return event;
}

ResultsRecord Results(int64_t fit, std::vector<RecordedSample> samples) {
  return {.fit = fit,
          .worker = "worker",
          .microseconds = 1000,
          .numerics_version = 5,
          .samples = std::move(samples)};
}

}  // namespace somafit
