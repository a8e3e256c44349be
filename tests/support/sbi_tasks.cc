#include "tests/support/sbi_tasks.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include <Eigen/Dense>

#include "server/posterior/normal.h"
#include "tests/support/csv_matrix.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

const double kRootHalf = std::sqrt(0.5);

// data/sbibm of the folder in SOMAFIT_SHARED, by default ../shared.
std::string SharedFolder(std::string_view path) {
  const char* shared = std::getenv("SOMAFIT_SHARED");
  return absl::StrCat(shared != nullptr ? shared : "../shared", "/data/sbibm/",
                      std::string(path));
}

std::shared_ptr<const Prior> Box(double bound, size_t d) {
  return MakeBoxPrior(std::vector<Support>(d, {-bound, bound}));
}

bool InBox(std::span<const double> theta, double bound) {
  return std::all_of(theta.begin(), theta.end(), [bound](double one) {
    return one >= -bound && one < bound;
  });
}

class TwoMoons final : public SbiTask {
 public:
  std::string_view name() const override { return "two_moons"; }
  size_t n_parameters() const override { return 2; }
  size_t n_features() const override { return 2; }
  std::shared_ptr<const Prior> prior() const override { return Box(1, 2); }
  void Simulate(std::span<const double> theta, RandomStream& random,
                std::span<double> x) const override {
    double p[2];
    Crescent(random, p);
    x[0] = p[0] - std::fabs(theta[0] + theta[1]) * kRootHalf;
    x[1] = p[1] + (-theta[0] + theta[1]) * kRootHalf;
  }
  // With s = (t1 + t2)/sqrt 2 and d = (t2 - t1)/sqrt 2: |s| = p1 - x1 and
  // d = x2 - p2. The prior is flat in both; s has either sign. A crescent that
  // would need a negative |s| is none: another is drawn.
  void SamplePosterior(std::span<const double> x, RandomStream& random,
                       std::span<double> theta) const override {
    do {
      double p[2];
      Crescent(random, p);
      double sum = p[0] - x[0];
      const double difference = x[1] - p[1];
      const bool flip = random.Uniform() < 0.5;
      if (sum < 0) {
        theta[0] = 2;  // outside
        continue;
      }
      if (flip) sum = -sum;
      theta[0] = (sum - difference) * kRootHalf;
      theta[1] = (sum + difference) * kRootHalf;
    } while (!InBox(theta, 1));
  }

 private:
  static void Crescent(RandomStream& random, double* p) {
    const double a = M_PI * (OpenUniform(random) - 0.5);
    const double r = 0.1 + 0.01 * StandardNormal(random);
    p[0] = r * Cos(a) + 0.25;
    p[1] = r * Sin(a);
  }
};

class GaussianLinear final : public SbiTask {
 public:
  std::string_view name() const override { return "gaussian_linear"; }
  size_t n_parameters() const override { return 10; }
  size_t n_features() const override { return 10; }
  std::shared_ptr<const Prior> prior() const override {
    auto prior = MakeNormalPrior(Eigen::VectorXd::Zero(10),
                                 0.1 * Eigen::MatrixXd::Identity(10, 10));
    SOMAFIT_CHECK(prior.ok());
    return *std::move(prior);
  }
  void Simulate(std::span<const double> theta, RandomStream& random,
                std::span<double> x) const override {
    for (size_t i = 0; i < 10; ++i) {
      x[i] = theta[i] + std::sqrt(0.1) * StandardNormal(random);
    }
  }
  void SamplePosterior(std::span<const double> x, RandomStream& random,
                       std::span<double> theta) const override {
    for (size_t i = 0; i < 10; ++i) {
      theta[i] = 0.5 * x[i] + std::sqrt(0.05) * StandardNormal(random);
    }
  }
};

class GaussianLinearUniform final : public SbiTask {
 public:
  std::string_view name() const override { return "gaussian_linear_uniform"; }
  size_t n_parameters() const override { return 10; }
  size_t n_features() const override { return 10; }
  std::shared_ptr<const Prior> prior() const override { return Box(1, 10); }
  void Simulate(std::span<const double> theta, RandomStream& random,
                std::span<double> x) const override {
    for (size_t i = 0; i < 10; ++i) {
      x[i] = theta[i] + std::sqrt(0.1) * StandardNormal(random);
    }
  }
  // Dimensions are independent: each is a truncated normal distribution.
  void SamplePosterior(std::span<const double> x, RandomStream& random,
                       std::span<double> theta) const override {
    for (size_t i = 0; i < 10; ++i) {
      do {
        theta[i] = x[i] + std::sqrt(0.1) * StandardNormal(random);
      } while (!InBox(theta.subspan(i, 1), 1));
    }
  }
};

