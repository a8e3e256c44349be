#include "server/inference/training.h"

#include <chrono>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/inference/device.h"
#include "server/inference/encoding.h"
#include "server/inference/estimator_parts.h"
#include "server/inference/estimator_streams.h"
#include "server/inference/loss.h"
#include "server/inference/training_rows.h"
#include "server/inference/training_state.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kMaxHalvings = 5;
// Rows of one evaluation; bounds its memory.
constexpr int64_t kValidationBatch = 1024;

at::Tensor ToIndex(const std::vector<int64_t>& numbers,
                   const at::Device& device) {
  return at::tensor(numbers, at::kLong).to(device);
}

// One training from start to end.
class Trainer {
 public:
  Trainer(const TrainingOptions& options, std::shared_ptr<Model> model,
          LossFunction loss, TrainingRows rows, Split split,
          TrainingState state, uint64_t identity)
      : options_(options),
        model_(std::move(model)),
        loss_(std::move(loss)),
        rows_(std::move(rows)),
        split_(std::move(split)),
        state_(std::move(state)),
        identity_(identity),
        weights_(model_->layout, state_.optimization.weights,
                 state_.optimization.gradient),
        validation_(ToIndex(split_.validation, model_->device)),
        existing_(model_->layout.Existing()) {
    if (state_.optimization.average.defined()) {
      average_ = Weights(model_->layout, state_.optimization.average);
    }
    if (existing_.defined()) existing_ = existing_.to(model_->device);
  }

  // What is added to the mean loss of either part to make it one of theta.
  void SetOffsets(double training, double validation) {
    training_offset_ = training;
    validation_offset_ = validation;
  }

  absl::Status Run(const EpochCallback& report) {
    TrainingSummary& summary = state_.summary;
    summary.cancelled = false;
    while (summary.epochs < options_.max_num_epochs &&
           state_.fruitless < options_.stop_after_epochs &&
           !summary.cancelled) {
      SOMAFIT_RETURN_IF_ERROR(Epoch());
      if (report != nullptr && !report(Report())) summary.cancelled = true;
    }
    summary.converged = state_.fruitless >= options_.stop_after_epochs;
    return absl::OkStatus();
  }

  TrainingResult Result() {
    return {MakeTrainedEstimator(model_, state_.best.clone()), state_.summary};
  }

