// Truncated priors that are tiny parts of their priors, against regions that
// are known in closed form.

#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/posterior/c2st.h"
#include "server/posterior/cholesky.h"
#include "server/posterior/mixture_estimator.h"
#include "server/posterior/normal.h"
#include "server/posterior/proposal.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

// A normal distribution of which neighbours are correlated.
struct Gaussian {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};

Gaussian Correlated(const std::vector<double>& mean,
                    const std::vector<double>& sigma, double rho) {
  const auto d = static_cast<Eigen::Index>(mean.size());
  Gaussian gaussian{Eigen::VectorXd(d), Eigen::MatrixXd(d, d)};
  for (Eigen::Index i = 0; i < d; ++i) {
    gaussian.mean[i] = mean[i];
    for (Eigen::Index k = 0; k < d; ++k) {
      gaussian.covariance(i, k) =
          sigma[i] * sigma[k] * std::pow(rho, std::abs(double(i - k)));
    }
  }
  return gaussian;
}

std::shared_ptr<const Posterior> MixtureOf(
    const std::vector<Gaussian>& components,
    std::shared_ptr<const Prior> prior) {
  GaussianMixture mixture;
  for (const Gaussian& one : components) {
    mixture.log_weights.push_back(-std::log(double(components.size())));
    mixture.means.push_back(one.mean);
    mixture.precisions.push_back(
        InverseFromCholesky(*Cholesky(one.covariance)));
  }
  auto posterior =
      Posterior::Make({{MakeMixtureEstimator(mixture, 1)}}, std::move(prior));
  EXPECT_TRUE(posterior.ok()) << posterior.status();
  return *std::move(posterior);
}

// The squared radius that leaves `epsilon` of a normal distribution in 2, 4 or
// 6 dimensions outside: P(chi^2 > r) = exp(-r/2) sum_k (r/2)^k / k!.
double SquaredRadius(size_t d, double epsilon) {
  double low = 0, high = 200;
  for (int i = 0; i < 100; ++i) {
    const double half = 0.25 * (low + high);
    double sum = 1, term = 1;
    for (size_t k = 1; k < d / 2; ++k) sum += term *= half / double(k);
    (std::exp(-half) * sum > epsilon ? low : high) = 2 * half;
  }
  return low;
}

// Uniform on the ellipsoid of that size: an independent way to draw.
std::vector<double> UniformOnEllipsoid(const Gaussian& gaussian,
                                       double squared_radius, size_t n) {
  const auto d = gaussian.mean.size();
  const Eigen::MatrixXd lower = *Cholesky(gaussian.covariance);
  std::vector<double> theta;
  RandomStream random(3, StreamPurpose::kExample, 0, 0);
  while (theta.size() < n * static_cast<size_t>(d)) {
    Eigen::VectorXd z(d);
    for (Eigen::Index i = 0; i < d; ++i) z[i] = 2 * random.Uniform() - 1;
    if (z.squaredNorm() > 1) continue;
    const Eigen::VectorXd at =
        gaussian.mean + std::sqrt(squared_radius) * (lower * z);
    theta.insert(theta.end(), at.data(), at.data() + d);
  }
  return theta;
}

double Volume(const Gaussian& gaussian, double squared_radius) {
  const auto d = static_cast<double>(gaussian.mean.size());
  return std::pow(M_PI * squared_radius, d / 2) / std::tgamma(d / 2 + 1) *
         std::exp(0.5 * LogDeterminant(*Cholesky(gaussian.covariance)));
}

