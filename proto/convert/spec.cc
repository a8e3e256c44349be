#include "proto/convert/spec.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "proto/convert/digest.h"
#include "proto/convert/inference_spec.h"
#include "proto/convert/violations.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

constexpr char kDatasetPrefix[] = "datasets/";
constexpr int kMaxValues = 16'000'000;  // numbers of one timed array
constexpr double kMaxSeconds = 1e9;

void CheckModel(const v1::Model& model, Violations& violations) {
  violations.CheckText("model.equations", model.equations());
  violations.CheckText("model.method", model.method());
  violations.CheckNamed("model.constants", model.constants());
  violations.CheckNamed("model.initial_values", model.initial_values());
  violations.CheckText("model.threshold", model.threshold());
  violations.CheckText("model.reset", model.reset());
  violations.CheckText("model.refractory", model.refractory());
  violations.CheckNamed("model.method_options", model.method_options());
  violations.CheckText("model.method_choice", model.method_choice());
  if (violations.CheckCount("model.periodic", model.periodic_size(),
                            kMaxList)) {
    for (int i = 0; i < model.periodic_size(); ++i) {
      const std::string field = absl::StrCat("model.periodic[", i, "]");
      violations.CheckText(field + ".code", model.periodic(i).code());
      violations.CheckText(field + ".when", model.periodic(i).when());
      violations.CheckText(field + ".dt", model.periodic(i).dt());
    }
  }
  if (violations.CheckCount("model.timed_arrays", model.timed_arrays_size(),
                            kMaxList)) {
    for (int i = 0; i < model.timed_arrays_size(); ++i) {
      const v1::TimedArray& array = model.timed_arrays(i);
      const std::string field = absl::StrCat("model.timed_arrays[", i, "]");
      violations.CheckText(field + ".name", array.name());
      violations.CheckText(field + ".unit", array.unit());
      violations.CheckText(field + ".dt", array.dt());
      violations.CheckCount(field + ".values", array.values_size(), kMaxValues);
      if (array.columns() < 0) {
        violations.Add(field + ".columns",
                       absl::StrCat("is ", array.columns(),
                                    "; give their number, or 0 for a function "
                                    "of time alone"));
      }
    }
  }
}

template <typename List>
void CheckMetrics(const List& metrics, Violations& violations) {
  if (!violations.CheckCount("metrics", metrics.size(), kMaxList)) return;
  for (int i = 0; i < metrics.size(); ++i) {
    const v1::MetricSpec& metric = metrics[i];
    const std::string field = absl::StrCat("metrics[", i, "]");
    violations.CheckText(field + ".output", metric.output());
    violations.CheckText(field + ".metric", metric.metric());
    if (violations.CheckCount(field + ".outputs", metric.outputs_size(),
                              kMaxList)) {
      for (const std::string& output : metric.outputs()) {
        violations.CheckText(field + ".outputs", output);
      }
    }
    violations.CheckNamed(field + ".options", metric.options());
    for (int k = 0; k < metric.t_weights_size(); ++k) {
      const double weight = metric.t_weights(k);
      if (!std::isfinite(weight) || weight < 0) {
        violations.Add(field + ".t_weights",
                       absl::StrCat("weight ", k, " is ", ShortestText(weight),
                                    "; weights are finite and not negative"));
        break;
      }
    }
  }
}

// A number of seconds or counts for which 0 means a default.
void CheckSeconds(const std::string& field, double seconds,
                  Violations& violations) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kMaxSeconds) {
    violations.Add(field, absl::StrCat("is ", ShortestText(seconds),
                                       "; give 0 to 1e9 seconds"));
  }
}

template <typename List>
void CheckParameters(const List& parameters, Violations& violations) {
  if (!violations.CheckCount("parameters", parameters.size(), kMaxList)) return;
  for (int i = 0; i < parameters.size(); ++i) {
    const v1::ParameterSpec& parameter = parameters[i];
    const std::string field = absl::StrCat("parameters[", i, "]");
    violations.CheckText(field + ".name", parameter.name());
    violations.CheckText(field + ".bounds", parameter.bounds());
    violations.CheckText(field + ".scale", parameter.scale());
    violations.CheckText(field + ".fixed", parameter.fixed());
    violations.CheckText(field + ".prior.name", parameter.prior().name());
    violations.CheckNamed(field + ".prior.options",
                          parameter.prior().options());
    if (!violations.CheckCount(field + ".start", parameter.start_size(),
                               kMaxList)) {
      continue;
    }
    for (const std::string& start : parameter.start()) {
      violations.CheckText(field + ".start", start);
    }
  }
}