 private:
  absl::Status Epoch() {
    const auto start = std::chrono::steady_clock::now();
    TrainingSummary& summary = state_.summary;
    SOMAFIT_ASSIGN_OR_RETURN(double training, TrainEpoch());
    SOMAFIT_ASSIGN_OR_RETURN(double validation, Validate(weights_));
    double average = kNaN;
    if (options_.average_weights) {
      SOMAFIT_ASSIGN_OR_RETURN(average, Validate(average_));
    }
    ++summary.epochs;
    if (std::isfinite(training) && std::isfinite(validation)) {
      Keep(validation, average);
    } else {
      SOMAFIT_RETURN_IF_ERROR(StepBack());
    }
    summary.training_loss.push_back(training);
    summary.validation_loss.push_back(validation);
    summary.average_loss.push_back(average);
    summary.seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count());
    return absl::OkStatus();
  }

  // Everything random is keyed by the epoch, so that a resumed training needs
  // no state of a generator.
  RandomStream Random(StreamPurpose purpose, uint32_t stage) const {
    return {options_.seed, purpose, stage,
            static_cast<uint32_t>(state_.summary.epochs)};
  }

  // The mean loss over the batches; an incomplete last one is left out.
  absl::StatusOr<double> TrainEpoch() {
    std::vector<int64_t> order = split_.training;
    RandomStream shuffling = Random(kEstimatorRows, /*stage=*/1);
    Shuffle(order, shuffling);
    const at::Tensor index = ToIndex(order, model_->device);
    RandomStream atoms = Random(kEstimatorAtoms, /*stage=*/1);
    const int64_t n = index.size(0);
    const int64_t batch = std::min(options_.training_batch_size, n);
    const int64_t n_batches = n / batch;
    Optimization& optimization = state_.optimization;
    at::Tensor total = at::zeros({}, rows_.v.options().dtype(at::kDouble));
    for (int64_t b = 0; b < n_batches; ++b) {
      const at::Tensor own = index.narrow(0, b * batch, batch);
      optimization.gradient.zero_();
      SOMAFIT_ASSIGN_OR_RETURN(
          const at::Tensor losses,
          loss_.Rows(weights_, rows_, own, 0, batch, atoms));
      const at::Tensor mean = losses.mean();
      mean.backward();
      const at::NoGradGuard no_gradient;
      total.add_(mean.detach());
      optimization.Step(existing_, options_.clip_max_norm);
      if (average_.flat().defined()) {
        optimization.Average(options_.average_epochs *
                             static_cast<double>(n_batches));
      }
    }
    return total.item<double>() / static_cast<double>(n_batches) +
           training_offset_;
  }

  // The mean loss of all rows for validation, with the same atoms each time.
  absl::StatusOr<double> Validate(const Weights& weights) const {
    const at::NoGradGuard no_gradient;
    RandomStream atoms(options_.seed, kEstimatorAtoms,
                       /*stage=*/0, 0);
    at::Tensor total = at::zeros({}, rows_.v.options().dtype(at::kDouble));
    const int64_t n = validation_.size(0);
    for (int64_t begin = 0; begin < n; begin += kValidationBatch) {
      SOMAFIT_ASSIGN_OR_RETURN(
          const at::Tensor losses,
          loss_.Rows(weights, rows_, validation_, begin,
                     std::min(kValidationBatch, n - begin), atoms));
      total.add_(losses.to(at::kDouble).sum());
    }
    return total.item<double>() / static_cast<double>(n) + validation_offset_;
  }

  // Either set of weights that is still getting better keeps training going;
  // the average lags, and would else be cut off.
  void Keep(double validation, double average) {
    ++state_.fruitless;
    if (validation < state_.best_raw) {
      state_.best_raw = validation;
      state_.fruitless = 0;
    }
    if (average < state_.best_average) {
      state_.best_average = average;
      state_.fruitless = 0;
    }
    const bool average_is_better = average < validation;
    const double loss = average_is_better ? average : validation;
    if (!(loss < state_.summary.best_validation_loss)) return;
    state_.summary.best_validation_loss = loss;
    state_.summary.average_kept = average_is_better;
    state_.best.copy_(average_is_better ? state_.optimization.average
                                        : state_.optimization.weights);
  }

  absl::Status StepBack() {
    if (++state_.summary.rate_halvings > kMaxHalvings) {
      return absl::InternalError(absl::StrCat(
          "the loss is not finite, in epoch ", state_.summary.epochs,
          " again after ", kMaxHalvings, " halvings of the learning rate, now ",
          ShortestText(state_.optimization.rate),
          ": look for outliers in the data"));
    }
    ++state_.fruitless;
    state_.optimization.rate /= 2;
    state_.optimization.RestartFrom(state_.best);
    return absl::OkStatus();
  }

  EpochReport Report() const {
    const TrainingSummary& summary = state_.summary;
    EpochReport report;
    report.epoch = summary.epochs;
    report.training_loss = summary.training_loss.back();
    report.validation_loss = summary.validation_loss.back();
    report.average_loss = summary.average_loss.back();
    report.best_loss = summary.best_validation_loss;
    report.seconds = summary.seconds.back();
    report.checkpoint = [this] {
      return EncodeState(*model_, state_, identity_);
    };
    return report;
  }

  const TrainingOptions options_;
  const std::shared_ptr<Model> model_;
  const LossFunction loss_;
  const TrainingRows rows_;
  const Split split_;
  TrainingState state_;
  const uint64_t identity_;
  const Weights weights_;
  Weights average_;
  const at::Tensor validation_;  // numbers of rows
  at::Tensor existing_;
  double training_offset_ = 0, validation_offset_ = 0;
};

template <typename T>
void AddSum(std::span<const T> values, uint64_t& sum) {
  sum = ByteSum(
      {reinterpret_cast<const char*>(values.data()), values.size_bytes()}, sum);
}

// A sum over all that must be the same in a training that is resumed.
uint64_t Identity(const EstimatorSpec& spec, const TrainingOptions& options,
                  const TrainingData& data, const TrainingLoss& loss) {
  ByteWriter writer;
  WriteSpec(writer, spec);
  writer.U64(static_cast<uint64_t>(options.training_batch_size));
  writer.F64(options.learning_rate);
  writer.F64(options.validation_fraction);
  writer.F64(options.clip_max_norm.value_or(0));
  writer.U32(options.discard_prior_samples ? 1 : 0);
  writer.U32(options.average_weights ? 1 : 0);
  writer.F64(options.average_epochs);
  writer.U64(options.seed);
  writer.U32(static_cast<uint32_t>(loss.kind));
  writer.U64(static_cast<uint64_t>(loss.num_atoms));
  writer.U32(loss.use_combined_loss ? 1 : 0);
  writer.F64s(loss.proposal.log_weights);
  const auto add = [&writer](const auto& matrix) {
    writer.F64s({matrix.data(), static_cast<size_t>(matrix.size())});
  };
  for (const auto& mean : loss.proposal.means) add(mean);
  for (const auto& precision : loss.proposal.precisions) add(precision);
  add(loss.prior_mean);
  add(loss.prior_precision);
  uint64_t sum = ByteSum(writer.bytes());
  for (const auto column :
       {data.theta, data.x.doubles(), data.weights, data.log_prior}) {
    AddSum(column, sum);
  }
  AddSum(data.x.floats(), sum);
  AddSum(data.rounds, sum);
  return sum;
}

