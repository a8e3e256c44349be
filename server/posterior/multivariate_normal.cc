// A normal prior whose parameters are correlated.

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/posterior/cholesky.h"
#include "server/posterior/normal.h"
#include "server/posterior/prior.h"
#include "worker/core/base/check.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

class NormalPrior final : public Prior {
 public:
  NormalPrior(const Eigen::VectorXd& mean, const Eigen::MatrixXd& covariance,
              const Eigen::MatrixXd& lower)
      : mean_(mean),
        covariance_(covariance),
        lower_(lower),
        log_constant_(-0.5 * (LogDeterminant(lower) +
                              static_cast<double>(mean.size()) *
                                  1.8378770664093454836)),  // log 2 pi
        support_(mean.size(), {-std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::infinity()}) {}

  size_t size() const override { return mean_.size(); }
  void ToUniform(std::span<const double> theta,
                 std::span<double> u) const override {
    SOMAFIT_CHECK(theta.size() == size() && u.size() == size());
    const Eigen::VectorXd z = SolveLower(lower_, OffMean(theta));
    for (size_t i = 0; i < size(); ++i) u[i] = NormalCdf(z[i]);
  }
  void FromUniform(std::span<const double> u,
                   std::span<double> theta) const override {
    SOMAFIT_CHECK(theta.size() == size() && u.size() == size());
    std::vector<double> z(size());
    for (size_t i = 0; i < size(); ++i) z[i] = NormalQuantile(InsideUnit(u[i]));
    for (size_t i = 0; i < size(); ++i) {
      double sum = mean_[i];
      for (size_t k = 0; k <= i; ++k) sum += lower_(i, k) * z[k];
      theta[i] = sum;
    }
  }
  double LogDensity(std::span<const double> theta) const override {
    SOMAFIT_CHECK(theta.size() == size());
    return log_constant_ -
           0.5 * SolveLower(lower_, OffMean(theta)).squaredNorm();
  }
  const std::vector<Support>& support() const override { return support_; }
  std::vector<double> mean() const override {
    return {mean_.data(), mean_.data() + mean_.size()};
  }
  std::vector<double> standard_deviation() const override {
    std::vector<double> sd(size());
    for (size_t i = 0; i < size(); ++i) sd[i] = std::sqrt(covariance_(i, i));
    return sd;
  }
  std::optional<NormalForm> normal_form() const override {
    return NormalForm{mean_, InverseFromCholesky(lower_)};
  }

 private:
  Eigen::VectorXd OffMean(std::span<const double> theta) const {
    Eigen::VectorXd off(theta.size());
    for (size_t i = 0; i < size(); ++i) off[i] = theta[i] - mean_[i];
    return off;
  }

  const Eigen::VectorXd mean_;
  const Eigen::MatrixXd covariance_, lower_;
  const double log_constant_;
  const std::vector<Support> support_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Prior>> MakeNormalPrior(
    const Eigen::VectorXd& mean, const Eigen::MatrixXd& covariance) {
  const Eigen::Index n = mean.size();
  if (n == 0 || covariance.rows() != n || covariance.cols() != n) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a normal prior with a mean of ", n, " numbers has a covariance of ",
        covariance.rows(), " by ", covariance.cols(),
        ": both must be as many as there are parameters"));
  }
  if (!mean.allFinite() || !covariance.allFinite()) {
    return absl::InvalidArgumentError(
        "mean and covariance of a normal prior must be finite numbers");
  }
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < i; ++j) {
      if (covariance(i, j) != covariance(j, i)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the covariance of a normal prior is not symmetric: ",
            ShortestText(covariance(i, j)), " in row ", i, ", column ", j,
            ", but ", ShortestText(covariance(j, i)), " in row ", j,
            ", column ", i));
      }
    }
  }
  const std::optional<Eigen::MatrixXd> lower = Cholesky(covariance);
  if (!lower) {
    return absl::InvalidArgumentError(
        "the covariance of a normal prior is not positive definite: its "
        "diagonal holds variances, which are above 0, and no correlation may "
        "reach 1");
  }
  return std::make_unique<const NormalPrior>(mean, covariance, *lower);
}

}  // namespace somafit