// Coverage, means and spread of draws against draws from the ellipsoid that
// have the prior's density as weights.
void ExpectPriorOnEllipsoid(const Proposal& proposal, const Draws& draws,
                            const Prior& prior, const Gaussian& gaussian,
                            double squared_radius) {
  const size_t d = prior.size(), n = draws.log_density.size();
  const std::vector<double> truth =
      UniformOnEllipsoid(gaussian, squared_radius, 20'000);
  double total = 0;
  std::vector<double> mean(d), square(d);
  for (size_t i = 0; i < truth.size(); i += d) {
    const double weight =
        std::exp(prior.LogDensity(std::span(truth).subspan(i, d)));
    total += weight;
    for (size_t k = 0; k < d; ++k) {
      mean[k] += weight * truth[i + k];
      square[k] += weight * truth[i + k] * truth[i + k];
    }
  }
  const Share coverage = proposal.coverage();
  const double known = Volume(gaussian, squared_radius) * total / 20'000;
  EXPECT_NEAR(coverage.value / known, 1,
              4 * coverage.error / coverage.value + 0.03);
  EXPECT_LT(coverage.error / coverage.value, 0.05);
  for (size_t k = 0; k < d; ++k) {
    mean[k] /= total;
    const double sd = std::sqrt(square[k] / total - mean[k] * mean[k]);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; ++i) {
      const double off = (draws.theta[i * d + k] - mean[k]) / sd;
      sum += off;
      squares += off * off;
    }
    const auto count = static_cast<double>(n);
    EXPECT_NEAR(sum / count, 0, 5 * std::sqrt(1 / count + 1 / 2e4)) << k;
    EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(1 / count) + 0.02) << k;
  }
  const Eigen::MatrixXd lower = *Cholesky(gaussian.covariance);
  double farthest = 0;
  for (size_t i = 0; i < n; ++i) {
    Eigen::VectorXd off(d);
    for (size_t k = 0; k < d; ++k) {
      off[k] = draws.theta[i * d + k] - gaussian.mean[k];
    }
    farthest = std::max(farthest, SolveLower(lower, off).squaredNorm());
  }
  EXPECT_LT(farthest, 1.03 * squared_radius);
  EXPECT_GT(farthest, 0.97 * squared_radius);
}

TEST(TruncatedPriorTest, DrawsUniformlyFromATinyTiltedEllipsoid) {
  const std::shared_ptr<const Prior> prior =
      MakeBoxPrior(std::vector<Support>(4, {-1, 1}));
  const Gaussian gaussian =
      Correlated({0.2, -0.3, 0.1, 0.5}, {0.028, 0.028, 0.028, 0.028}, 0.95);
  const auto posterior = MixtureOf({gaussian}, prior);
  const auto proposal = MakeTruncatedPrior(posterior, {0}, {.epsilon = 0.01});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  const double squared_radius = SquaredRadius(4, 0.01);
  EXPECT_LT((*proposal)->coverage().value, 2e-6);
  ASSERT_EQ((*proposal)->messages().size(), 1u);
  EXPECT_THAT((*proposal)->messages()[0],
              HasSubstr("within an ellipsoid and a box around it"));
  const auto draws = (*proposal)->Sample(5000, {7, 1}, {});
  ASSERT_TRUE(draws.ok()) << draws.status();
  ASSERT_EQ(draws->log_density.size(), 5000u);
  EXPECT_GT(draws->acceptance.value, 0.3);
  ExpectPriorOnEllipsoid(**proposal, *draws, *prior, gaussian, squared_radius);
  EXPECT_NEAR(draws->log_density[17],
              -std::log(16 * (*proposal)->coverage().value), 1e-9);
  const std::vector<double> truth =
      UniformOnEllipsoid(gaussian, squared_radius, 1000);
  const auto score =
      C2st(truth, std::span(draws->theta).first(4000), 4, {.folds = 3});
  ASSERT_TRUE(score.ok());
  EXPECT_LT(score->score, 0.55);
  // Whatever the batches, how many are drawn, and who makes the proposal.
  const auto again = MakeTruncatedPrior(posterior, {0}, {.epsilon = 0.01});
  const auto fewer = (*again)->Sample(700, {7, 1}, {.batch = 61});
  EXPECT_TRUE(std::equal(fewer->theta.begin(), fewer->theta.end(),
                         draws->theta.begin()));
}

