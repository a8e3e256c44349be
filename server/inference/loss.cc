#include "server/inference/loss.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"

#include "Eigen/Cholesky"
#include "worker/core/base/check.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// A column-major double matrix or vector as a tensor of its own.
at::Tensor ToTensor(const Eigen::MatrixXd& matrix) {
  at::Tensor tensor = at::empty({matrix.rows(), matrix.cols()}, at::kDouble);
  for (Eigen::Index r = 0; r < matrix.rows(); ++r) {
    for (Eigen::Index c = 0; c < matrix.cols(); ++c) {
      tensor.data_ptr<double>()[r * matrix.cols() + c] = matrix(r, c);
    }
  }
  return tensor;
}

absl::Status CheckMixture(const Model& model, const TrainingLoss& loss) {
  const auto d = static_cast<Eigen::Index>(model.spec.n_parameters());
  const GaussianMixture& proposal = loss.proposal;
  if (model.spec.net != "mdn" || !model.theta_map.affine()) {
    return absl::InvalidArgumentError(
        "the mixture loss needs the estimator mdn, in bounded space");
  }
  bool fits = !proposal.log_weights.empty() &&
              proposal.means.size() == proposal.log_weights.size() &&
              proposal.precisions.size() == proposal.log_weights.size() &&
              loss.prior_mean.size() == d && loss.prior_mean.allFinite() &&
              loss.prior_precision.rows() == d &&
              loss.prior_precision.cols() == d &&
              loss.prior_precision.allFinite();
  for (size_t i = 0; fits && i < proposal.means.size(); ++i) {
    fits = std::isfinite(proposal.log_weights[i]) &&
           proposal.means[i].size() == d && proposal.means[i].allFinite() &&
           proposal.precisions[i].rows() == d &&
           proposal.precisions[i].cols() == d &&
           proposal.precisions[i].llt().info() == Eigen::Success;
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the mixture loss needs a proposal and a prior over ", d,
      " parameters, finite and with positive definite precisions"));
}

// x'P y over the last axes, with P [... x D x D].
at::Tensor Quadratic(const at::Tensor& precision, const at::Tensor& x) {
  return (at::matmul(precision, x.unsqueeze(-1)).squeeze(-1) * x).sum(-1);
}

}  // namespace

void DrawAtoms(int64_t own, int64_t n_pool, std::span<int64_t> atoms,
               RandomStream& random) {
  SOMAFIT_CHECK(static_cast<int64_t>(atoms.size()) <= n_pool);
  atoms[0] = own;
  // Robert Floyd's way, over the n_pool - 1 others, numbered without `own`.
  const auto n_others = static_cast<int64_t>(atoms.size()) - 1;
  const auto number = [own](uint64_t other) {
    const auto i = static_cast<int64_t>(other);
    return i < own ? i : i + 1;
  };
  for (int64_t k = 0; k < n_others; ++k) {
    const int64_t last = n_pool - 1 - n_others + k;
    const int64_t chosen =
        number(random.Below(static_cast<uint64_t>(last) + 1));
    const auto end = atoms.begin() + 1 + k;
    atoms[1 + k] = std::find(atoms.begin() + 1, end, chosen) == end
                       ? chosen
                       : number(static_cast<uint64_t>(last));
  }
}

absl::StatusOr<LossFunction> LossFunction::Make(const Model& model,
                                                const TrainingLoss& loss) {
  LossFunction function(model, loss);
  if (loss.kind != TrainingLoss::Kind::kMixture) return function;
  SOMAFIT_RETURN_IF_ERROR(CheckMixture(model, loss));
  // v = (theta - shift) / scale: means follow, precisions are S P S.
  const auto d = static_cast<Eigen::Index>(model.spec.n_parameters());
  const Eigen::Map<const Eigen::VectorXd> shift(model.theta_map.shift().data(),
                                                d);
  const Eigen::Map<const Eigen::VectorXd> scale(model.theta_map.scale().data(),
                                                d);
  const auto to_v = [&](const Eigen::VectorXd& mean) {
    return ToTensor((mean - shift).cwiseQuotient(scale)).squeeze(1);
  };
  const auto to_v_precision = [&](const Eigen::MatrixXd& precision) {
    return ToTensor(scale.asDiagonal() * precision * scale.asDiagonal());
  };
  std::vector<at::Tensor> means, precisions;
  for (size_t i = 0; i < loss.proposal.means.size(); ++i) {
    means.push_back(to_v(loss.proposal.means[i]));
    precisions.push_back(to_v_precision(loss.proposal.precisions[i]));
  }
  auto& v_space = function.v_space_;
  const at::Device device = model.device;
  v_space.log_weights =
      at::tensor(loss.proposal.log_weights, at::kDouble).to(device);
  v_space.means = at::stack(means).to(device);
  v_space.precisions = at::stack(precisions).to(device);
  v_space.log_determinants = at::logdet(v_space.precisions);
  v_space.prior_mean = to_v(loss.prior_mean).to(device);
  v_space.prior_precision = to_v_precision(loss.prior_precision).to(device);
  return function;
}