class GaussianMixtureTask final : public SbiTask {
 public:
  std::string_view name() const override { return "gaussian_mixture"; }
  size_t n_parameters() const override { return 2; }
  size_t n_features() const override { return 2; }
  std::shared_ptr<const Prior> prior() const override { return Box(10, 2); }
  void Simulate(std::span<const double> theta, RandomStream& random,
                std::span<double> x) const override {
    const double sd = random.Uniform() < 0.5 ? 1.0 : 0.1;
    for (size_t i = 0; i < 2; ++i) {
      x[i] = theta[i] + sd * StandardNormal(random);
    }
  }
  void SamplePosterior(std::span<const double> x, RandomStream& random,
                       std::span<double> theta) const override {
    do {
      Simulate(x, random, theta);
    } while (!InBox(theta, 10));
  }
};

class Slcp final : public SbiTask {
 public:
  std::string_view name() const override { return "slcp"; }
  size_t n_parameters() const override { return 5; }
  size_t n_features() const override { return 8; }
  std::shared_ptr<const Prior> prior() const override { return Box(3, 5); }
  void Simulate(std::span<const double> theta, RandomStream& random,
                std::span<double> x) const override {
    const double s1 = theta[2] * theta[2], s2 = theta[3] * theta[3];
    const double covariance = Tanh(theta[4]) * s1 * s2;
    const double l11 = std::sqrt(s1 * s1 + 1e-6), l21 = covariance / l11;
    const double l22 = std::sqrt(s2 * s2 + 1e-6 - l21 * l21);
    for (size_t k = 0; k < 8; k += 2) {
      const double a = StandardNormal(random), b = StandardNormal(random);
      x[k] = theta[0] + l11 * a;
      x[k + 1] = theta[1] + l21 * a + l22 * b;
    }
  }
  bool has_posterior() const override { return false; }
  void SamplePosterior(std::span<const double>, RandomStream&,
                       std::span<double>) const override {
    SOMAFIT_CHECK(false);
  }
};

// A neuron that spikes or not in each of 100 bins, by a filter of white noise
// and a bias; x are the sufficient statistics, X^T y. The noise is the
// benchmark's own, since observations were made with it.
class BernoulliGlm final : public SbiTask {
 public:
  // nullptr where its design matrix [bins x D] is not there.
  static const BernoulliGlm* Load() {
    const auto design =
        ReadCsv(SharedFolder("bernoulli_glm/design_matrix.csv"));
    if (!design.ok() || design->columns != kD) return nullptr;
    return new BernoulliGlm(design->values);
  }

  std::string_view name() const override { return "bernoulli_glm"; }
  size_t n_parameters() const override { return kD; }
  size_t n_features() const override { return kD; }
  std::shared_ptr<const Prior> prior() const override { return prior_; }
  void Simulate(std::span<const double> theta, RandomStream& random,
                std::span<double> x) const override {
    std::fill(x.begin(), x.end(), 0);
    for (size_t t = 0; t < design_.size() / kD; ++t) {
      const double* const row = design_.data() + t * kD;
      double sum = 0;
      for (size_t j = 0; j < kD; ++j) sum += row[j] * theta[j];
      if (random.Uniform() * (1 + Exp(-sum)) >= 1) continue;
      for (size_t j = 0; j < kD; ++j) x[j] += row[j];
    }
  }
  bool has_posterior() const override { return false; }
  void SamplePosterior(std::span<const double>, RandomStream&,
                       std::span<double>) const override {
    SOMAFIT_CHECK(false);
  }

 private:
  static constexpr size_t kD = 10;

