#include "tests/server/trainer/linear_lab.h"

#include <cmath>

#include <Eigen/LU>
#include <gtest/gtest.h>

#include "server/trainer/question_task.h"
#include "worker/core/base/random.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kMean[] = {3e-9, -0.065};
constexpr double kSigma[] = {5e-10, 4e-3};
constexpr double kReach = 4;  // of the uniform prior
constexpr double kNoise = 0.6;
const Eigen::Matrix2d kA = (Eigen::Matrix2d() << 1, 0.5, -0.3, 1.2).finished();
const Eigen::Vector2d kObservation(0.8, -0.5);

void AddPrior(const std::string& parameter, const std::string& kind,
              std::pair<const char*, double> one,
              std::pair<const char*, double> other,
              v1::InferenceProblem& problem) {
  v1::CheckedPrior* const prior = problem.add_priors();
  prior->set_parameter(parameter);
  prior->set_kind(kind);
  for (const auto& [name, value] : {one, other}) {
    prior->add_option(name);
    prior->add_value(value);
  }
}

}  // namespace

LinearLab::LinearLab(const std::string& algorithm, const std::string& net,
                     const std::string& prior, uint64_t seed) {
  problem_.set_fit("fits/linear");
  problem_.set_seed(seed);
  const char* const names[] = {"g", "E"};
  for (int i = 0; i < 2; ++i) {
    if (prior == "normal") {
      AddPrior(names[i], prior, {"mean", kMean[i]}, {"sigma", kSigma[i]},
               problem_);
    } else {
      AddPrior(names[i], prior, {"lower", kMean[i] - kReach * kSigma[i]},
               {"upper", kMean[i] + kReach * kSigma[i]}, problem_);
    }
  }
  for (int i = 0; i < 2; ++i) {
    problem_.add_features(i == 0 ? "v_mean" : "v_max");
    problem_.add_observation(kObservation[i]);
  }
  problem_.set_algorithm(algorithm);
  problem_.mutable_estimator()->set_name(net);
  problem_.set_n_rounds(2);
  v1::TrainingSpec* const training = problem_.mutable_training();
  training->set_training_batch_size(50);
  training->set_learning_rate(1e-3);
  training->set_stop_after_epochs(20);
  const Eigen::Matrix2d precision =
      kA.transpose() * kA / (kNoise * kNoise) +
      (prior == "normal" ? 1.0 : 0.0) * Eigen::Matrix2d::Identity();
  covariance_ = precision.inverse();
  mean_ = covariance_ * kA.transpose() * kObservation / (kNoise * kNoise);
}

TaskRun LinearLab::Run() {
  TaskRun run;
  run.fetch_simulations = [this](const BlockSink& sink) -> absl::Status {
    for (const v1::SimulationBlock& block : blocks) {
      SOMAFIT_RETURN_IF_ERROR(sink(block));
    }
    return absl::OkStatus();
  };
  run.fetch_estimators = [this](int64_t round) -> absl::StatusOr<std::string> {
    const auto found = estimators.find(round);
    if (found == estimators.end()) return absl::NotFoundError("no such round");
    return found->second;
  };
  run.fetch_script = [this]() -> absl::StatusOr<std::string> { return script; };
  run.allow_scripts = allow_scripts;
  return run;
}

void LinearLab::Simulate(int64_t round, const std::vector<double>& theta) {
  RandomStream random(problem_.seed(), StreamPurpose::kExample, 0,
                      static_cast<uint32_t>(round));
  const Eigen::MatrixXd z = ToZ(theta);
  // Blocks of a size that does not divide a round.
  for (Eigen::Index i = 0; i < z.cols(); ++i) {
    if (i % 300 == 0) blocks.emplace_back();
    v1::SimulationBlock& block = blocks.back();
    const Eigen::Vector2d clean = kA * z.col(i);
    block.add_round(round);
    for (int k = 0; k < 2; ++k) {
      block.add_theta(theta[2 * i + k]);
      block.add_x(clean[k] + kNoise * random.Normal());
    }
  }
}