absl::Status CheckSplit(const Split& split, const TrainingLoss& loss,
                        std::span<const double> weights) {
  const size_t least = loss.kind == TrainingLoss::Kind::kAtomic ? 2 : 1;
  if (split.training.size() >= 2 && split.validation.size() >= least) {
    if (weights.empty()) return absl::OkStatus();
    for (const auto& [rows, what] :
         {std::pair(&split.training, "be trained on"),
          std::pair(&split.validation, "validate")}) {
      if (std::any_of(rows->begin(), rows->end(),
                      [&](int64_t row) { return weights[row] > 0; })) {
        continue;
      }
      return absl::FailedPreconditionError(absl::StrCat(
          "none of the ", rows->size(), " rows that would ", what,
          " has a weight above 0: simulate more, validate with more of them, "
          "or weigh them less sharply"));
    }
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "there are too few rows: ", split.training.size(),
      " would be trained on, and ", split.validation.size(), " validate"));
}

absl::Status CopyScales(const TrainedEstimator& from, Model& to) {
  ByteWriter one, other;
  WriteSpec(one, from.spec());
  WriteSpec(other, to.spec);
  if (one.bytes() != other.bytes()) {
    return absl::InvalidArgumentError(
        "the estimator to start from is declared otherwise than the one to be "
        "trained");
  }
  to.theta_map = from.parts().model->theta_map;
  to.data_map = from.parts().model->data_map;
  return absl::OkStatus();
}

// How much the mean loss of `rows` rises from densities of v to those of theta.
double MeanOffset(const std::vector<int64_t>& rows, const TrainingData& data,
                  const TrainingLoss& loss,
                  const std::vector<double>& log_determinants) {
  double sum = 0;
  for (const int64_t row : rows) {
    const auto i = static_cast<size_t>(row);
    const bool counts = loss.kind != TrainingLoss::Kind::kAtomic ||
                        (loss.use_combined_loss &&
                         (data.rounds.empty() || data.rounds[i] == 0));
    if (!counts) continue;
    sum -= log_determinants[i] * (data.weights.empty() ? 1 : data.weights[i]);
  }
  return sum / static_cast<double>(rows.size());
}

absl::StatusOr<TrainingResult> RunTraining(
    const EstimatorSpec& spec, const TrainingOptions& options,
    const TrainingData& data, TrainingLoss loss, const TrainingStart& start,
    const at::Device& device, const EpochCallback& report) {
  if (options.force_first_round_loss) {
    loss.kind = TrainingLoss::Kind::kMaximumLikelihood;
  }
  SOMAFIT_ASSIGN_OR_RETURN(std::shared_ptr<Model> model,
                           MakeModel(spec, device));
  SOMAFIT_RETURN_IF_ERROR(CheckTrainingData(*model, data, loss));
  Split split = SplitRows(SelectRows(options, data, loss, spec.n_parameters()),
                          options.validation_fraction, options.seed);
  SOMAFIT_RETURN_IF_ERROR(CheckSplit(split, loss, data.weights));

  const uint64_t identity = Identity(spec, options, data, loss);
  TrainingState state;
  if (options.resume_training) {
    SOMAFIT_ASSIGN_OR_RETURN(
        state, DecodeState(start.checkpoint, identity, options.average_weights,
                           *model));
  } else {
    at::Tensor weights;
    if (start.estimator != nullptr && !options.retrain_from_scratch) {
      SOMAFIT_RETURN_IF_ERROR(CopyScales(*start.estimator, *model));
      weights = start.estimator->parts().weights.flat().to(device);
    } else {
      SOMAFIT_ASSIGN_OR_RETURN(model->theta_map,
                               ThetaMap::Fit(spec, data.theta, split.training));
      const auto n_trials = static_cast<size_t>(
          model->embedding ? model->embedding->n_trials() : 0);
      model->data_map =
          DataMap::Fit(spec.z_score_x, data.x, spec.n_features(),
                       n_trials > 0 ? spec.n_features() / n_trials : 0,
                       split.training, data.column_ends);
      weights = model->InitialWeights(options.seed);
    }
    state.optimization = Optimization::From(weights, options.learning_rate,
                                            options.average_weights);
    state.best = state.optimization.weights.clone();
    state.summary.best_validation_loss = kInfinity;
  }

  std::vector<double> log_determinants;
  SOMAFIT_ASSIGN_OR_RETURN(TrainingRows rows,
                           ScaleRows(*model, data, loss, log_determinants));
  SOMAFIT_ASSIGN_OR_RETURN(LossFunction function,
                           LossFunction::Make(*model, loss));
  const double training_offset =
      MeanOffset(split.training, data, loss, log_determinants);
  const double validation_offset =
      MeanOffset(split.validation, data, loss, log_determinants);
  Trainer trainer(options, std::move(model), std::move(function),
                  std::move(rows), std::move(split), std::move(state),
                  identity);
  trainer.SetOffsets(training_offset, validation_offset);
  SOMAFIT_RETURN_IF_ERROR(trainer.Run(report));
  return trainer.Result();
}

}  // namespace

