// Rounds of inference, by every algorithm, against the known posterior.
// Bounds are some three times what 1000 simulations a round leave open.

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/trainer/training_plan.h"
#include "tests/server/trainer/linear_lab.h"

namespace somafit {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;

constexpr int64_t kDraws = 4000;

void UseSmallNet(LinearLab& lab, const std::string& option, int value) {
  v1::NamedText* const text = lab.problem().mutable_estimator()->add_options();
  text->set_name(option);
  text->set_text(std::to_string(value));
}

struct Case {
  std::string name, algorithm, net, prior;
};

class EveryAlgorithm : public testing::TestWithParam<Case> {};

TEST_P(EveryAlgorithm, FindsThePosteriorInTwoRounds) {
  const Case& tried = GetParam();
  LinearLab lab(tried.algorithm, tried.net, tried.prior);
  if (tried.net == "mdn") UseSmallNet(lab, "num_components", 2);
  if (tried.net == "maf") UseSmallNet(lab, "num_transforms", 2);
  const v1::TrainingSummary first = lab.DoRound(0, 1000);
  EXPECT_EQ(first.simulations(), 1000);
  EXPECT_EQ(first.estimator(), tried.net);
  EXPECT_GT(first.inside_prior(), 0.9);
  EXPECT_GT(first.validation_loss_size(), 0);
  ExpectPosterior(lab, lab.PosteriorDraws(0, kDraws), 0.4, 0.3);

  const v1::TrainingSummary second = lab.DoRound(1, 1000);
  ExpectPosterior(lab, lab.PosteriorDraws(1, kDraws), 0.35, 0.2);
  const bool latest_alone = tried.algorithm == "npe_a" ||
                            (tried.algorithm == "npe_c" && tried.net == "mdn");
  EXPECT_EQ(second.simulations(), latest_alone ? 1000 : 2000);
  if (tried.algorithm == "npe_b") {
    EXPECT_GT(second.effective_samples(), 200);
    EXPECT_LT(second.effective_samples(), 2000);
    EXPECT_GT(second.largest_weight(), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, EveryAlgorithm,
    testing::Values(Case{"npe_a_uniform", "npe_a", "mdn", "uniform"},
                    Case{"npe_a_normal", "npe_a", "mdn", "normal"},
                    Case{"npe_b", "npe_b", "maf", "uniform"},
                    Case{"npe_c_mixtures", "npe_c", "mdn", "normal"},
                    Case{"npe_c_atoms", "npe_c", "maf", "uniform"},
                    Case{"tsnpe", "tsnpe", "maf", "uniform"}),
    [](const auto& tried) { return tried.param.name; });

// What the corrections are for: a proposal that is taken for the prior makes
// the posterior narrower, by sqrt(2) where it is the posterior itself.
TEST(Rounds, WithoutCorrectionTheProposalCountsTwice) {
  LinearLab lab("npe_c", "mdn", "normal");
  UseSmallNet(lab, "num_components", 1);
  lab.DoRound(0, 1000);
  lab.problem().mutable_training()->set_force_first_round_loss(true);
  lab.problem().mutable_training()->set_discard_prior_samples(true);
  lab.DoRound(1, 1000);
  const Eigen::MatrixXd z = lab.PosteriorDraws(1, kDraws);
  const double variance = (z.row(0).array() - z.row(0).mean()).square().mean();
  EXPECT_NEAR(std::sqrt(variance / lab.covariance()(0, 0)), std::sqrt(0.5),
              0.15);
}

// Draws for another observation: a proposal away from the posterior that is
// asked for.
TEST(Rounds, WeightsCorrectABiasedProposal) {
  LinearLab lab("npe_b", "mdn", "normal");
  UseSmallNet(lab, "num_components", 1);
  lab.DoRound(0, 1000);
  const double own = lab.problem().observation(0);
  lab.problem().mutable_observation()->Set(0, -1.5);
  lab.DoRound(1, 1000);
  lab.problem().mutable_observation()->Set(0, own);
  ExpectPosterior(lab, lab.PosteriorDraws(1, kDraws), 0.4, 0.25);
}

// Simulations far from the observation are made nonsense: only with a kernel
// that leaves them out do they not matter.
TEST(Rounds, CalibrationKernelsLeaveOutWhatIsFar) {
  for (const bool calibrated : {true, false}) {
    LinearLab lab("tsnpe", "mdn");
    // Too small to learn both what is near and what is far.
    UseSmallNet(lab, "num_components", 1);
    UseSmallNet(lab, "hidden_features", 3);
    lab.problem().mutable_training()->set_max_num_epochs(150);
    const auto draws = lab.Draw(0, 3000);
    ASSERT_TRUE(draws.ok());
    lab.Simulate(0, draws->theta);
    // In standard deviations of all simulations.
    double sum[2] = {}, squares[2] = {};
    for (const v1::SimulationBlock& block : lab.blocks) {
      for (int i = 0; i < block.x_size(); ++i) {
        sum[i % 2] += block.x(i) / 3000;
        squares[i % 2] += block.x(i) * block.x(i) / 3000;
      }
    }
    int near = 0;
    for (v1::SimulationBlock& block : lab.blocks) {
      for (int i = 0; i < block.x_size(); i += 2) {
        double farthest = 0;
        for (int k = 0; k < 2; ++k) {
          const double sd = std::sqrt(squares[k] - sum[k] * sum[k]);
          farthest = std::max(
              farthest,
              std::abs(block.x(i + k) - lab.problem().observation(k)) / sd);
        }
        if (farthest <= 0.8) {
          ++near;
        } else {
          // Mirrored about the middle of the prior.
          block.set_theta(i, 6e-9 - block.theta(i));
          block.set_theta(i + 1, -0.13 - block.theta(i + 1));
        }
      }
    }
    if (calibrated) {
      lab.problem().mutable_training()->set_calibration_kernel("box");
      lab.problem().mutable_training()->set_calibration_bandwidth(0.8);
    }
    const auto outcome = lab.Train(0);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    lab.estimators[0] = outcome->estimators;
    const Eigen::MatrixXd z = lab.PosteriorDraws(0, kDraws);
    const double variance =
        (z.row(0).array() - z.row(0).mean()).square().mean();
    const double spread = std::sqrt(variance / lab.covariance()(0, 0));
    if (calibrated) {
      EXPECT_NEAR(outcome->summary.effective_samples(), near, 1e-6);
      EXPECT_NEAR(outcome->summary.largest_weight(), 3000.0 / near, 1e-6);
      ExpectPosterior(lab, z, 0.4, 0.3);
    } else {
      EXPECT_EQ(outcome->summary.effective_samples(), 0);
      EXPECT_GT(spread, 1.5);
    }
  }
}

TEST(Rounds, CalibrationKernelsMultiplyTheAlgorithmsWeights) {
  LinearLab lab("npe_b", "mdn");
  UseSmallNet(lab, "num_components", 1);
  lab.problem().mutable_training()->set_calibration_kernel("gaussian");
  lab.problem().mutable_training()->set_calibration_bandwidth(1);
  const v1::TrainingSummary first = lab.DoRound(0, 1500);
  EXPECT_GT(first.effective_samples(), 100);
  EXPECT_LT(first.effective_samples(), 1400);
  const v1::TrainingSummary second = lab.DoRound(1, 1000);
  EXPECT_GT(second.effective_samples(), 100);
  EXPECT_LT(second.effective_samples(), 2500);
  ExpectPosterior(lab, lab.PosteriorDraws(1, kDraws), 0.4, 0.3);
  // Nothing is within a kernel that is too narrow.
  lab.problem().mutable_training()->set_calibration_bandwidth(1e-3);
  const absl::Status narrow = lab.Train(1).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(narrow)) << narrow;
  EXPECT_THAT(std::string(narrow.message()),
              HasSubstr("widen calibration_bandwidth"));
}

TEST(Rounds, TheSameSeedGivesTheSameBits) {
  std::vector<std::string> files;
  std::vector<std::vector<double>> draws;
  for (const uint64_t seed : {1, 1, 2}) {
    LinearLab lab("npe_b", "mdn", "uniform", seed);
    lab.problem().mutable_training()->set_max_num_epochs(3);
    lab.problem().mutable_estimator()->set_ensemble(2);
    lab.DoRound(0, 300);
    lab.DoRound(1, 100);
    files.push_back(lab.estimators[1]);
    draws.push_back(lab.Draw(2, 50)->theta);
    // The first of more are the same.
    const auto more = lab.Draw(2, 70);
    ASSERT_TRUE(more.ok());
    EXPECT_TRUE(std::equal(draws.back().begin(), draws.back().end(),
                           more->theta.begin()));
    // A task that comes again finds the same, whatever the threads.
    EXPECT_EQ(lab.Train(1)->estimators, files.back());
  }
  EXPECT_EQ(files[0], files[1]);
  EXPECT_EQ(draws[0], draws[1]);
  EXPECT_NE(files[0], files[2]);
  EXPECT_NE(draws[0], draws[2]);
}

TEST(Rounds, AutoChoosesOnceAndEnsemblesFollow) {
  LinearLab lab("tsnpe", "auto");
  lab.problem().mutable_training()->set_max_num_epochs(2);
  lab.problem().mutable_estimator()->set_ensemble(3);
  const v1::TrainingSummary first = lab.DoRound(0, 200);
  EXPECT_THAT(first.estimator(), AnyOf("maf", "nsf", "mdn"));
  EXPECT_FALSE(first.converged());
  EXPECT_EQ(first.training_loss_size(), 2);
  EXPECT_THAT(first.messages(), Contains(HasSubstr("is kept for all rounds")));
  EXPECT_THAT(first.messages(), Contains(HasSubstr("of the ensemble")));
  EXPECT_THAT(first.messages(), Contains(HasSubstr("max_num_epochs = 2")));
  v1::EstimatorSet set;
  ASSERT_TRUE(set.ParseFromString(lab.estimators[0]));
  ASSERT_EQ(set.estimator_size(), 3);
  EXPECT_NE(set.estimator(0), set.estimator(1));
  EXPECT_NE(set.estimator(1), set.estimator(2));
  EXPECT_EQ(lab.DoRound(1, 100).estimator(), first.estimator());
}

TEST(Rounds, NpeAPartsItsComponentsInTheLastRound) {
  LinearLab lab("npe_a", "mdn");
  UseSmallNet(lab, "num_components", 3);
  lab.problem().set_n_rounds(3);
  lab.problem().mutable_training()->set_max_num_epochs(30);
  lab.DoRound(0, 500);
  const size_t small = lab.estimators[0].size();
  lab.DoRound(1, 500);
  EXPECT_EQ(lab.estimators[1].size(), small);
  lab.DoRound(2, 500);
  EXPECT_GT(lab.estimators[2].size(), small);
  // Continued: the net that has parted goes on.
  lab.problem().set_n_rounds(4);
  Posteriors posteriors;
  const auto plan =
      PlanTraining(*ReadProblem(lab.problem()), 3, true, posteriors, lab.Run());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->starts.size(), 1u);
  EXPECT_EQ(plan->specs.at(0).options.at("num_components"), 3);
}

TEST(Rounds, AnotherDeclarationBeginsAnew) {
  LinearLab lab("tsnpe", "mdn");
  lab.problem().mutable_training()->set_max_num_epochs(2);
  lab.DoRound(0, 200);
  UseSmallNet(lab, "num_components", 2);
  EXPECT_THAT(lab.DoRound(1, 100).messages(),
              Contains(HasSubstr("declared otherwise")));
}

TEST(Rounds, EndWhenNobodyWantsThem) {
  LinearLab lab("tsnpe", "mdn");
  lab.Simulate(0, lab.Draw(0, 200)->theta);
  const auto problem = ReadProblem(lab.problem());
  ASSERT_TRUE(problem.ok());
  Posteriors posteriors;
  TaskRun run = lab.Run();
  int epochs = 0;
  std::string last;
  run.say = [&](std::string activity) {
    last = std::move(activity);
    epochs += last.find("epoch") != std::string::npos;
  };
  run.cancelled = [&] { return epochs >= 3; };
  const auto outcome = DoTraining(*problem, {}, posteriors, run);
  EXPECT_TRUE(absl::IsCancelled(outcome.status())) << outcome.status();
  EXPECT_EQ(epochs, 3);
  EXPECT_THAT(last, HasSubstr("epoch 3, validation loss"));
}

}  // namespace
}  // namespace somafit
