#include "server/study/inference_plan.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/posterior/calibration_kernel.h"
#include "server/posterior/estimator_spec.h"
#include "server/posterior/marginal.h"
#include "server/posterior/round_rules.h"
#include "server/study/plan.h"
#include "worker/core/base/number.h"
#include "worker/core/lang/parameters.h"
#include "worker/core/objective/option.h"

namespace somafit {
namespace {

constexpr const char* kAlgorithms[] = {"tsnpe", "npe_a", "npe_b", "npe_c"};
// Where an unbounded prior is shown to lie.
constexpr double kShownDeviations = 5;

// The marginal of a parameter, from its prior or its bounds; nullopt after a
// mistake.
std::optional<MarginalSpec> MarginalOf(const ParameterSpec& spec,
                                       const ModelVariable& variable,
                                       const std::optional<Parameter>& bounds,
                                       Diagnostics& diagnostics) {
  MarginalSpec marginal;
  marginal.parameter = variable.name;
  marginal.kind = spec.prior.name;
  if (marginal.kind.empty()) {
    marginal.kind = bounds && bounds->log ? "log_uniform" : "uniform";
  }
  const std::string field =
      absl::StrCat("parameters.", variable.name.substr(0, 80), ".prior");
  const MarginalEntry* const entry = FindMarginal(marginal.kind);
  if (entry == nullptr) {
    std::vector<std::string> names;
    for (const MarginalEntry* known : AllMarginals()) {
      names.emplace_back(known->name);
    }
    diagnostics.FieldError(
        "E_PRIOR", field + ".name",
        absl::StrCat("there is no prior \"",
                     absl::CHexEscape(marginal.kind.substr(0, 80)), "\""),
        absl::StrCat("known are: ", absl::StrJoin(names, ", ")));
    return std::nullopt;
  }
  std::vector<NamedText> given = spec.prior.options;
  if (bounds) {
    for (const auto& [name, value] : {std::pair("lower", bounds->lower),
                                      std::pair("upper", bounds->upper)}) {
      const bool twice =
          std::any_of(given.begin(), given.end(),
                      [&](const NamedText& each) { return each.name == name; });
      if (twice) {
        diagnostics.FieldError(
            "E_PRIOR", absl::StrCat(field, ".", name),
            absl::StrCat("\"", name, "\" is given beside bounds"),
            "give one of them");
        return std::nullopt;
      }
    }
  }
  Diagnostics found;
  std::vector<OptionSpec> options = entry->options;
  if (bounds) {
    std::erase_if(options, [](const OptionSpec& option) {
      return option.name == "lower" || option.name == "upper";
    });
  }
  marginal.options =
      ReadOptions(given, options, field, variable.dimension, found);
  const bool ok = !found.HasErrors();
  diagnostics.Append(found);
  if (!ok) return std::nullopt;
  if (bounds) {
    marginal.options["lower"] = bounds->lower;
    marginal.options["upper"] = bounds->upper;
  }
  std::vector<std::string> problems;
  if (entry->make(marginal.options, problems) == nullptr || !problems.empty()) {
    diagnostics.FieldError("E_PRIOR", field, absl::StrJoin(problems, "; "));
    return std::nullopt;
  }
  return marginal;
}

void Refuse(bool given, const char* field, const char* why,
            Diagnostics& diagnostics) {
  if (!given) return;
  diagnostics.FieldError("E_INFERENCE", field,
                         absl::StrCat("an inference has no ", field), why);
}

void CheckRange(const std::string& name, double value, double least,
                double most, Diagnostics& diagnostics) {
  if (value == 0 || (value >= least && value <= most)) return;
  diagnostics.FieldError(
      "E_RANGE", "inference." + name,
      absl::StrCat(name, " is ", ShortestText(value), "; it must be ",
                   ShortestText(least), " to ", ShortestText(most)));
}

}  // namespace

ParameterPlan CheckPriors(const FitSpec& spec, const Model& model,
                          InferencePlan& plan, Diagnostics& diagnostics) {
  Diagnostics found;
  // Bounds, as for fits; a parameter with a prior may have none.
  std::vector<ParameterSpec> bounded, unbounded;
  for (const ParameterSpec& each : spec.parameters) {
    const bool has_prior = !each.prior.name.empty();
    if (has_prior && !each.fixed.empty()) {
      found.FieldError("E_PRIOR",
                       absl::StrCat("parameters.", each.name, ".prior"),
                       absl::StrCat("parameter \"", each.name,
                                    "\" is fixed and has a prior"),
                       "give one of them");
      continue;
    }
    if (!each.start.empty()) {
      found.FieldError("E_PRIOR",
                       absl::StrCat("parameters.", each.name, ".start"),
                       "an inference draws from its prior, not from starts",
                       "leave start out");
    }
    const bool alone = has_prior && each.bounds.empty();
    (alone ? unbounded : bounded).push_back(each);
    (alone ? unbounded : bounded).back().start.clear();
  }
  const ReadParameters read(bounded, model, found);
  ParameterPlan result;
  if (model.parameters.size() > kMaxParameters) {
    diagnostics.FieldError(
        "E_LIMIT", "parameters",
        absl::StrCat("the model has ", model.parameters.size(),
                     " parameters; at most ", kMaxParameters,
                     " can be inferred"));
    return result;
  }
  std::vector<Parameter> parameters;
  std::vector<std::string> names;
  for (size_t i = 0; i < model.parameters.size(); ++i) {
    const ModelVariable& variable = model.parameters[i];
    names.push_back(variable.name);
    const auto named = [&](const ParameterSpec& each) {
      return each.name == variable.name;
    };
    const auto alone = std::find_if(unbounded.begin(), unbounded.end(), named);
    const auto with = std::find_if(bounded.begin(), bounded.end(), named);
    if (alone == unbounded.end() && with == bounded.end()) {
      const std::string unit = UnitExpression(variable.dimension);
      found.FieldError(
          "E_PRIOR", absl::StrCat("parameters.", variable.name),
          absl::StrCat("parameter \"", variable.name, "\" has no prior"),
          absl::StrCat("give bounds, \"[0*", unit, ", 1*", unit,
                       "]\", a prior, or what it is fixed to"));
      continue;
    }
    if (with != bounded.end() && !read.parameters[i]) continue;
    if (with != bounded.end() && read.parameters[i]->fixed()) {
      parameters.push_back(*read.parameters[i]);
      continue;
    }
    std::optional<Parameter> bounds;
    if (with != bounded.end()) bounds = read.parameters[i];
    std::optional<MarginalSpec> marginal = MarginalOf(
        with != bounded.end() ? *with : *alone, variable, bounds, found);
    if (!marginal) continue;
    Parameter parameter =
        bounds.value_or(Parameter{variable.name, variable.dimension, 0, 0});
    if (!bounds) {
      std::vector<std::string> problems;
      const auto made =
          FindMarginal(marginal->kind)->make(marginal->options, problems);
      const double reach = kShownDeviations * made->standard_deviation();
      parameter.lower = std::max(made->mean() - reach, made->support().lower);
      parameter.upper = std::min(made->mean() + reach, made->support().upper);
    }
    parameter.log = false;
    plan.free.push_back(parameters.size());
    parameters.push_back(std::move(parameter));
    plan.marginals.push_back(*std::move(marginal));
  }
  std::set<std::string> seen;
  for (const ParameterSpec& each : unbounded) {
    if (std::find(names.begin(), names.end(), each.name) == names.end()) {
      found.FieldError(
          "E_PRIOR", absl::StrCat("parameters.", each.name.substr(0, 80)),
          absl::StrCat("the model has no parameter \"",
                       absl::CHexEscape(each.name.substr(0, 80)), "\""),
          absl::StrCat("its parameters are: ", absl::StrJoin(names, ", ")));
    } else if (!seen.insert(each.name).second ||
               std::any_of(bounded.begin(), bounded.end(),
                           [&](const ParameterSpec& other) {
                             return other.name == each.name;
                           })) {
      found.FieldError(
          "E_PRIOR", absl::StrCat("parameters.", each.name.substr(0, 80)),
          absl::StrCat("parameter \"", each.name, "\" is given twice"),
          "keep one of the two");
    }
  }
  if (!found.HasErrors() && plan.marginals.empty()) {
    found.FieldError("E_PRIOR", "parameters",
                     "no parameter is free; nothing is left to infer",
                     "give one of them bounds or a prior");
  }
  for (const MarginalSpec& marginal : plan.marginals) {
    if (marginal.kind == "improper" && !HasOwnSimulator(spec)) {
      found.FieldError(
          "E_PRIOR", absl::StrCat("parameters.", marginal.parameter, ".prior"),
          "an improper prior proposes nothing to simulate",
          "give bounds or another prior; only simulations of your own can do "
          "without");
    }
  }
  for (const MarginalSpec& marginal : plan.marginals) {
    if (plan.algorithm != "npe_a" || marginal.kind == "uniform" ||
        marginal.kind == "normal") {
      continue;
    }
    found.FieldError(
        "E_PRIOR", absl::StrCat("parameters.", marginal.parameter, ".prior"),
        absl::StrCat("npe_a needs priors that are uniform or normal, and \"",
                     marginal.kind, "\" is neither"),
        "choose another prior or another algorithm");
  }
  if (!found.HasErrors()) {
    absl::StatusOr<std::unique_ptr<const Prior>> prior =
        MakePrior(plan.marginals);
    if (prior.ok()) {
      plan.prior = *std::move(prior);
    } else {
      found.FieldError("E_PRIOR", "parameters",
                       std::string(prior.status().message()));
    }
  }
  diagnostics.Append(found);
  result.space = ParameterSpace(std::move(parameters));
  return result;
}

void CheckInference(FitSpec& spec, InferencePlan& plan,
                    Diagnostics& diagnostics) {
  InferenceSpec& inference = *spec.inference;
  Refuse(!spec.metrics.empty(), "metrics", "say what is observed by features",
         diagnostics);
  Refuse(!spec.optimizer.name.empty() || !spec.optimizer.options.empty(),
         "optimizer", "leave it out", diagnostics);
  Refuse(!spec.penalty.empty(), "penalty", "leave it out", diagnostics);
  Refuse(spec.gate.enabled, "gate", "leave it out", diagnostics);
  Refuse(spec.execution.abandon, "execution.abandon", "leave it out",
         diagnostics);
  if (spec.stop.evaluations || !spec.stop.target.empty() ||
      !spec.stop.time.empty()) {
    diagnostics.FieldError("E_INFERENCE", "stop",
                           "an inference stops after its rounds",
                           "give stop.rounds alone");
  }
  // Rounds of a simulator of the user's own end when the user says so.
  if (!spec.stop.rounds && !inference.simulator) spec.stop.rounds = 1;
  plan.n_rounds = spec.stop.rounds.value_or(kMaxInferenceRounds);
  if (plan.n_rounds < 1 || plan.n_rounds > kMaxInferenceRounds) {
    diagnostics.FieldError(
        "E_RANGE", "stop.rounds",
        absl::StrCat("stop.rounds is ", plan.n_rounds,
                     "; an inference has 1 to ", kMaxInferenceRounds));
  }
  if (inference.algorithm.empty()) inference.algorithm = kAlgorithms[0];
  plan.algorithm = inference.algorithm;
  if (std::find(std::begin(kAlgorithms), std::end(kAlgorithms),
                inference.algorithm) == std::end(kAlgorithms)) {
    diagnostics.FieldError(
        "E_INFERENCE", "inference.algorithm",
        absl::StrCat("there is no algorithm \"",
                     absl::CHexEscape(inference.algorithm.substr(0, 80)), "\""),
        absl::StrCat("known are: ", absl::StrJoin(kAlgorithms, ", ")));
  }
  DensityEstimatorSpec& estimator = inference.estimator;
  if (estimator.name.empty()) estimator.name = "maf";
  if (plan.algorithm == "npe_a" && estimator.name != "mdn") {
    diagnostics.FieldError("E_INFERENCE", "inference.estimator.name",
                           absl::StrCat("npe_a corrects mixtures only, and \"",
                                        estimator.name, "\" is none"),
                           "use the estimator \"mdn\", or another algorithm");
  }
  if (estimator.name != "auto") {
    Diagnostics found;
    ReadEstimatorSpec(estimator.name, estimator.options, found);
    for (Diagnostic mistake : found.all()) {
      mistake.field = "inference." + mistake.field;
      diagnostics.Keep(std::move(mistake));
    }
  } else if (!estimator.options.empty()) {
    diagnostics.FieldError("E_INFERENCE", "inference.estimator.options",
                           "\"auto\" trains several nets, each as it is",
                           "leave options out, or name the net");
  }
  CheckRange("estimator.ensemble", estimator.ensemble, 1, 16, diagnostics);
  const TrainingSpec& training = inference.training;
  const auto whole = [](int64_t n) { return static_cast<double>(n); };
  CheckRange("training.training_batch_size",
             whole(training.training_batch_size), 1, 1e9, diagnostics);
  CheckRange("training.learning_rate", training.learning_rate, 1e-12, 1e3,
             diagnostics);
  CheckRange("training.validation_fraction", training.validation_fraction, 1e-6,
             0.999999, diagnostics);
  CheckRange("training.stop_after_epochs", whole(training.stop_after_epochs), 1,
             2147483647, diagnostics);
  CheckRange("training.max_num_epochs", whole(training.max_num_epochs), 1,
             2147483647, diagnostics);
  CheckRange("training.clip_max_norm", training.clip_max_norm.value_or(5),
             1e-12, 1e12, diagnostics);
  CheckRange("training.num_atoms", whole(training.num_atoms), 2, 10'000,
             diagnostics);
  CheckRange("training.largest_weight", training.largest_weight, 1.000001, 1e12,
             diagnostics);
  CheckRange("training.truncation", training.truncation, 1e-6, 0.499,
             diagnostics);
  if (const absl::Status kernel =
          MakeCalibrationKernel(training.calibration_kernel,
                                training.calibration_bandwidth)
              .status();
      !kernel.ok()) {
    diagnostics.FieldError("E_INFERENCE",
                           "inference.training.calibration_kernel",
                           std::string(kernel.message()));
  }
  const double validation =
      training.validation_fraction == 0 ? 0.1 : training.validation_fraction;
  if (spec.n_samples < kLeastSimulations) {
    diagnostics.FieldError(
        "E_RANGE", "n_samples",
        absl::StrCat("n_samples is ", spec.n_samples, "; an inference has ",
                     kLeastSimulations, " at least"));
  } else if (const absl::Status size =
                 CheckTrainingSize(spec.n_samples, validation);
             !size.ok()) {
    diagnostics.FieldError("E_RANGE", "n_samples", std::string(size.message()));
  }
  const std::string& device = training.device;
  const bool numbered =
      device.size() > 5 && device.size() < 9 && device.starts_with("cuda:") &&
      device.find_first_not_of("0123456789", 5) == std::string::npos;
  if (!device.empty() && device != "cpu" && device != "gpu" &&
      device != "cuda" && !numbered) {
    diagnostics.FieldError(
        "E_INFERENCE", "inference.training.device",
        absl::StrCat("there is no device \"",
                     absl::CHexEscape(device.substr(0, 80)), "\""),
        "give cpu, gpu, cuda or cuda:0, cuda:1 and so on");
  }
  if (plan.algorithm == "npe_a" &&
      (estimator.ensemble > 1 || training.retrain_from_scratch)) {
    diagnostics.FieldError(
        "E_INFERENCE", "inference.algorithm",
        "npe_a trains one net, each round from the one before",
        "leave out ensemble and retrain_from_scratch");
  }
  if (!training.invalid.empty() && training.invalid != "exclude" &&
      training.invalid != "keep") {
    diagnostics.FieldError(
        "E_INFERENCE", "inference.training.invalid",
        absl::StrCat("invalid is \"",
                     absl::CHexEscape(training.invalid.substr(0, 80)), "\""),
        "give \"exclude\" or \"keep\", or leave it out");
  }
}

std::vector<std::vector<double>> DrawFromPrior(const InferencePlan& plan,
                                               const ParameterSpace& space,
                                               uint64_t seed, int32_t stage,
                                               int64_t count) {
  return PointsOfFree(plan, space,
                      ProposeFromPrior(plan, seed, stage, 0, count));
}

std::vector<double> ProposeFromPrior(const InferencePlan& plan, uint64_t seed,
                                     int32_t stage, int64_t first,
                                     int64_t count) {
  std::vector<double> theta(static_cast<size_t>(count) * plan.free.size());
  SamplePrior(*plan.prior,
              {.seed = seed, .purpose = static_cast<uint32_t>(stage)}, first,
              theta);
  return theta;
}

std::vector<std::vector<double>> PointsOfFree(const InferencePlan& plan,
                                              const ParameterSpace& space,
                                              std::span<const double> theta) {
  const size_t n_free = plan.free.size();
  std::vector<double> point;
  for (const Parameter& parameter : space.parameters()) {
    point.push_back(parameter.lower);
  }
  std::vector<std::vector<double>> points;
  for (size_t row = 0; row < theta.size() / n_free; ++row) {
    points.push_back(point);
    for (size_t i = 0; i < n_free; ++i) {
      // SQLite stores -0.0 as 0.0: no number may depend on the sign of zero.
      points.back()[plan.free[i]] = theta[row * n_free + i] + 0.0;
    }
  }
  return points;
}

}  // namespace somafit