absl::StatusOr<DrawOutcome> LinearLab::Draw(int64_t round, int64_t n) {
  SOMAFIT_ASSIGN_OR_RETURN(const Problem checked, ReadProblem(problem_));
  v1::DrawTask task;
  task.set_round(round);
  task.set_n(n);
  return DoDraws(checked, task, posteriors_, Run());
}

absl::StatusOr<TrainingOutcome> LinearLab::Train(int64_t round) {
  SOMAFIT_ASSIGN_OR_RETURN(const Problem checked, ReadProblem(problem_));
  v1::TrainTask task;
  task.set_round(round);
  return DoTraining(checked, task, posteriors_, Run());
}

v1::TrainingSummary LinearLab::DoRound(int64_t round, int64_t n) {
  const auto draws = Draw(round, n);
  EXPECT_TRUE(draws.ok()) << draws.status();
  if (!draws.ok()) return {};
  EXPECT_EQ(draws->theta.size(), static_cast<size_t>(2 * n));
  Simulate(round, draws->theta);
  auto outcome = Train(round);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  if (!outcome.ok()) return {};
  estimators[round] = outcome->estimators;
  return outcome->summary;
}

absl::StatusOr<v1::PosteriorAnswer> LinearLab::Ask(
    const v1::AskPosteriorRequest& ask, int64_t round) {
  SOMAFIT_ASSIGN_OR_RETURN(const Problem checked, ReadProblem(problem_));
  v1::AskTask task;
  *task.mutable_ask() = ask;
  task.set_round(round);
  SOMAFIT_ASSIGN_OR_RETURN(const auto answers,
                           DoQuestion(checked, task, posteriors_, Run()));
  v1::PosteriorAnswer all;
  for (const v1::PosteriorAnswer& answer : answers) all.MergeFrom(answer);
  return all;
}

Eigen::MatrixXd LinearLab::PosteriorDraws(int64_t round, int64_t n) {
  v1::AskPosteriorRequest ask;
  ask.mutable_draw()->set_n(n);
  ask.mutable_draw()->set_seed(5);
  const auto answer = Ask(ask, round);
  EXPECT_TRUE(answer.ok()) << answer.status();
  if (!answer.ok()) return Eigen::MatrixXd::Zero(2, n);
  return ToZ({answer->theta().data(), static_cast<size_t>(2 * n)});
}

std::vector<double> LinearLab::ToTheta(const Eigen::MatrixXd& z) {
  std::vector<double> theta;
  for (Eigen::Index i = 0; i < z.size(); ++i) {
    theta.push_back(kMean[i % 2] + kSigma[i % 2] * z.data()[i]);
  }
  return theta;
}

Eigen::MatrixXd LinearLab::ToZ(std::span<const double> theta) {
  Eigen::MatrixXd z(2, static_cast<Eigen::Index>(theta.size() / 2));
  for (size_t i = 0; i < theta.size(); ++i) {
    z.data()[i] = (theta[i] - kMean[i % 2]) / kSigma[i % 2];
  }
  return z;
}

void ExpectPosterior(const LinearLab& lab, const Eigen::MatrixXd& z, double off,
                     double spread) {
  const Eigen::VectorXd mean = z.rowwise().mean();
  const Eigen::MatrixXd centered = z.colwise() - mean;
  const Eigen::MatrixXd covariance =
      centered * centered.transpose() / static_cast<double>(z.cols());
  for (int i = 0; i < 2; ++i) {
    const double sd = std::sqrt(lab.covariance()(i, i));
    EXPECT_NEAR(mean[i], lab.mean()[i], off * sd) << "parameter " << i;
    EXPECT_NEAR(std::sqrt(covariance(i, i)) / sd, 1, spread)
        << "parameter " << i;
  }
  const auto correlation = [](const Eigen::MatrixXd& c) {
    return c(0, 1) / std::sqrt(c(0, 0) * c(1, 1));
  };
  EXPECT_NEAR(correlation(covariance), correlation(lab.covariance()), 0.15);
}

}  // namespace somafit
