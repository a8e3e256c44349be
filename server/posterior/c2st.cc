#include "server/posterior/c2st.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include <Eigen/Core>

#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr int kHiddenPerDimension = 10;
constexpr int kBatch = 200;
constexpr int kPatience = 10;
constexpr double kTolerance = 1e-4;
constexpr double kPenalty = 1e-4;
constexpr double kRate = 1e-3, kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

// Draws as numpy's RandomState makes them of the Mersenne twister, whose bits
// the C++ standard defines.
class TwisterDraws {
 public:
  explicit TwisterDraws(uint32_t seed) : twister_(seed) {}

  double Uniform(double low, double high) {
    const uint32_t a = Word() >> 5, b = Word() >> 6;
    return low + (high - low) * ((a * 67108864.0 + b) / 9007199254740992.0);
  }
  void Shuffle(std::vector<int>& values) {
    for (size_t i = values.size(); i-- > 1;) {
      std::swap(values[i], values[AtMost(static_cast<uint32_t>(i))]);
    }
  }

 private:
  uint32_t Word() { return static_cast<uint32_t>(twister_()); }
  uint32_t AtMost(uint32_t greatest) {
    uint32_t mask = greatest;
    for (const int shift : {1, 2, 4, 8, 16}) mask |= mask >> shift;
    uint32_t value = Word() & mask;
    while (value > greatest) value = Word() & mask;
    return value;
  }

  std::mt19937 twister_;
};

// A fully connected layer inside one array of all parameters.
struct Layer {
  Eigen::Index in, out, weights, biases;  // the latter two: offsets
};

// Two hidden layers and a logit. Samples are columns.
template <typename Scalar>
class Classifier {
 public:
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

  Classifier(Eigen::Index d, TwisterDraws& draws) {
    const Eigen::Index hidden = kHiddenPerDimension * d;
    Eigen::Index size = 0;
    for (const auto& [in, out] :
         {std::pair{d, hidden}, {hidden, hidden}, {hidden, Eigen::Index{1}}}) {
      layers_.push_back({in, out, size, size + in * out});
      size += in * out + out;
    }
    parameters_.resize(size);
    gradient_.resize(size);
    first_moment_ = second_moment_ = Vector::Zero(size);
    for (const Layer& layer : layers_) {
      const double bound =
          std::sqrt(6.0 / static_cast<double>(layer.in + layer.out));
      auto weights = Weights(parameters_, layer);
      for (Eigen::Index i = 0; i < layer.in; ++i) {
        for (Eigen::Index j = 0; j < layer.out; ++j) {
          weights(j, i) = static_cast<Scalar>(draws.Uniform(-bound, bound));
        }
      }
      for (Scalar& bias : Biases(parameters_, layer)) {
        bias = static_cast<Scalar>(draws.Uniform(-bound, bound));
      }
    }
  }

  // One step on a batch x [D x n] with labels 0 or 1; the loss before it.
  double Step(const Matrix& x, const Vector& labels) {
    const auto n = static_cast<Scalar>(x.cols());
    Forward(x);
    double loss = 0;
    delta_[2].resize(1, x.cols());
    for (Eigen::Index i = 0; i < x.cols(); ++i) {
      const Scalar logit = out_[2](0, i), small = std::exp(-std::fabs(logit));
      loss +=
          std::max(logit, Scalar{0}) - logit * labels[i] + std::log1p(small);
      delta_[2](0, i) =
          (logit < 0 ? small / (1 + small) : 1 / (1 + small)) - labels[i];
    }
    double squares = 0;
    for (int k = 2; k >= 0; --k) {
      const Layer& layer = layers_[k];
      const Matrix& in = k == 0 ? x : out_[k - 1];
      const auto weights = Weights(parameters_, layer);
      squares += weights.squaredNorm();
      auto slope = Weights(gradient_, layer);
      slope.noalias() = delta_[k] * in.transpose();
      slope = (slope + Scalar(kPenalty) * weights) / n;
      Biases(gradient_, layer) = delta_[k].rowwise().sum() / n;
      if (k > 0) {
        delta_[k - 1].noalias() = weights.transpose() * delta_[k];
        delta_[k - 1].array() *= (in.array() > 0).template cast<Scalar>();
      }
    }
    Adam();
    return (loss + 0.5 * kPenalty * squares) / n;
  }