// As a round asks for it: the default truncation, and as many draws as were
// too many for rejection from prior or posterior.
TEST(TruncatedPriorTest, HasAsManyDrawsAsARoundTakes) {
  const std::shared_ptr<const Prior> prior =
      MakeBoxPrior(std::vector<Support>(4, {0, 1e-4}));
  // The last one is not known at all.
  const auto posterior = MixtureOf(
      {Correlated({5e-5, 2e-5, 1e-5, 5e-5}, {6e-7, 1e-6, 4e-7, 1e-3}, 0.6)},
      prior);
  const auto proposal = MakeTruncatedPrior(posterior, {0});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_LT((*proposal)->coverage().value, 1e-3);
  const auto draws = (*proposal)->Sample(10'000, {1, 1}, {});
  ASSERT_TRUE(draws.ok()) << draws.status();
  EXPECT_EQ(draws->end, DrawEnd::kComplete);
  EXPECT_GT(draws->acceptance.value, 0.1);
  const auto log_density = posterior->LogDensity(draws->theta, {{0.0}});
  EXPECT_GT(*std::min_element(log_density->begin(), log_density->end()), -kInf);
}

TEST(TruncatedPriorTest, KeepsTheShapeOfProductPriors) {
  const std::vector<MarginalSpec> specs = {
      {"a", "normal", {{"mean", 0}, {"sigma", 1}}},
      {"b", "log_uniform", {{"lower", 1e-12}, {"upper", 1e-6}}},
      {"c", "normal", {{"mean", -1}, {"sigma", 2}}},
      {"d", "log_uniform", {{"lower", 0.1}, {"upper", 1e4}}}};
  const std::shared_ptr<const Prior> prior = MakePrior(specs).value();
  const Gaussian gaussian =
      Correlated({2, 1e-9, 1, 20}, {0.1, 1.5e-10, 0.1, 3}, 0.7);
  const auto proposal =
      MakeTruncatedPrior(MixtureOf({gaussian}, prior), {0}, {.epsilon = 0.01});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_LT((*proposal)->coverage().value, 1e-3);
  const auto draws = (*proposal)->Sample(5000, {7, 1}, {});
  ASSERT_TRUE(draws.ok()) << draws.status();
  EXPECT_GT(draws->acceptance.value, 0.2);
  ExpectPriorOnEllipsoid(**proposal, *draws, *prior, gaussian,
                         SquaredRadius(4, 0.01));
}

TEST(TruncatedPriorTest, KeepsTheShapeOfACorrelatedPrior) {
  const Gaussian wide = Correlated({0, 0, 0, 0}, {1, 2, 1, 2}, 0.5);
  const std::shared_ptr<const Prior> prior =
      MakeNormalPrior(wide.mean, wide.covariance).value();
  const Gaussian gaussian =
      Correlated({1.5, 2, -1, 0}, {0.1, 0.1, 0.1, 0.1}, -0.5);
  const auto proposal =
      MakeTruncatedPrior(MixtureOf({gaussian}, prior), {0}, {.epsilon = 0.01});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  const auto draws = (*proposal)->Sample(5000, {7, 1}, {});
  ASSERT_TRUE(draws.ok()) << draws.status();
  EXPECT_GT(draws->acceptance.value, 0.1);
  ExpectPriorOnEllipsoid(**proposal, *draws, *prior, gaussian,
                         SquaredRadius(4, 0.01));
}

// One ellipsoid around both would be nearly empty.
TEST(TruncatedPriorTest, CoversModesOneByOne) {
  const std::shared_ptr<const Prior> prior =
      MakeBoxPrior(std::vector<Support>(4, {-1, 1}));
  const std::vector<double> sigma(4, 0.02);
  const Gaussian left = Correlated({-0.5, -0.5, -0.5, -0.5}, sigma, 0.5);
  const Gaussian right = Correlated({0.5, 0.5, 0.5, 0.5}, sigma, -0.5);
  const auto proposal = MakeTruncatedPrior(MixtureOf({left, right}, prior), {0},
                                           {.epsilon = 0.01});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_THAT((*proposal)->messages()[0], HasSubstr(" ellipsoids"));
  const Share coverage = (*proposal)->coverage();
  EXPECT_NEAR(coverage.value * 16 / (2 * Volume(left, SquaredRadius(4, 0.01))),
              1, 0.03 + 4 * coverage.error / coverage.value);
  const auto draws = (*proposal)->Sample(4000, {7, 1}, {});
  ASSERT_TRUE(draws.ok());
  EXPECT_GT(draws->acceptance.value, 0.1);
  int n_left = 0;
  for (size_t i = 0; i < draws->theta.size(); i += 4) {
    n_left += draws->theta[i] < 0;
  }
  EXPECT_NEAR(n_left, 2000, 5 * std::sqrt(1000) + 40);
}

// Ellipsoids overlap along a curve: where they do, draws must not be denser.
TEST(TruncatedPriorTest, DrawsUniformlyFromARing) {
  const std::shared_ptr<const Prior> prior =
      MakeBoxPrior(std::vector<Support>(3, {-50, 50}));
  std::vector<Gaussian> components;
  for (int i = 0; i < 24; ++i) {
    const double angle = 2 * M_PI * i / 24;
    components.push_back(Correlated(
        {6 * std::cos(angle), 6 * std::sin(angle), 0}, {0.6, 0.6, 0.2}, 0));
  }
  const auto posterior = MixtureOf(components, prior);
  const auto proposal = MakeTruncatedPrior(posterior, {0}, {.epsilon = 0.01});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  const auto draws = (*proposal)->Sample(5000, {7, 1}, {});
  ASSERT_TRUE(draws.ok());
  // By brute force from a box around it, with the density's least value among
  // the draws as threshold.
  const auto density = *posterior->Potential(draws->theta, {{0.0}});
  const double threshold = *std::min_element(density.begin(), density.end());
  const auto box =
      MakeBoxPrior(std::vector<Support>{{-9, 9}, {-9, 9}, {-1, 1}});
  std::vector<double> all(3 * 100'000), truth;
  SamplePrior(*box, {5, 5}, 0, all);
  const auto potential = *posterior->Potential(all, {{0.0}});
  for (size_t i = 0; i < potential.size(); ++i) {
    if (potential[i] < threshold) continue;
    truth.insert(truth.end(), all.begin() + 3 * i, all.begin() + 3 * i + 3);
  }
  const auto found = static_cast<double>(truth.size()) / 3;
  const Share coverage = (*proposal)->coverage();
  EXPECT_NEAR(coverage.value * 1e6 / (648 * found / 1e5), 1,
              0.04 + 4 * coverage.error / coverage.value);
  std::vector<double> a(24), b(24);
  const auto count = [](const std::vector<double>& theta,
                        std::vector<double>& sector) {
    for (size_t i = 0; i < theta.size(); i += 3) {
      const double angle = std::atan2(theta[i + 1], theta[i]) / (2 * M_PI);
      sector[static_cast<size_t>((angle + 0.5) * 23.999)] +=
          3 / static_cast<double>(theta.size());
    }
  };
  count(draws->theta, a);
  count(truth, b);
  for (size_t i = 0; i < 24; ++i) EXPECT_NEAR(a[i], b[i], 0.02) << i;
  const auto score =
      C2st(std::span(truth).first(3 * 1500),
           std::span(draws->theta).first(3 * 1500), 3, {.folds = 3});
  ASSERT_TRUE(score.ok());
  EXPECT_LT(score->score, 0.55);
}

// More modes than ellipsoids, none of which may be lost.
TEST(TruncatedPriorTest, ResamplesAsALastResort) {
  const size_t d = 6;
  const std::shared_ptr<const Prior> prior =
      MakeBoxPrior(std::vector<Support>(d, {-1, 1}));
  std::vector<Gaussian> components;
  std::vector<double> centres(d * 40);
  SamplePrior(*MakeBoxPrior(std::vector<Support>(d, {-0.9, 0.9})), {9, 9}, 0,
              centres);
  for (size_t i = 0; i < centres.size(); i += d) {
    components.push_back(
        Correlated({centres.begin() + i, centres.begin() + i + d},
                   std::vector<double>(d, 0.004), 0));
  }
  const auto posterior = MixtureOf(components, prior);
  const auto proposal = MakeTruncatedPrior(posterior, {0});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  ASSERT_EQ((*proposal)->messages().size(), 1u);
  EXPECT_THAT((*proposal)->messages()[0],
              HasSubstr("importance resampling, which is only nearly"));
  const double squared_radius = SquaredRadius(6, 1e-4);
  const Share coverage = (*proposal)->coverage();
  EXPECT_NEAR(
      coverage.value / (40 * Volume(components[0], squared_radius) / 64), 1,
      4 * coverage.error / coverage.value);
  EXPECT_LT(coverage.error / coverage.value, 0.15);
  const auto draws = (*proposal)->Sample(1000, {7, 1}, {});
  ASSERT_TRUE(draws.ok()) << draws.status();
  ASSERT_EQ(draws->log_density.size(), 1000u);
  const auto again = (*proposal)->Sample(200, {7, 1}, {.batch = 1000});
  EXPECT_TRUE(std::equal(again->theta.begin(), again->theta.end(),
                         draws->theta.begin()));
  // A normal distribution has a mean squared radius of 6 there, the uniform one
  // 0.75 of the largest.
  double sum = 0;
  for (size_t i = 0; i < draws->theta.size(); i += d) {
    double least = kInf;
    for (const Gaussian& one : components) {
      double square = 0;
      for (size_t k = 0; k < d; ++k) {
        const double off = (draws->theta[i + k] - one.mean[k]) / 0.004;
        square += off * off;
      }
      least = std::min(least, square);
    }
    EXPECT_LT(least, 1.05 * squared_radius);
    sum += least;
  }
  // Nearly.
  EXPECT_NEAR(sum / 1000, 0.75 * squared_radius, 4);
  EXPECT_THAT(draws->messages,
              testing::Contains(HasSubstr("effective sample")));
}

}  // namespace
}  // namespace somafit
