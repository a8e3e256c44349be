#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "Eigen/Core"
#include "server/inference/data_rows.h"
#include "server/inference/trained_estimator.h"
#include "server/posterior/estimator_spec.h"
#include "server/posterior/gaussian_mixture.h"

namespace somafit {

// How an estimator is trained. Defaults are those of the sbi package, but for
// what is said to be ours.
struct TrainingOptions {
  int64_t training_batch_size = 200;  // at most all training rows are taken
  double learning_rate = 5e-4;        // of Adam (0.9, 0.999, 1e-8)
  double validation_fraction = 0.1;   // of the rows, within 0 and 1
  // Epochs without a better validation loss, of the weights or of their
  // average, before training ends.
  int64_t stop_after_epochs = 20;
  // Exactly so many epochs at most, those before a checkpoint included.
  int64_t max_num_epochs = std::numeric_limits<int32_t>::max();
  // The gradient is shortened to this norm; nullopt: never.
  std::optional<double> clip_max_norm = 5;
  // Goes on from `Start::checkpoint`, with its split, moments and epochs.
  bool resume_training = false;
  // Leaves out rows of round 0 once there are others.
  bool discard_prior_samples = false;
  // Forgets the weights and scales of `Start::estimator`.
  bool retrain_from_scratch = false;
  // Maximum likelihood, whatever loss is asked for.
  bool force_first_round_loss = false;
  // Ours: also keeps an average of the weights over some `average_epochs`
  // epochs; of both, the one with the better validation loss counts.
  bool average_weights = true;
  double average_epochs = 10;

  std::string device = "cpu";  // see ResolveDevice
  int n_threads = 1;           // more make small nets slower
  // Split, initial weights, order of the rows. For an ensemble, train with
  // several.
  uint64_t seed = 0;
};
// InvalidArgument, with all that is out of range.
absl::Status CheckTrainingOptions(const TrainingOptions& options);

// Row-major; all sizes n are the same.
struct TrainingData {
  std::span<const double> theta;  // [n x D], SI
  DataRows x;                     // [n x E]
  // Multiply the rows' losses, in training and validation: importance weights,
  // calibration kernels. Empty: 1. Normalize to mean 1 for losses that compare.
  std::span<const double> weights;
  // Which round a row comes from; round 0 is drawn from the prior. Empty: 0.
  std::span<const int32_t> rounds;
  // log p(theta) of each row; the atomic loss alone needs it.
  std::span<const double> log_prior;
  // Where parts of x's columns end that ZScore::kStructured scales alike, each
  // by itself, such as the outputs of a model. Empty: there is one part.
  std::span<const size_t> column_ends = {};
};

struct TrainingLoss {
  enum class Kind {
    // mean_i w_i (-log q(theta_i | x_i)); all that NPE-A, NPE-B, truncated
    // proposals and the first round need.
    kMaximumLikelihood,
    // Of NPE-C: D. Greenberg, M. Nonnenmacher, J. Macke (2019), "Automatic
    // Posterior Transformation for Likelihood-free Inference", ICML, section
    // 3.2: each theta is to be told from those of other rows.
    kAtomic,
    // Of NPE-C, for an mdn, with a mixture as proposal and a normal or uniform
    // prior: the proposal posterior in closed form (ibid., section 3.1). Rows
    // of the last round alone are used.
    kMixture,
  } kind = Kind::kMaximumLikelihood;

  int64_t num_atoms = 10;  // kAtomic, the true one included
  // kAtomic: adds -log q(theta_i | x_i) for rows of round 0.
  bool use_combined_loss = false;

  // kMixture, in SI: what the last round was drawn from, and the prior, whose
  // precision is 0 where it is uniform.
  GaussianMixture proposal;
  Eigen::VectorXd prior_mean;
  Eigen::MatrixXd prior_precision;
};

// Where training starts from.
struct TrainingStart {
  // Weights and scales of an earlier round; its spec must be the same.
  const TrainedEstimator* estimator = nullptr;
  // EpochReport::checkpoint of the training to be resumed. Spec, options (but
  // for epochs and patience), loss and data must be the same.
  std::string_view checkpoint;
};

// Losses are in nats per row, of theta's own space [1/SI], so that those of
// different nets compare.
struct EpochReport {
  int64_t epoch = 0;  // from 1
  double training_loss = 0;
  double validation_loss = 0;  // of the weights
  double average_loss = 0;     // of their average; NaN: none is kept
  double best_loss = 0;        // of all so far
  double seconds = 0;
  // All state as bytes, from which training goes on to the bit. Valid during
  // the call.
  std::function<std::string()> checkpoint;
};
// Returns false to end the training with the best weights so far.
using EpochCallback = std::function<bool(const EpochReport&)>;

struct TrainingSummary {
  std::vector<double> training_loss, validation_loss, average_loss, seconds;
  int64_t epochs = 0;
  double best_validation_loss = 0;
  bool converged = false;  // else cancelled, or max_num_epochs was reached
  bool cancelled = false;
  bool average_kept = false;  // the best weights are an average
  int rate_halvings = 0;      // after losses that were no numbers
};

struct TrainingResult {
  std::unique_ptr<TrainedEstimator> estimator;
  TrainingSummary summary;
};

// Trains until the validation loss stops falling. The rows for validation are
// chosen by the seed, and evaluated all, in one order. Bit-identical for the
// same build, instruction set and number of threads.
//
// Where a loss is no finite number, training goes on from the best weights at
// half the rate; Internal after five times. InvalidArgument for a mistake in
// what is given; FailedPrecondition for a checkpoint of another training, or a
// proposal too narrow for the mixture loss.
absl::StatusOr<TrainingResult> Train(const EstimatorSpec& spec,
                                     const TrainingOptions& options,
                                     const TrainingData& data,
                                     const TrainingLoss& loss = {},
                                     const TrainingStart& start = {},
                                     const EpochCallback& report = nullptr);

// Trains one estimator per spec on the same split and gives the one with the
// least validation loss; `chosen` is its place. InvalidArgument where specs
// differ in their space of theta, whose losses do not compare: mass may leak
// out of one alone.
struct BestOfResult {
  size_t chosen = 0;
  TrainingResult best;
  std::vector<double> validation_losses;
};
absl::StatusOr<BestOfResult> TrainBestOf(std::span<const EstimatorSpec> specs,
                                         const TrainingOptions& options,
                                         const TrainingData& data,
                                         const TrainingLoss& loss = {},
                                         const EpochCallback& report = nullptr);

}  // namespace somafit