// What FitSpec and ContinueFitRequest have in common.
template <typename Message>
void CheckCounts(const Message& message, Violations& violations) {
  if (message.n_samples() < 0) {
    violations.Add("n_samples", absl::StrCat("is ", message.n_samples(),
                                             "; give at least 1"));
  }
  violations.CheckText("penalty", message.penalty());
  constexpr int64_t kMostIteration = 1'000'000'000'000;
  if (message.start_iteration() < -kMostIteration ||
      message.start_iteration() > kMostIteration) {
    violations.Add(
        "start_iteration",
        absl::StrCat("is ", message.start_iteration(), "; give -1e12 to 1e12"));
  }
  violations.CheckText("optimizer.name", message.optimizer().name());
  violations.CheckNamed("optimizer.options", message.optimizer().options());
  const v1::StopSpec& stop = message.stop();
  if (stop.has_rounds() && stop.rounds() < 0) {
    violations.Add("stop.rounds",
                   absl::StrCat("is ", stop.rounds(), "; give 0 or more"));
  }
  if (stop.has_evaluations() && stop.evaluations() < 0) {
    violations.Add("stop.evaluations", absl::StrCat("is ", stop.evaluations(),
                                                    "; give at least 1"));
  }
  violations.CheckText("stop.target", stop.target());
  violations.CheckText("stop.time", stop.time());
  CheckSeconds("gate.timeout_seconds", message.gate().timeout_seconds(),
               violations);
  const std::string& then = message.gate().on_timeout();
  if (!then.empty() && then != "pause" && then != "continue") {
    violations.Add("gate.on_timeout",
                   absl::StrCat("is \"", then.substr(0, 100),
                                "\"; use \"pause\" or \"continue\""));
  }
}

void CheckExecution(const v1::FitSpec& message, Violations& violations) {
  CheckSeconds("execution.task_timeout_seconds",
               message.execution().task_timeout_seconds(), violations);
  const int attempts = message.execution().max_attempts();
  if (attempts < 0 || attempts > 1000) {
    violations.Add("execution.max_attempts",
                   absl::StrCat("is ", attempts, "; give 1 to 1000"));
  }
}

absl::Status Check(const v1::FitSpec& message) {
  Violations violations;
  violations.CheckName("name", message.name());
  violations.CheckName("label", message.label());
  CheckModel(message.model(), violations);
  if (message.has_data()) {
    violations.Add("data",
                   "names files, which the client resolves; upload the dataset "
                   "and give its name in \"dataset\"");
  }
  absl::string_view dataset = message.dataset();
  if (dataset.empty() && message.inference().has_simulator()) {
    // There are no recordings.
  } else if (dataset.empty()) {
    violations.Add("dataset",
                   "is missing; upload the recordings and give the name "
                   "\"datasets/<sha256>\" that the server returned");
  } else if (!absl::ConsumePrefix(&dataset, kDatasetPrefix) ||
             !IsSha256Hex(std::string(dataset))) {
    violations.Add("dataset",
                   absl::StrCat("\"", message.dataset().substr(0, 100),
                                "\" is not of the form datasets/<sha256> with "
                                "64 lower-case hexadecimal digits"));
  }
  violations.CheckText("dt", message.dt());
  CheckParameters(message.parameters(), violations);
  CheckMetrics(message.metrics(), violations);
  CheckCounts(message, violations);
  CheckExecution(message, violations);
  if (message.has_inference()) {
    CheckInference(message.inference(), violations);
  }
  return violations.ToStatus();
}

}  // namespace

ModelSource FromProto(const v1::Model& message) {
  ModelSource source{.equations = message.equations(),
                     .method = message.method(),
                     .constants = NamedFromProto(message.constants()),
                     .initial_values = NamedFromProto(message.initial_values()),
                     .threshold = message.threshold(),
                     .refractory = message.refractory(),
                     .method_options = NamedFromProto(message.method_options()),
                     .method_choice = message.method_choice()};
  if (message.has_reset()) source.reset = message.reset();
  for (const v1::PeriodicCode& periodic : message.periodic()) {
    source.periodic.push_back({.code = periodic.code(),
                               .when = periodic.when(),
                               .dt = periodic.dt()});
  }
  for (const v1::TimedArray& array : message.timed_arrays()) {
    source.timed_arrays.push_back(
        {.name = array.name(),
         .unit = array.unit(),
         .dt = array.dt(),
         .values = {array.values().begin(), array.values().end()},
         .columns = array.columns()});
  }
  return source;
}

