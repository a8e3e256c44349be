#include "server/rpc/view.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "proto/convert/evaluation.h"
#include "proto/convert/inference_spec.h"
#include "proto/convert/spec.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

// How large quantities of neurons usually are: what is shown should not change
// its unit from one reply to the next.
double UsualMagnitude(const Dimension& dimension) {
  struct Usual {
    const char* unit;
    double magnitude;
  };
  static constexpr Usual kUsual[] = {
      {"volt", 50e-3},    {"amp", 500e-12}, {"siemens", 10e-9},
      {"farad", 100e-12}, {"ohm", 100e6},   {"second", 10e-3},
      {"hertz", 10},
  };
  for (const auto& [name, magnitude] : kUsual) {
    const std::optional<Unit> unit = FindUnit(name);
    if (!unit) continue;
    if (unit->dimension == dimension) return magnitude;
    // Errors are squares; those of a good fit are a tenth of the quantity.
    if (unit->dimension * unit->dimension == dimension) {
      return magnitude * magnitude / 100;
    }
  }
  return 1;
}

v1::Variable MakeVariable(const std::string& name, const Dimension& dimension,
                          double magnitude) {
  v1::Variable variable;
  variable.set_name(name);
  variable.set_si_unit(ReadableDimension(dimension));
  const Unit unit = DisplayUnit(dimension, magnitude);
  variable.set_display_unit(unit.name);
  variable.set_display_scale(unit.scale);
  return variable;
}

std::string_view KindText(OptionSpec::Kind kind) {
  switch (kind) {
    case OptionSpec::Kind::kNumber:
      return "number";
    case OptionSpec::Kind::kInteger:
      return "integer";
    case OptionSpec::Kind::kTime:
      return "time [s]";
    case OptionSpec::Kind::kRate:
      return "rate [1/s]";
    case OptionSpec::Kind::kBoolean:
      return "true (1) or false (0)";
    case OptionSpec::Kind::kOutput:
      return "in units of the output";
    case OptionSpec::Kind::kText:
      return "text";
  }
  return "";
}

v1::Fit WithoutSpec(const FitRecord& fit) {
  v1::Fit message;
  message.set_name(absl::StrCat("fits/", fit.name));
  message.set_state(ToProto(fit.state));
  message.set_state_reason(fit.reason);
  for (const Parameter& parameter : fit.parameters) {
    v1::Variable* variable = message.add_parameters();
    *variable = MakeVariable(
        parameter.name, parameter.dimension,
        std::max(std::abs(parameter.lower), std::abs(parameter.upper)));
    variable->set_lower(parameter.lower);
    variable->set_upper(parameter.upper);
  }
  for (const Channel& output : fit.outputs) {
    *message.add_outputs() = ToProto(output);
  }
  *message.mutable_total_error() = MakeVariable(
      "total_error", fit.error_dimension, UsualMagnitude(fit.error_dimension));
  message.set_stage(fit.stage);
  message.set_rounds(fit.rounds);
  message.set_samples_drawn(fit.next_sample);
  message.set_samples_done(fit.samples_done);
  message.set_samples_failed(fit.samples_failed);
  if (fit.best_sample) {
    message.set_best_sample(*fit.best_sample);
    message.set_best_error(fit.best_error);
  }
  message.set_create_time_us(fit.create_time_us);
  message.set_elapsed_seconds(fit.elapsed_s);
  message.set_last_seq(fit.last_seq);
  message.set_numerics_version(fit.numerics_version);
  message.set_model(fit.model_hash);
  message.set_dataset(fit.spec.dataset);
  message.set_phase(fit.phase);
  return message;
}

}  // namespace

v1::FitState ToProto(FitState state) {
  switch (state) {
    case FitState::kRunning:
      return v1::FIT_STATE_RUNNING;
    case FitState::kGated:
      return v1::FIT_STATE_GATED;
    case FitState::kPaused:
      return v1::FIT_STATE_PAUSED;
    case FitState::kSucceeded:
      return v1::FIT_STATE_SUCCEEDED;
    case FitState::kCancelled:
      return v1::FIT_STATE_CANCELLED;
    case FitState::kFailed:
      return v1::FIT_STATE_FAILED;
  }
  return v1::FIT_STATE_UNSPECIFIED;
}

v1::Fit ToProto(const FitRecord& fit) {
  v1::Fit message = WithoutSpec(fit);
  *message.mutable_spec() = ToProto(fit.spec);
  if (fit.best_sample) {
    message.mutable_best_parameters()->Add(fit.best_parameters.begin(),
                                           fit.best_parameters.end());
  }
  return message;
}

v1::Fit ToShortProto(const FitRecord& fit) {
  v1::Fit message = WithoutSpec(fit);
  *message.mutable_spec() = ToProto(fit.spec);
  message.mutable_spec()->clear_model();
  for (v1::MetricSpec& metric : *message.mutable_spec()->mutable_metrics()) {
    metric.clear_t_weights();
  }
  return message;
}