absl::StatusOr<at::Tensor> LossFunction::Rows(const Weights& w,
                                              const TrainingRows& rows,
                                              const at::Tensor& pool,
                                              int64_t begin, int64_t batch,
                                              RandomStream& random) const {
  const at::Tensor index = pool.narrow(0, begin, batch);
  const at::Tensor v = rows.v.index_select(0, index);
  const at::Tensor prepared = model_->Prepare(w, rows.x.index_select(0, index));
  at::Tensor loss;
  switch (loss_.kind) {
    case TrainingLoss::Kind::kMaximumLikelihood:
      loss = model_->net->LogDensity(w, v, prepared).neg();
      break;
    case TrainingLoss::Kind::kAtomic:
      loss = Atomic(w, rows, pool, begin, prepared, random);
      if (loss_.use_combined_loss) {
        loss = loss - rows.from_prior.index_select(0, index) *
                          model_->net->LogDensity(w, v, prepared);
      }
      break;
    case TrainingLoss::Kind::kMixture: {
      SOMAFIT_ASSIGN_OR_RETURN(loss, Mixture(w, v, prepared));
      break;
    }
  }
  if (!rows.weights.defined()) return loss;
  return loss * rows.weights.index_select(0, index);
}

// The context is prepared once per row, and repeated for its atoms.
at::Tensor LossFunction::Atomic(const Weights& w, const TrainingRows& rows,
                                const at::Tensor& pool, int64_t begin,
                                const at::Tensor& prepared,
                                RandomStream& random) const {
  const int64_t batch = prepared.size(0), n_pool = pool.size(0);
  const int64_t n_atoms = std::clamp<int64_t>(loss_.num_atoms, 2, n_pool);
  at::Tensor atoms = at::empty({batch * n_atoms}, at::kLong);
  const std::span<int64_t> numbers(atoms.data_ptr<int64_t>(),
                                   static_cast<size_t>(batch * n_atoms));
  for (int64_t i = 0; i < batch; ++i) {
    DrawAtoms(begin + i, n_pool,
              numbers.subspan(static_cast<size_t>(i * n_atoms),
                              static_cast<size_t>(n_atoms)),
              random);
  }
  const at::Tensor index = pool.index_select(0, atoms.to(pool.device()));
  const at::Tensor repeated = prepared.unsqueeze(1)
                                  .expand({-1, n_atoms, -1})
                                  .reshape({batch * n_atoms, -1});
  const at::Tensor log_ratio =
      model_->net->LogDensity(w, rows.v.index_select(0, index), repeated)
          .add(rows.log_offset.index_select(0, index))
          .view({batch, n_atoms});
  return at::logsumexp(log_ratio, 1) - log_ratio.select(1, 0);
}

// Greenberg, Nonnenmacher and Macke (2019), appendix A.1: the proposal
// posterior q p~ / p is the mixture over all pairs of components. In double:
// precisions are subtracted.
absl::StatusOr<at::Tensor> LossFunction::Mixture(
    const Weights& w, const at::Tensor& v, const at::Tensor& prepared) const {
  const auto& own = v_space_;
  const MixtureHeads heads = *model_->net->Mixture(w, prepared);
  const at::Tensor factors = heads.factors.to(at::kDouble);
  const at::Tensor means = heads.means.to(at::kDouble);  // [n x K x D]
  const at::Tensor precisions =
      at::matmul(factors.transpose(2, 3), factors);  // [n x K x D x D]
  const at::Tensor log_determinants =
      2 * factors.diagonal(0, 2, 3).log().sum(2);
  const auto shifted = [](const at::Tensor& p, const at::Tensor& m) {
    return at::matmul(p, m.unsqueeze(-1)).squeeze(-1);
  };
  // [n x L x K ...]
  const at::Tensor pair_precisions = precisions.unsqueeze(1) +
                                     own.precisions.unsqueeze(1).unsqueeze(0) -
                                     own.prior_precision;
  const at::Tensor pair_shifted =
      shifted(precisions, means).unsqueeze(1) +
      shifted(own.precisions, own.means).unsqueeze(1).unsqueeze(0) -
      at::mv(own.prior_precision, own.prior_mean);
  const auto [cholesky, info] = at::linalg_cholesky_ex(pair_precisions);
  if (info.any().item<bool>()) {
    return absl::FailedPreconditionError(
        "the proposal posterior has no density: a precision of it is not "
        "positive definite; use more simulations or the atomic loss");
  }
  const at::Tensor pair_means =
      at::cholesky_solve(pair_shifted.unsqueeze(-1), cholesky).squeeze(-1);
  const at::Tensor pair_log_determinants =
      2 * cholesky.diagonal(0, 3, 4).log().sum(3);
  const at::Tensor log_weights =
      heads.log_weights.to(at::kDouble).unsqueeze(1) +
      own.log_weights.unsqueeze(1).unsqueeze(0) +
      0.5 * (own.log_determinants.unsqueeze(1).unsqueeze(0) +
             log_determinants.unsqueeze(1) - pair_log_determinants) -
      0.5 * (Quadratic(own.precisions, own.means).unsqueeze(1).unsqueeze(0) +
             Quadratic(precisions, means).unsqueeze(1) -
             (pair_means * pair_shifted).sum(-1));
  const at::Tensor offset =
      v.to(at::kDouble).unsqueeze(1).unsqueeze(1) - pair_means;
  const double constant =
      -0.5 * std::log(2 * std::numbers::pi) * static_cast<double>(v.size(1));
  const at::Tensor log_normals = 0.5 * pair_log_determinants -
                                 0.5 * Quadratic(pair_precisions, offset) +
                                 constant;
  return (at::logsumexp(log_weights, {1, 2}) -
          at::logsumexp(log_weights + log_normals, {1, 2}))
      .to(v.scalar_type());
}

}  // namespace somafit