v1::Model ToProto(const ModelSource& source) {
  v1::Model message;
  message.set_equations(source.equations);
  message.set_method(source.method);
  NamedToProto(source.constants, message.mutable_constants());
  NamedToProto(source.initial_values, message.mutable_initial_values());
  message.set_threshold(source.threshold);
  if (source.reset) message.set_reset(*source.reset);
  message.set_refractory(source.refractory);
  for (const PeriodicSpec& periodic : source.periodic) {
    v1::PeriodicCode* entry = message.add_periodic();
    entry->set_code(periodic.code);
    entry->set_when(periodic.when);
    entry->set_dt(periodic.dt);
  }
  for (const TimedArraySpec& array : source.timed_arrays) {
    v1::TimedArray* entry = message.add_timed_arrays();
    entry->set_name(array.name);
    entry->set_unit(array.unit);
    entry->set_dt(array.dt);
    entry->mutable_values()->Add(array.values.begin(), array.values.end());
    entry->set_columns(array.columns);
  }
  NamedToProto(source.method_options, message.mutable_method_options());
  message.set_method_choice(source.method_choice);
  return message;
}

MetricSpec FromProto(const v1::MetricSpec& message) {
  return {.output = message.output(),
          .metric = message.metric(),
          .options = NamedFromProto(message.options()),
          .t_weights = {message.t_weights().begin(), message.t_weights().end()},
          .outputs = {message.outputs().begin(), message.outputs().end()}};
}

v1::MetricSpec ToProto(const MetricSpec& metric) {
  v1::MetricSpec message;
  message.set_output(metric.output);
  message.set_metric(metric.metric);
  NamedToProto(metric.options, message.mutable_options());
  message.mutable_t_weights()->Add(metric.t_weights.begin(),
                                   metric.t_weights.end());
  message.mutable_outputs()->Add(metric.outputs.begin(), metric.outputs.end());
  return message;
}

ParameterSpec FromProto(const v1::ParameterSpec& message) {
  return {.name = message.name(),
          .bounds = message.bounds(),
          .scale = message.scale(),
          .start = {message.start().begin(), message.start().end()},
          .fixed = message.fixed(),
          .prior = {message.prior().name(),
                    NamedFromProto(message.prior().options())}};
}

v1::ParameterSpec ToProto(const ParameterSpec& parameter) {
  v1::ParameterSpec message;
  message.set_name(parameter.name);
  message.set_bounds(parameter.bounds);
  message.set_scale(parameter.scale);
  message.mutable_start()->Add(parameter.start.begin(), parameter.start.end());
  message.set_fixed(parameter.fixed);
  if (parameter.prior != PriorSpec()) {
    message.mutable_prior()->set_name(parameter.prior.name);
    NamedToProto(parameter.prior.options,
                 message.mutable_prior()->mutable_options());
  }
  return message;
}

namespace {

OptimizerSpec FromProto(const v1::OptimizerSpec& message) {
  return {message.name(), NamedFromProto(message.options())};
}

StopSpec FromProto(const v1::StopSpec& message) {
  StopSpec stop;
  if (message.has_rounds()) stop.rounds = message.rounds();
  if (message.has_evaluations()) stop.evaluations = message.evaluations();
  stop.target = message.target();
  stop.time = message.time();
  return stop;
}

GateSpec FromProto(const v1::GateSpec& message) {
  GateSpec gate;
  gate.enabled = message.enabled();
  if (message.timeout_seconds() != 0) {
    gate.timeout_s = message.timeout_seconds();
  }
  if (message.on_timeout() == "continue") gate.then = GateTimeout::kContinue;
  return gate;
}

}  // namespace