void AddSample(const SampleRow& row, bool has_penalty, v1::SampleBlock* block) {
  block->add_sample(row.sample);
  block->add_stage(row.stage);
  block->add_round(row.round);
  block->add_status(ToProto(row.status));
  block->mutable_parameters()->Add(row.parameters.begin(),
                                   row.parameters.end());
  block->add_total_error(row.total_error);
  block->mutable_output_error()->Add(row.output_errors.begin(),
                                     row.output_errors.end());
  block->mutable_output_error_normalized()->Add(
      row.output_errors_normalized.begin(), row.output_errors_normalized.end());
  // Features have none.
  for (size_t i = row.output_errors_normalized.size();
       i < row.output_errors.size(); ++i) {
    block->add_output_error_normalized(
        std::numeric_limits<double>::quiet_NaN());
  }
  if (has_penalty) block->add_penalty(row.penalty);
  block->mutable_trace_error()->Add(row.trace_errors.begin(),
                                    row.trace_errors.end());
}

size_t SampleBytes(size_t n_parameters, size_t n_outputs, size_t n_traces) {
  return 8 * (n_parameters + (2 + n_traces) * n_outputs + 2) + 32;
}

v1::FitEvent ToProto(const EventRecord& event,
                     const std::vector<SampleRow>& samples, bool has_penalty) {
  v1::FitEvent message;
  message.set_seq(event.seq);
  message.set_time_us(event.time_us);
  if (event.kind == EventRecord::Kind::kState) {
    message.mutable_state()->set_state(ToProto(event.state));
    message.mutable_state()->set_reason(event.reason);
    return message;
  }
  v1::RoundEvent* round = message.mutable_round();
  round->set_stage(event.stage);
  round->set_round(event.round);
  for (const SampleRow& row : samples) {
    AddSample(row, has_penalty, round->mutable_samples());
  }
  round->set_best_sample(event.best_sample);
  round->mutable_best_parameters()->Add(event.best_parameters.begin(),
                                        event.best_parameters.end());
  round->set_best_error(event.best_error);
  round->set_gated(event.gated);
  if (!event.training.empty()) {
    round->mutable_training()->ParseFromString(event.training);
  }
  return message;
}

v1::Task ToProto(const Task& task) {
  v1::Task message;
  message.set_lease(task.lease);
  message.set_fit(task.fit);
  message.set_stage(task.stage);
  message.set_round(task.round);
  message.set_first_sample(task.first_sample);
  message.set_seed(task.seed);
  message.set_first_realization(task.first_realization);
  message.set_iteration(task.iteration);
  message.set_first_in_round(task.first_in_round);
  message.set_n_in_round(task.n_in_round);
  for (const std::vector<double>& point : task.points) {
    message.mutable_points()->Add(point.begin(), point.end());
  }
  message.mutable_limits()->Add(task.limits.begin(), task.limits.end());
  v1::Experiment* experiment = message.mutable_experiment();
  experiment->set_model(task.model_hash);
  experiment->set_dataset(task.dataset_hash);
  experiment->set_dt(task.dt);
  for (const std::string& name : task.parameters) {
    experiment->add_parameters(name);
  }
  for (const MetricSpec& metric : task.metrics) {
    *experiment->add_metrics() = ToProto(metric);
  }
  experiment->set_penalty(task.penalty);
  for (const FeatureSpec& feature : task.features) {
    *experiment->add_features() = ToProto(feature);
  }
  for (const std::string& name : task.recorded) message.add_recorded(name);
  return message;
}

v1::Variable ToProto(const Channel& variable) {
  return MakeVariable(variable.name, variable.dimension,
                      UsualMagnitude(variable.dimension));
}

v1::WorkerStatus ToProto(const WorkerView& worker) {
  v1::WorkerStatus message;
  message.set_name(worker.name);
  message.set_host(worker.host);
  message.set_threads(worker.threads);
  message.set_state(worker.state);
  message.set_activity(worker.activity);
  message.set_tasks_done(worker.tasks_done);
  message.set_samples_done(worker.samples_done);
  message.set_idle_seconds(worker.idle_s);
  message.set_version(worker.version);
  return message;
}

v1::MemberDescription DescribeMember(std::string_view name,
                                     std::string_view summary,
                                     const std::vector<OptionSpec>& options) {
  v1::MemberDescription member;
  member.set_name(std::string(name));
  member.set_summary(std::string(summary));
  for (const OptionSpec& option : options) {
    v1::OptionDescription* entry = member.add_options();
    entry->set_name(std::string(option.name));
    entry->set_summary(std::string(option.summary));
    entry->set_kind(std::string(KindText(option.kind)));
    entry->set_default_value(option.default_value);
    entry->set_minimum(option.minimum);
    entry->set_maximum(option.maximum);
  }
  return member;
}

}  // namespace somafit
