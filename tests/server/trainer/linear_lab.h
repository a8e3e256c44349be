#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "server/trainer/posteriors.h"
#include "server/trainer/proposal_task.h"
#include "server/trainer/training_task.h"

namespace somafit {

// An inference whose answer is known: x = A z + noise, where z are two
// parameters, each less its prior's mean and in units of its prior's standard
// deviation. Both live far from 1, as parameters of neurons do.
//
// Stands for the coordinator too: it keeps simulations and estimators.
class LinearLab {
 public:
  // `prior`: "normal" or "uniform" (z within -4 and 4: nearly flat where the
  // posterior is).
  LinearLab(const std::string& algorithm, const std::string& net,
            const std::string& prior = "uniform", uint64_t seed = 1);

  v1::InferenceProblem& problem() { return problem_; }
  TaskRun Run();

  // Adds n simulations of round `round` with parameters [n x 2].
  void Simulate(int64_t round, const std::vector<double>& theta);
  absl::StatusOr<DrawOutcome> Draw(int64_t round, int64_t n);
  absl::StatusOr<TrainingOutcome> Train(int64_t round);
  // All three; FAILs a test where one does.
  v1::TrainingSummary DoRound(int64_t round, int64_t n);
  // What an ask gives; all messages in one.
  absl::StatusOr<v1::PosteriorAnswer> Ask(const v1::AskPosteriorRequest& ask,
                                          int64_t round);
  // n draws of the posterior of a round, as z, in columns.
  Eigen::MatrixXd PosteriorDraws(int64_t round, int64_t n);

  // The true posterior of z at the observation, without bounds.
  const Eigen::VectorXd& mean() const { return mean_; }
  const Eigen::MatrixXd& covariance() const { return covariance_; }
  static std::vector<double> ToTheta(const Eigen::MatrixXd& z);
  static Eigen::MatrixXd ToZ(std::span<const double> theta);

  std::vector<v1::SimulationBlock> blocks;
  std::map<int64_t, std::string> estimators;
  std::string script;  // of the problem's estimator
  bool allow_scripts = false;

 private:
  v1::InferenceProblem problem_;
  Posteriors posteriors_;
  Eigen::VectorXd mean_;
  Eigen::MatrixXd covariance_;
};

// Expects the mean within `off` standard deviations and standard deviations
// within a factor of 1 +- `spread` of the true ones.
void ExpectPosterior(const LinearLab& lab, const Eigen::MatrixXd& z, double off,
                     double spread);

}  // namespace somafit