  // How many columns of x are classified as `labels` say.
  int64_t Hits(const Matrix& x, const Vector& labels) {
    Forward(x);
    int64_t hits = 0;
    for (Eigen::Index i = 0; i < x.cols(); ++i) {
      hits += (out_[2](0, i) > 0) == (labels[i] > 0.5);
    }
    return hits;
  }

 private:
  static Eigen::Map<Matrix> Weights(Vector& of, const Layer& layer) {
    return {of.data() + layer.weights, layer.out, layer.in};
  }
  static Eigen::Map<Vector> Biases(Vector& of, const Layer& layer) {
    return {of.data() + layer.biases, layer.out};
  }
  void Forward(const Matrix& x) {
    for (int k = 0; k < 3; ++k) {
      const Matrix& in = k == 0 ? x : out_[k - 1];
      out_[k].noalias() = Weights(parameters_, layers_[k]) * in;
      out_[k].colwise() += Biases(parameters_, layers_[k]);
      if (k < 2) out_[k] = out_[k].cwiseMax(Scalar{0});
    }
  }
  // D. Kingma, J. Ba (2015), "Adam", ICLR, section 2, last paragraph.
  void Adam() {
    ++steps_;
    first_moment_ =
        Scalar(kBeta1) * first_moment_ + Scalar(1 - kBeta1) * gradient_;
    second_moment_ = Scalar(kBeta2) * second_moment_ +
                     Scalar(1 - kBeta2) * gradient_.cwiseAbs2();
    const double rate = kRate * std::sqrt(1 - std::pow(kBeta2, steps_)) /
                        (1 - std::pow(kBeta1, steps_));
    parameters_.array() -= Scalar(rate) * first_moment_.array() /
                           (second_moment_.array().sqrt() + Scalar(kEpsilon));
  }

  std::vector<Layer> layers_;
  Vector parameters_, gradient_, first_moment_, second_moment_;
  Matrix out_[3], delta_[3];
  int64_t steps_ = 0;
};

struct Fold {
  double accuracy;
  int epochs;
};

template <typename Scalar>
absl::StatusOr<Fold> TrainAndTest(const Eigen::MatrixXd& all,
                                  const Eigen::VectorXd& labels,
                                  const std::vector<int>& train,
                                  const std::vector<int>& test,
                                  const C2stOptions& options) {
  TwisterDraws draws(options.seed);
  Classifier<Scalar> classifier(all.rows(), draws);
  const auto n = static_cast<int>(train.size());
  const int batch = std::min(kBatch, n);
  std::vector<int> order = train, shuffle(train.size()), next(train.size());
  double best = std::numeric_limits<double>::infinity();
  int fruitless = 0, epochs = 0;
  typename Classifier<Scalar>::Matrix x;
  typename Classifier<Scalar>::Vector y;
  const auto gather = [&](const std::vector<int>& rows, int first, int count) {
    x.resize(all.rows(), count);
    y.resize(count);
    for (int i = 0; i < count; ++i) {
      x.col(i) = all.col(rows[first + i]).template cast<Scalar>();
      y[i] = static_cast<Scalar>(labels[rows[first + i]]);
    }
  };
  while (epochs < options.max_epochs && fruitless <= kPatience) {
    if (options.stop && options.stop()) {
      return absl::CancelledError("the two-sample test was stopped");
    }
    // A permutation of the last epoch's order.
    std::iota(shuffle.begin(), shuffle.end(), 0);
    draws.Shuffle(shuffle);
    for (int i = 0; i < n; ++i) next[i] = order[shuffle[i]];
    order.swap(next);
    double loss = 0;
    for (int first = 0; first < n; first += batch) {
      const int count = std::min(batch, n - first);
      gather(order, first, count);
      loss += classifier.Step(x, y) * count;
    }
    loss /= n;
    ++epochs;
    fruitless = loss > best - kTolerance ? fruitless + 1 : 0;
    best = std::min(best, loss);
  }
  gather(test, 0, static_cast<int>(test.size()));
  return Fold{static_cast<double>(classifier.Hits(x, y)) /
                  static_cast<double>(test.size()),
              epochs};
}