absl::Status CheckTrainingOptions(const TrainingOptions& options) {
  std::vector<std::string> mistakes;
  const auto require = [&mistakes](bool holds, const char* name, double value,
                                   const char* range) {
    if (holds) return;
    mistakes.push_back(
        absl::StrCat(name, " = ", ShortestText(value), " is not ", range));
  };
  const auto require_count = [&](const char* name, int64_t value) {
    require(value >= 1, name, static_cast<double>(value), "1 or more");
  };
  require_count("training_batch_size", options.training_batch_size);
  require_count("stop_after_epochs", options.stop_after_epochs);
  require_count("max_num_epochs", options.max_num_epochs);
  require(options.max_num_epochs <= std::numeric_limits<int32_t>::max(),
          "max_num_epochs", static_cast<double>(options.max_num_epochs),
          "below 2^31");
  require_count("n_threads", options.n_threads);
  require(options.learning_rate > 0 && std::isfinite(options.learning_rate),
          "learning_rate", options.learning_rate, "above 0 and finite");
  require(options.validation_fraction > 0 && options.validation_fraction < 1,
          "validation_fraction", options.validation_fraction,
          "between 0 and 1");
  require(options.average_epochs > 0 && std::isfinite(options.average_epochs),
          "average_epochs", options.average_epochs, "above 0 and finite");
  if (options.clip_max_norm.has_value()) {
    require(*options.clip_max_norm > 0, "clip_max_norm", *options.clip_max_norm,
            "above 0");
  }
  if (options.resume_training && options.retrain_from_scratch) {
    mistakes.push_back(absl::StrCat("resume_training and ",
                                    "retrain_from_scratch exclude each other"));
  }
  if (mistakes.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("training: ", absl::StrJoin(mistakes, "; ")));
}

absl::StatusOr<TrainingResult> Train(const EstimatorSpec& spec,
                                     const TrainingOptions& options,
                                     const TrainingData& data,
                                     const TrainingLoss& loss,
                                     const TrainingStart& start,
                                     const EpochCallback& report) {
  SOMAFIT_RETURN_IF_ERROR(CheckTrainingOptions(options));
  SOMAFIT_RETURN_IF_ERROR(CheckEstimatorSpec(spec));
  if (options.resume_training && start.checkpoint.empty()) {
    return absl::InvalidArgumentError(
        "resume_training is set, but there is no checkpoint");
  }
  SOMAFIT_ASSIGN_OR_RETURN(const std::string device,
                           ResolveDevice(options.device));
  SetInferenceThreads(options.n_threads);
  absl::StatusOr<TrainingResult> result = absl::UnknownError("not trained");
  SOMAFIT_RETURN_IF_ERROR(CatchAsStatus("LibTorch", [&] {
    result = RunTraining(spec, options, data, loss, start, at::Device(device),
                         report);
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<BestOfResult> TrainBestOf(std::span<const EstimatorSpec> specs,
                                         const TrainingOptions& options,
                                         const TrainingData& data,
                                         const TrainingLoss& loss,
                                         const EpochCallback& report) {
  if (specs.empty()) {
    return absl::InvalidArgumentError("there is no estimator to choose from");
  }
  for (const EstimatorSpec& spec : specs) {
    if (spec.theta_space != specs[0].theta_space) {
      return absl::InvalidArgumentError(
          "estimators over bounded and over unconstrained parameters have "
          "losses that do not compare");
    }
  }
  BestOfResult result;
  for (size_t i = 0; i < specs.size(); ++i) {
    bool cancelled = false;
    SOMAFIT_ASSIGN_OR_RETURN(
        TrainingResult trained,
        Train(specs[i], options, data, loss, {}, [&](const EpochReport& epoch) {
          cancelled = report != nullptr && !report(epoch);
          return !cancelled;
        }));
    const double own = trained.summary.best_validation_loss;
    if (i == 0 || own < result.best.summary.best_validation_loss) {
      result.best = std::move(trained);
      result.chosen = i;
    }
    result.validation_losses.push_back(own);
    if (cancelled) break;
  }
  return result;
}

}  // namespace somafit
