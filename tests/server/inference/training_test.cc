#include "server/inference/training.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "Eigen/LU"
#include "server/inference/estimator_file.h"
#include "worker/core/base/random.h"

namespace somafit {
namespace {

// theta ~ N(0, I), x = theta + mixing + noise; parameters in units of kUnit.
constexpr double kUnit = 1e-12;
constexpr double kNoise = 0.5;

struct Example {
  size_t d = 0;
  std::vector<double> theta, x, weights, log_prior;
  std::vector<int32_t> rounds;

  TrainingData data() const { return {theta, x, weights, rounds, log_prior}; }
};

// x_c = theta_c + 0.6 theta_{c+1} + noise, of theta ~ N(mean, deviation^2)
// each.
Example LinearExample(size_t d, size_t n, uint64_t seed, double mean = 0,
                      double deviation = 1) {
  Example example;
  example.d = d;
  RandomStream random(seed, StreamPurpose::kExample, 7, 0);
  for (size_t i = 0; i < n; ++i) {
    std::vector<double> theta(d);
    double log_prior = 0;
    for (double& value : theta) {
      value = mean + deviation * random.Normal();
      log_prior -= 0.5 * value * value;
      example.theta.push_back(value * kUnit);
    }
    example.log_prior.push_back(log_prior);
    for (size_t c = 0; c < d; ++c) {
      const double next = c + 1 < d ? theta[c + 1] : 0;
      example.x.push_back(theta[c] + 0.6 * next + kNoise * random.Normal());
    }
  }
  return example;
}

// The posterior of one x under the prior N(0, 1), in units.
struct Posterior {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};
Posterior LinearPosterior(size_t d, const std::vector<double>& x) {
  const auto size = static_cast<Eigen::Index>(d);
  Eigen::MatrixXd a = Eigen::MatrixXd::Identity(size, size);
  for (Eigen::Index c = 0; c + 1 < size; ++c) a(c, c + 1) = 0.6;
  const Eigen::MatrixXd precision = Eigen::MatrixXd::Identity(size, size) +
                                    a.transpose() * a / (kNoise * kNoise);
  const Eigen::Map<const Eigen::VectorXd> data(x.data(), size);
  const Eigen::MatrixXd covariance = precision.inverse();
  return {covariance * a.transpose() * data / (kNoise * kNoise), covariance};
}

Posterior Estimate(const DensityEstimator& estimator,
                   const std::vector<double>& x) {
  constexpr size_t kDraws = 20'000;
  const auto d = static_cast<Eigen::Index>(estimator.n_parameters());
  std::vector<double> theta(kDraws * d), log_density(kDraws);
  estimator.Sample(x, {11, 0}, 0, theta, log_density);
  const Eigen::Map<const Eigen::MatrixXd> draws(theta.data(), d, kDraws);
  const Eigen::MatrixXd units = draws / kUnit;
  const Eigen::VectorXd mean = units.rowwise().mean();
  const Eigen::MatrixXd centered = units.colwise() - mean;
  return {mean, centered * centered.transpose() / kDraws};
}

void ExpectSame(const Posterior& found, const Posterior& expected,
                double mean_sd, double covariance_share) {
  for (Eigen::Index c = 0; c < expected.mean.size(); ++c) {
    const double sd = std::sqrt(expected.covariance(c, c));
    EXPECT_NEAR(found.mean(c), expected.mean(c), mean_sd * sd) << c;
    for (Eigen::Index k = 0; k <= c; ++k) {
      const double other = std::sqrt(expected.covariance(k, k));
      EXPECT_NEAR(found.covariance(c, k), expected.covariance(c, k),
                  covariance_share * sd * other)
          << c << " " << k;
    }
  }
}

EstimatorSpec Spec(std::string_view net, size_t d,
                   ThetaSpace space = ThetaSpace::kBounded) {
  EstimatorSpec spec = DefaultEstimatorSpec(net);
  const double bound = space == ThetaSpace::kBounded
                           ? std::numeric_limits<double>::infinity()
                           : 6 * kUnit;
  spec.theta_space = space;
  spec.support.assign(d, {-bound, bound});
  spec.x_shape = {static_cast<int64_t>(d)};
  return spec;
}

TrainingResult MustTrain(const EstimatorSpec& spec,
                         const TrainingOptions& options,
                         const TrainingData& data,
                         const TrainingLoss& loss = {},
                         const TrainingStart& start = {},
                         const EpochCallback& report = nullptr) {
  auto result = Train(spec, options, data, loss, start, report);
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) std::abort();
  return *std::move(result);
}

class TrainingSuite : public testing::TestWithParam<const NetEntry*> {};

TEST_P(TrainingSuite, FindsALinearGaussianPosterior) {
  const Example example = LinearExample(2, 3000, 1);
  // Splines learn a width worse than what is normal from the start.
  const double tolerance = GetParam()->name == "nsf" ? 0.7 : 0.25;
  for (const ThetaSpace space :
       {ThetaSpace::kBounded, ThetaSpace::kUnconstrained}) {
    const TrainingResult result = MustTrain(Spec(GetParam()->name, 2, space),
                                            {.seed = 3}, example.data());
    EXPECT_TRUE(result.summary.converged);
    for (const std::vector<double>& x :
         {std::vector<double>{0.5, -0.4}, std::vector<double>{-1, 0.7}}) {
      ExpectSame(Estimate(*result.estimator, x), LinearPosterior(2, x), 0.25,
                 tolerance);
    }
  }
}

TEST_P(TrainingSuite, TrainsTheSameFromTheSameSeed) {
  const Example example = LinearExample(2, 300, 1);
  const EstimatorSpec spec = Spec(GetParam()->name, 2);
  TrainingOptions options{.max_num_epochs = 3, .seed = 5};
  const auto bytes = [&] {
    return EncodeEstimator(*MustTrain(spec, options, example.data()).estimator);
  };
  const std::string first = bytes();
  EXPECT_EQ(bytes(), first);
  options.seed = 6;
  EXPECT_NE(bytes(), first);
}

TEST_P(TrainingSuite, GoesOnFromACheckpointToTheBit) {
  const Example example = LinearExample(2, 300, 1);
  const EstimatorSpec spec = Spec(GetParam()->name, 2);
  for (const auto kind :
       {TrainingLoss::Kind::kMaximumLikelihood, TrainingLoss::Kind::kAtomic}) {
    TrainingLoss loss;
    loss.kind = kind;
    TrainingOptions options{.training_batch_size = 50, .max_num_epochs = 6};
    std::string checkpoint;
    const TrainingResult whole = MustTrain(spec, options, example.data(), loss,
                                           {}, [&](const EpochReport& report) {
                                             if (report.epoch == 3)
                                               checkpoint = report.checkpoint();
                                             return true;
                                           });
    options.resume_training = true;
    TrainingStart start;
    start.checkpoint = checkpoint;
    const TrainingResult resumed =
        MustTrain(spec, options, example.data(), loss, start);
    EXPECT_EQ(EncodeEstimator(*resumed.estimator),
              EncodeEstimator(*whole.estimator));
    EXPECT_EQ(resumed.summary.validation_loss, whole.summary.validation_loss);
    EXPECT_EQ(resumed.summary.average_loss, whole.summary.average_loss);
    EXPECT_EQ(resumed.summary.epochs, 6);

    // Of another training.
    options.seed = 1;
    EXPECT_TRUE(absl::IsFailedPrecondition(
        Train(spec, options, example.data(), loss, start).status()));
    options.seed = 0;
    for (size_t size = 0; size < checkpoint.size();
         size += 1 + checkpoint.size() / 30) {
      start.checkpoint = std::string_view(checkpoint).substr(0, size);
      EXPECT_FALSE(Train(spec, options, example.data(), loss, start).ok());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllNets, TrainingSuite, testing::ValuesIn(AllNets()),
                         [](const auto& own) {
                           return std::string(own.param->name);
                         });

TEST(TrainingTest, EndsExactlyAtItsLastEpochOrWhenTold) {
  const Example example = LinearExample(1, 200, 1);
  const EstimatorSpec spec = Spec("mdn", 1);
  EXPECT_EQ(
      MustTrain(spec, {.max_num_epochs = 4}, example.data()).summary.epochs, 4);
  std::vector<int64_t> epochs;
  const TrainingResult cancelled = MustTrain(
      spec, {}, example.data(), {}, {}, [&](const EpochReport& report) {
        epochs.push_back(report.epoch);
        EXPECT_GT(report.seconds, 0);
        EXPECT_LE(report.best_loss, report.validation_loss);
        return report.epoch < 3;
      });
  EXPECT_EQ(epochs, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_TRUE(cancelled.summary.cancelled);
  EXPECT_FALSE(cancelled.summary.converged);
}

// The loss is that of theta in SI: of the true posterior, the entropy.
TEST(TrainingTest, ReportsLossesOfThetasOwnSpace) {
  const Example example = LinearExample(1, 4000, 2);
  const Posterior truth = LinearPosterior(1, {0});
  const double entropy =
      0.5 * std::log(2 * M_PI * M_E * truth.covariance(0, 0)) + std::log(kUnit);
  for (const ThetaSpace space :
       {ThetaSpace::kBounded, ThetaSpace::kUnconstrained}) {
    const auto summary =
        MustTrain(Spec("mdn", 1, space), {}, example.data()).summary;
    // The sampling error of 400 rows' mean is 0.035.
    EXPECT_NEAR(summary.best_validation_loss, entropy, 0.12);
    EXPECT_NEAR(summary.training_loss.back(), entropy, 0.12);
  }
}

// Half of the rows are of another model; their weight is 0.
TEST(TrainingTest, HeedsWeights) {
  Example example = LinearExample(1, 3000, 1);
  for (size_t i = 0; i < 3000; ++i) {
    const bool counts = i % 2 == 0;
    if (!counts) example.x[i] = -example.x[i];
    example.weights.push_back(counts ? 2 : 0);
  }
  const TrainingResult weighted = MustTrain(Spec("mdn", 1), {}, example.data());
  ExpectSame(Estimate(*weighted.estimator, {1.0}), LinearPosterior(1, {1.0}),
             0.25, 0.25);
  example.weights.clear();
  const TrainingResult plain = MustTrain(Spec("mdn", 1), {}, example.data());
  EXPECT_NEAR(Estimate(*plain.estimator, {1.0}).mean(0), 0, 0.25);
}

// theta is drawn from N(0.8, 0.7^2), the prior is N(0, 1).
TEST(TrainingTest, AtomicLossUndoesTheProposal) {
  Example example = LinearExample(1, 4000, 1, 0.8, 0.7);
  TrainingLoss loss;
  loss.kind = TrainingLoss::Kind::kAtomic;
  const std::vector<double> x = {0.5};
  for (const char* net : {"mdn", "maf"}) {
    EstimatorSpec spec = Spec(net, 1);
    if (spec.net == "mdn") spec.options["num_components"] = 1;
    const TrainingResult result =
        MustTrain(spec, {.seed = 2}, example.data(), loss);
    ExpectSame(Estimate(*result.estimator, x), LinearPosterior(1, x), 0.3, 0.3);
    // Maximum likelihood finds the posterior under the proposal, here 0.6
    // deviations off.
    const TrainingResult biased =
        MustTrain(spec, {.force_first_round_loss = true}, example.data(), loss);
    const double precision = 1 / 0.49 + 1 / (kNoise * kNoise);
    EXPECT_NEAR(Estimate(*biased.estimator, x).mean(0),
                (0.8 / 0.49 + 0.5 / (kNoise * kNoise)) / precision, 0.1);
  }
}

// In an unconstrained space the ratio of densities counts, not that of the
// net's.
TEST(TrainingTest, AtomicLossHeedsTheMapOfTheta) {
  Example example = LinearExample(1, 4000, 1, 0.8, 0.7);
  TrainingLoss loss;
  loss.kind = TrainingLoss::Kind::kAtomic;
  const std::vector<double> x = {0.5};
  EstimatorSpec spec = Spec("mdn", 1, ThetaSpace::kUnconstrained);
  spec.support[0] = {-2.5 * kUnit, 4 * kUnit};
  // Rows outside of the bounds are drawn again at its middle: rare.
  for (double& theta : example.theta) {
    theta = std::clamp(theta, -2.4 * kUnit, 3.9 * kUnit);
  }
  const TrainingResult result = MustTrain(spec, {}, example.data(), loss);
  ExpectSame(Estimate(*result.estimator, x), LinearPosterior(1, x), 0.35, 0.4);
}

TEST(TrainingTest, MixtureLossUndoesTheProposal) {
  for (const size_t d : {1, 2}) {
    Example example = LinearExample(d, 4000, 1, 0.8, 0.7);
    // An earlier round that would spoil everything is left out.
    Example earlier = LinearExample(d, 500, 2);
    for (double& x : earlier.x) x = 100;
    for (auto [to, from] : {std::pair(&example.theta, &earlier.theta),
                            std::pair(&example.x, &earlier.x)}) {
      to->insert(to->end(), from->begin(), from->end());
    }
    example.rounds.assign(4000, 1);
    example.rounds.resize(4500, 0);
    const auto size = static_cast<Eigen::Index>(d);
    const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(size, size);
    TrainingLoss loss;
    loss.kind = TrainingLoss::Kind::kMixture;
    // Two components of the same normal distribution.
    for (const double weight : {0.3, 0.7}) {
      loss.proposal.log_weights.push_back(std::log(weight));
      loss.proposal.means.push_back(Eigen::VectorXd::Constant(size, 0.8) *
                                    kUnit);
      loss.proposal.precisions.push_back(identity / (0.49 * kUnit * kUnit));
    }
    loss.prior_mean = Eigen::VectorXd::Zero(size);
    loss.prior_precision = identity / (kUnit * kUnit);
    EstimatorSpec spec = Spec("mdn", d);
    spec.options["num_components"] = 2;
    const TrainingResult result =
        MustTrain(spec, {.seed = 2}, example.data(), loss);
    const std::vector<double> x(d, 0.5);
    ExpectSame(Estimate(*result.estimator, x), LinearPosterior(d, x), 0.3, 0.3);
    // Its loss is that of the proposal's posterior, which maximum likelihood
    // finds.
    const TrainingResult direct = MustTrain(
        spec, {.discard_prior_samples = true, .seed = 2}, example.data());
    EXPECT_NEAR(result.summary.best_validation_loss,
                direct.summary.best_validation_loss, 0.03);

    // A prior narrower than what is learned.
    loss.prior_precision = 100 * identity / (kUnit * kUnit);
    EXPECT_TRUE(absl::IsFailedPrecondition(
        Train(spec, {}, example.data(), loss).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(
        Train(Spec("maf", d), {}, example.data(), loss).status()));
  }
}

TEST(TrainingTest, GivesMdnsAsMixtures) {
  const Example example = LinearExample(2, 1000, 1);
  const TrainingResult result =
      MustTrain(Spec("mdn", 2), {.max_num_epochs = 20}, example.data());
  const std::vector<double> x = {0.3, 0.2};
  const auto mixture = result.estimator->MixtureAt(x);
  ASSERT_TRUE(mixture.has_value());
  ASSERT_EQ(mixture->means.size(), 10u);
  std::vector<double> theta, log_density(40);
  RandomStream random(1, StreamPurpose::kExample, 0, 0);
  for (int i = 0; i < 80; ++i) theta.push_back(random.Normal() * kUnit);
  result.estimator->LogDensity(theta, x, log_density);
  for (size_t i = 0; i < 40; ++i) {
    const Eigen::Vector2d point(theta[2 * i], theta[2 * i + 1]);
    double density = 0;
    for (size_t k = 0; k < 10; ++k) {
      const Eigen::VectorXd offset = point - mixture->means[k];
      const Eigen::MatrixXd& precision = mixture->precisions[k];
      density += std::exp(mixture->log_weights[k] -
                          0.5 * offset.dot(precision * offset)) *
                 std::sqrt(precision.determinant()) / (2 * M_PI);
    }
    EXPECT_NEAR(log_density[i], std::log(density), 2e-3);
  }
  EXPECT_FALSE(MustTrain(Spec("maf", 2), {.max_num_epochs = 1}, example.data())
                   .estimator->MixtureAt(x)
                   .has_value());
}

TEST(TrainingTest, ReplicatesOneComponentAlmostUnchanged) {
  const Example example = LinearExample(2, 1000, 1);
  EstimatorSpec spec = Spec("mdn", 2);
  spec.options["num_components"] = 1;
  const TrainingResult one = MustTrain(spec, {}, example.data());
  const auto many = ReplicateMixture(*one.estimator, 8, 3);
  ASSERT_TRUE(many.ok()) << many.status();
  EXPECT_EQ((*many)->MixtureAt(std::vector<double>{0, 0})->means.size(), 8u);
  const std::vector<double> x = {0.3, 0.2};
  std::vector<double> theta(200), before(100), after(100);
  one.estimator->Sample(x, {1, 1}, 0, theta, before);
  (*many)->LogDensity(theta, x, after);
  for (size_t i = 0; i < 100; ++i) EXPECT_NEAR(after[i], before[i], 0.2);
  EXPECT_NE(after, before);
  // It goes on training from there.
  TrainingStart start;
  start.estimator = many->get();
  const TrainingResult more =
      MustTrain((*many)->spec(), {}, example.data(), {}, start);
  EXPECT_LT(more.summary.best_validation_loss,
            one.summary.best_validation_loss + 0.02);
  EXPECT_TRUE(absl::IsInvalidArgument(ReplicateMixture(**many, 8, 3).status()));
}

TEST(TrainingTest, StartsFromAnEarlierRound) {
  const Example example = LinearExample(2, 1000, 1);
  const EstimatorSpec spec = Spec("maf", 2);
  const TrainingResult first = MustTrain(spec, {}, example.data());
  TrainingStart start;
  start.estimator = first.estimator.get();
  const double fresh = MustTrain(spec, {.max_num_epochs = 1}, example.data())
                           .summary.validation_loss[0];
  const double warm =
      MustTrain(spec, {.max_num_epochs = 1}, example.data(), {}, start)
          .summary.validation_loss[0];
  EXPECT_LT(warm, fresh - 0.1);
  EXPECT_NEAR(warm, first.summary.best_validation_loss, 0.1);
  const double again =
      MustTrain(spec, {.max_num_epochs = 1, .retrain_from_scratch = true},
                example.data(), {}, start)
          .summary.validation_loss[0];
  EXPECT_EQ(again, fresh);
  EXPECT_TRUE(absl::IsInvalidArgument(
      Train(Spec("nsf", 2), {}, example.data(), {}, start).status()));
}

TEST(TrainingTest, GivesUpAfterFiveHalvingsOfTheRate) {
  const Example example = LinearExample(1, 200, 1);
  const auto result =
      Train(Spec("maf", 1), {.learning_rate = 1e25}, example.data());
  EXPECT_TRUE(absl::IsInternal(result.status())) << result.status();
  EXPECT_NE(result.status().message().find("not finite"), std::string::npos);
}

TEST(TrainingTest, ChoosesByValidation) {
  const Example example = LinearExample(2, 600, 1);
  // One that cannot learn a width, and one that can.
  std::vector<EstimatorSpec> specs = {Spec("maf", 2), Spec("mdn", 2)};
  specs[0].options["hidden_features"] = 1;
  specs[0].options["num_transforms"] = 1;
  const TrainingOptions options{.max_num_epochs = 60};
  const auto best = TrainBestOf(specs, options, example.data());
  ASSERT_TRUE(best.ok()) << best.status();
  EXPECT_EQ(best->chosen, 1u);
  EXPECT_EQ(best->best.estimator->spec().net, "mdn");
  EXPECT_EQ(best->validation_losses.size(), 2u);
  specs[1].theta_space = ThetaSpace::kUnconstrained;
  EXPECT_TRUE(absl::IsInvalidArgument(
      TrainBestOf(specs, options, example.data()).status()));
}

TEST(TrainingTest, SaysAllThatIsWrongWithOptions) {
  const absl::Status status = CheckTrainingOptions(
      {.training_batch_size = 0,
       .learning_rate = -1,
       .validation_fraction = 1,
       .stop_after_epochs = 0,
       .max_num_epochs = 0,
       .clip_max_norm = 0.0,
       .average_epochs = std::numeric_limits<double>::quiet_NaN(),
       .n_threads = 0});
  for (const char* name :
       {"training_batch_size", "learning_rate", "validation_fraction",
        "stop_after_epochs", "max_num_epochs", "clip_max_norm",
        "average_epochs", "n_threads"}) {
    EXPECT_NE(status.message().find(name), std::string::npos) << name;
  }
  EXPECT_TRUE(CheckTrainingOptions({}).ok());
  EXPECT_TRUE(CheckTrainingOptions({.clip_max_norm = std::nullopt}).ok());
}

TEST(TrainingTest, RefusesDataThatDoNotFit) {
  const Example good = LinearExample(2, 100, 1);
  const EstimatorSpec spec = Spec("mdn", 2);
  const auto refuses = [](const EstimatorSpec& own, const Example& example,
                          const TrainingLoss& loss = {}) {
    return absl::IsInvalidArgument(
        Train(own, {.max_num_epochs = 1}, example.data(), loss).status());
  };
  EXPECT_FALSE(refuses(spec, good));
  Example bad = good;
  bad.x.pop_back();
  EXPECT_TRUE(refuses(spec, bad));
  bad = good;
  bad.x[5] = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(refuses(spec, bad));
  bad = good;
  bad.theta[5] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(refuses(spec, bad));
  bad = good;
  for (size_t i = 0; i < bad.theta.size(); i += 2) bad.theta[i] = 3;
  EXPECT_TRUE(refuses(spec, bad));  // a parameter that does not vary
  bad = good;
  bad.weights = {1};
  EXPECT_TRUE(refuses(spec, bad));
  bad.weights.assign(100, -1);
  EXPECT_TRUE(refuses(spec, bad));
  bad = good;
  bad.log_prior.clear();
  TrainingLoss atomic;
  atomic.kind = TrainingLoss::Kind::kAtomic;
  EXPECT_TRUE(refuses(spec, bad, atomic));
  EstimatorSpec narrow = spec;
  narrow.theta_space = ThetaSpace::kUnconstrained;
  narrow.support.assign(2, {-kUnit, kUnit});
  EXPECT_TRUE(refuses(narrow, good));
  EXPECT_TRUE(refuses(spec, LinearExample(2, 2, 1)));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Train(spec, {.device = "tpu"}, good.data()).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Train(spec, {.resume_training = true}, good.data()).status()));
}

}  // namespace
}  // namespace somafit