  explicit BernoulliGlm(std::vector<double> design)
      : design_(std::move(design)) {
    // A smooth filter: its second differences are independent.
    Eigen::MatrixXd difference = Eigen::MatrixXd::Identity(kD - 1, kD - 1);
    difference.diagonal(-1).setConstant(-1);
    Eigen::MatrixXd factor = difference * difference;
    for (size_t i = 0; i < kD - 1; ++i) {
      factor(i, i) += std::sqrt(static_cast<double>(i) / 9);
    }
    Eigen::MatrixXd precision = Eigen::MatrixXd::Zero(kD, kD);
    precision(0, 0) = 0.5;
    precision.bottomRightCorner(kD - 1, kD - 1) = factor.transpose() * factor;
    const Eigen::MatrixXd inverse = precision.inverse();
    auto prior = MakeNormalPrior(Eigen::VectorXd::Zero(kD),
                                 (inverse + inverse.transpose()) / 2);
    SOMAFIT_CHECK(prior.ok());
    prior_ = *std::move(prior);
  }

  const std::vector<double> design_;
  std::shared_ptr<const Prior> prior_;
};

// Rounds of the streams of examples.
constexpr uint32_t kSimulate = 0, kDrawExact = 1;

RandomStream Stream(uint64_t seed, uint32_t what, int64_t i) {
  return {seed, StreamPurpose::kExample, what, static_cast<uint32_t>(i)};
}

}  // namespace

const std::vector<const SbiTask*>& AllSbiTasks() {
  static const auto* const tasks = [] {
    auto* const all = new std::vector<const SbiTask*>{
        new TwoMoons, new GaussianLinear, new GaussianLinearUniform,
        new GaussianMixtureTask, new Slcp};
    if (const auto* const glm = BernoulliGlm::Load()) all->push_back(glm);
    return all;
  }();
  return *tasks;
}

const SbiTask* FindSbiTask(std::string_view name) {
  for (const SbiTask* task : AllSbiTasks()) {
    if (task->name() == name) return task;
  }
  return nullptr;
}

Simulations SimulateFromPrior(const SbiTask& task, uint64_t seed, int64_t first,
                              int64_t n) {
  const size_t d = task.n_parameters(), e = task.n_features();
  Simulations all{std::vector<double>(n * d), std::vector<double>(n * e)};
  SamplePrior(*task.prior(), {seed, 0}, first, all.theta);
  for (int64_t i = 0; i < n; ++i) {
    RandomStream random = Stream(seed, kSimulate, first + i);
    task.Simulate(std::span(all.theta).subspan(i * d, d), random,
                  std::span(all.x).subspan(i * e, e));
  }
  return all;
}

std::vector<double> SimulateAt(const SbiTask& task, uint64_t seed,
                               std::span<const double> theta) {
  const size_t d = task.n_parameters(), e = task.n_features();
  std::vector<double> x(theta.size() / d * e);
  for (size_t i = 0; i < theta.size() / d; ++i) {
    RandomStream random = Stream(seed, kSimulate, static_cast<int64_t>(i));
    task.Simulate(theta.subspan(i * d, d), random,
                  std::span(x).subspan(i * e, e));
  }
  return x;
}

std::vector<double> ExactPosterior(const SbiTask& task,
                                   std::span<const double> x, uint64_t seed,
                                   int64_t n) {
  const size_t d = task.n_parameters();
  std::vector<double> theta(n * d);
  for (int64_t i = 0; i < n; ++i) {
    RandomStream random = Stream(seed, kDrawExact, i);
    task.SamplePosterior(x, random, std::span(theta).subspan(i * d, d));
  }
  return theta;
}

absl::StatusOr<SbiReference> ReadSbiReference(std::string_view task,
                                              int observation) {
  const std::string folder =
      SharedFolder(absl::StrCat(std::string(task), "/", observation, "/"));
  SOMAFIT_ASSIGN_OR_RETURN(CsvMatrix x, ReadCsv(folder + "observation.csv"));
  SOMAFIT_ASSIGN_OR_RETURN(CsvMatrix truth,
                           ReadCsv(folder + "true_parameters.csv"));
  SOMAFIT_ASSIGN_OR_RETURN(
      CsvMatrix posterior,
      ReadCsv(folder + "reference_posterior_samples.csv.bz2"));
  return SbiReference{std::move(x.values), std::move(truth.values),
                      std::move(posterior.values)};
}

}  // namespace somafit