absl::Status Check(std::span<const double> x, std::span<const double> y,
                   size_t d, const C2stOptions& options) {
  if (d == 0 || x.size() % d != 0 || y.size() % d != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("samples of ", x.size(), " and ", y.size(),
                     " numbers are no rows of ", d, " parameters"));
  }
  if (options.folds < 2 || options.max_epochs < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a two-sample test needs 2 folds and an epoch at least, "
                     "not ",
                     options.folds, " and ", options.max_epochs));
  }
  const size_t least = 2 * static_cast<size_t>(options.folds);
  if (x.size() / d < least || y.size() / d < least) {
    return absl::InvalidArgumentError(
        absl::StrCat("a two-sample test with ", options.folds, " folds needs ",
                     least, " rows of each sample at least, not ", x.size() / d,
                     " and ", y.size() / d));
  }
  for (const std::span<const double> one : {x, y}) {
    for (size_t i = 0; i < one.size(); ++i) {
      if (!std::isfinite(one[i])) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the two-sample score is undefined: row ", i / d, " of the ",
            one.data() == x.data() ? "first" : "second", " sample holds ",
            ShortestText(one[i]), "; leave such rows out"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<C2stScore> C2st(std::span<const double> x,
                               std::span<const double> y, size_t d,
                               const C2stOptions& options) {
  SOMAFIT_RETURN_IF_ERROR(Check(x, y, d, options));
  const auto rows = static_cast<Eigen::Index>(d);
  const auto n_x = static_cast<Eigen::Index>(x.size() / d);
  const auto n_y = static_cast<Eigen::Index>(y.size() / d);
  using Eigen::MatrixXd;
  MatrixXd all(rows, n_x + n_y);
  all.leftCols(n_x) = Eigen::Map<const MatrixXd>(x.data(), rows, n_x);
  all.rightCols(n_y) = Eigen::Map<const MatrixXd>(y.data(), rows, n_y);
  Eigen::VectorXd labels = Eigen::VectorXd::Zero(n_x + n_y);
  labels.tail(n_y).setOnes();
  for (Eigen::Index k = 0; k < rows; ++k) {
    const double mean = all.row(k).head(n_x).mean();
    const double sd =
        std::sqrt((all.row(k).head(n_x).array() - mean).square().sum() /
                  static_cast<double>(n_x - 1));
    if (!(sd > 0) || !std::isfinite(sd)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "column ", k, " of the first sample has standard deviation ",
          ShortestText(sd), ": leave it out"));
    }
    all.row(k) = (all.row(k).array() - mean) / sd;
  }

  const auto n = static_cast<int>(all.cols());
  std::vector<int> shuffled(n);
  std::iota(shuffled.begin(), shuffled.end(), 0);
  TwisterDraws(options.seed).Shuffle(shuffled);
  C2stScore result;
  int first = 0;
  for (int fold = 0; fold < options.folds; ++fold) {
    const int count = n / options.folds + (fold < n % options.folds);
    std::vector<bool> held_out(n, false);
    for (int i = first; i < first + count; ++i) held_out[shuffled[i]] = true;
    first += count;
    std::vector<int> train, test;
    for (int i = 0; i < n; ++i) (held_out[i] ? test : train).push_back(i);
    SOMAFIT_ASSIGN_OR_RETURN(
        const Fold one,
        options.single_precision
            ? TrainAndTest<float>(all, labels, train, test, options)
            : TrainAndTest<double>(all, labels, train, test, options));
    result.of_fold.push_back(one.accuracy);
    result.score += one.accuracy / options.folds;
    result.epochs += one.epochs;
  }
  return result;
}

}  // namespace somafit