absl::StatusOr<FitSpec> ContinuedSpec(const FitSpec& fit,
                                      const v1::ContinueFitRequest& message) {
  Violations violations;
  CheckParameters(message.parameters(), violations);
  CheckMetrics(message.metrics(), violations);
  CheckCounts(message, violations);
  if (message.has_inference()) {
    CheckInference(message.inference(), violations);
    if (!fit.inference) {
      violations.Add("inference",
                     "cannot be given: this is a fit; submit an inference");
    }
  }
  if (absl::Status status = violations.ToStatus(); !status.ok()) return status;
  FitSpec spec = fit;
  if (message.has_inference()) {
    spec.inference = ContinuedSpec(*spec.inference, message.inference());
  }
  if (!message.parameters().empty()) {
    spec.parameters.clear();
    for (const v1::ParameterSpec& parameter : message.parameters()) {
      spec.parameters.push_back(FromProto(parameter));
    }
  }
  if (!message.metrics().empty()) {
    spec.metrics.clear();
    for (const v1::MetricSpec& metric : message.metrics()) {
      spec.metrics.push_back(FromProto(metric));
    }
  }
  if (message.has_optimizer()) spec.optimizer = FromProto(message.optimizer());
  if (message.n_samples() != 0) spec.n_samples = message.n_samples();
  spec.stop = FromProto(message.stop());
  if (message.has_penalty()) spec.penalty = message.penalty();
  if (message.has_gate()) spec.gate = FromProto(message.gate());
  return spec;
}

absl::StatusOr<FitSpec> FromProto(const v1::FitSpec& message) {
  if (absl::Status status = Check(message); !status.ok()) return status;
  FitSpec spec;
  spec.name = message.name();
  spec.label = message.label();
  spec.model = FromProto(message.model());
  spec.dataset =
      std::string(absl::StripPrefix(message.dataset(), kDatasetPrefix));
  spec.dt = message.dt();
  for (const v1::ParameterSpec& parameter : message.parameters()) {
    spec.parameters.push_back(FromProto(parameter));
  }
  for (const v1::MetricSpec& metric : message.metrics()) {
    spec.metrics.push_back(FromProto(metric));
  }
  spec.optimizer = FromProto(message.optimizer());
  if (message.n_samples() != 0) spec.n_samples = message.n_samples();
  spec.stop = FromProto(message.stop());
  spec.seed = message.seed();
  spec.gate = FromProto(message.gate());
  spec.penalty = message.penalty();
  spec.start_iteration = message.start_iteration();
  if (message.execution().task_timeout_seconds() != 0) {
    spec.execution.task_timeout_s = message.execution().task_timeout_seconds();
  }
  if (message.execution().max_attempts() != 0) {
    spec.execution.max_attempts = message.execution().max_attempts();
  }
  spec.execution.abandon = message.execution().abandon();
  if (message.has_inference()) spec.inference = FromProto(message.inference());
  return spec;
}

v1::FitSpec ToProto(const FitSpec& spec) {
  v1::FitSpec message;
  message.set_name(spec.name);
  message.set_label(spec.label);
  *message.mutable_model() = ToProto(spec.model);
  if (!spec.dataset.empty()) {
    message.set_dataset(absl::StrCat(kDatasetPrefix, spec.dataset));
  }
  message.set_dt(spec.dt);
  for (const ParameterSpec& parameter : spec.parameters) {
    *message.add_parameters() = ToProto(parameter);
  }
  for (const MetricSpec& metric : spec.metrics) {
    *message.add_metrics() = ToProto(metric);
  }
  message.mutable_optimizer()->set_name(spec.optimizer.name);
  NamedToProto(spec.optimizer.options,
               message.mutable_optimizer()->mutable_options());
  message.set_n_samples(spec.n_samples);
  v1::StopSpec* stop = message.mutable_stop();
  if (spec.stop.rounds) stop->set_rounds(*spec.stop.rounds);
  if (spec.stop.evaluations) stop->set_evaluations(*spec.stop.evaluations);
  stop->set_target(spec.stop.target);
  stop->set_time(spec.stop.time);
  message.set_seed(spec.seed);
  v1::GateSpec* gate = message.mutable_gate();
  gate->set_enabled(spec.gate.enabled);
  gate->set_timeout_seconds(spec.gate.timeout_s);
  gate->set_on_timeout(spec.gate.then == GateTimeout::kContinue ? "continue"
                                                                : "pause");
  message.mutable_execution()->set_task_timeout_seconds(
      spec.execution.task_timeout_s);
  message.mutable_execution()->set_max_attempts(spec.execution.max_attempts);
  message.mutable_execution()->set_abandon(spec.execution.abandon);
  message.set_penalty(spec.penalty);
  message.set_start_iteration(spec.start_iteration);
  if (spec.inference) *message.mutable_inference() = ToProto(*spec.inference);
  return message;
}

}  // namespace somafit
