#include "server/inference/trained_estimator.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/inference/base_noise.h"
#include "server/inference/device.h"
#include "server/inference/estimator_parts.h"
#include "server/inference/estimator_streams.h"
#include "worker/core/base/check.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// Rows that go through a net together, fewer being padded. A draw has its fixed
// row in its fixed block, so that its bits depend on nothing else.
constexpr int64_t kBlock = 256;

using RowSpan = std::span<const double>;

// Calls LibTorch; false where it threw.
template <typename Body>
bool Succeeds(const Body& body) {
  ApplyInferenceThreads();
  return CatchAsStatus("LibTorch",
                       [&] {
                         body();
                         return absl::OkStatus();
                       })
      .ok();
}

void CopyOut(const at::Tensor& from, std::span<float> to) {
  const at::Tensor host = from.detach().to(at::kCPU).contiguous();
  SOMAFIT_CHECK(host.numel() == static_cast<int64_t>(to.size()));
  std::copy_n(host.data_ptr<float>(), to.size(), to.data());
}

// A block of parameters as the net sees them.
struct MappedBlock {
  MappedBlock(const ThetaMap& map, RowSpan theta, size_t n_rows)
      : d(map.size()),
        v(at::zeros({kBlock, static_cast<int64_t>(d)}, at::kFloat)),
        log_determinant(n_rows) {
    std::vector<double> row(d);
    float* const out = v.data_ptr<float>();
    for (size_t i = 0; i < n_rows; ++i) {
      log_determinant[i] = map.Forward(theta.subspan(i * d, d), row);
      std::transform(row.begin(), row.end(), out + i * d,
                     [](double x) { return static_cast<float>(x); });
    }
  }

  size_t d;
  at::Tensor v;                         // [kBlock x D], on the CPU
  std::vector<double> log_determinant;  // -inf: no density
};

}  // namespace

at::Tensor ScaledData(const Model& model, const DataRows& x) {
  const size_t e = model.spec.n_features(), n = x.size() / e;
  at::Tensor scaled =
      at::empty({static_cast<int64_t>(n), static_cast<int64_t>(e)}, at::kFloat);
  const std::span<float> out(scaled.data_ptr<float>(), n * e);
  for (size_t i = 0; i < n; ++i) {
    model.data_map.Forward(x.subspan(i * e, e), out.subspan(i * e, e));
  }
  return scaled.to(model.device);
}

namespace {

// The prepared context [1 x something] of one x; undefined where there is none.
at::Tensor PreparedFor(const EstimatorParts& parts, RowSpan x) {
  SOMAFIT_CHECK(x.size() == parts.model->spec.n_features());
  const std::lock_guard lock(parts.mutex);
  if (parts.last_prepared.defined() &&
      std::equal(x.begin(), x.end(), parts.last_x.begin(),
                 parts.last_x.end())) {
    return parts.last_prepared;
  }
  parts.last_prepared.reset();
  if (!CheckData(*parts.model, x).ok()) return {};
  const bool ok = Succeeds([&] {
    const at::NoGradGuard no_gradient;
    parts.last_prepared =
        parts.model->Prepare(parts.weights, ScaledData(*parts.model, x));
  });
  if (!ok) parts.last_prepared.reset();
  parts.last_x.assign(x.begin(), x.end());
  return parts.last_prepared;
}

// Log-densities of up to kBlock rows; with `gradient` [n x D], theirs too.
void EvaluateBlock(const EstimatorParts& parts, RowSpan theta,
                   const at::Tensor& prepared, std::span<double> log_density,
                   std::span<double> gradient) {
  const Model& model = *parts.model;
  const size_t n = log_density.size(), d = model.spec.n_parameters();
  const MappedBlock block(model.theta_map, theta, n);
  std::vector<float> net_density(kBlock);
  std::vector<float> net_gradient(gradient.empty() ? 0 : kBlock * d);
  const bool ok = Succeeds([&] {
    at::AutoGradMode mode(!gradient.empty());
    at::Tensor v = block.v.to(model.device);
    if (!gradient.empty()) v.set_requires_grad(true);
    const at::Tensor density =
        model.net->LogDensity(parts.weights, v, prepared);
    CopyOut(density, net_density);
    if (!gradient.empty()) {
      density.sum().backward();
      CopyOut(v.grad(), net_gradient);
    }
  });
  std::vector<double> slope(d), log_slope_gradient(d);
  for (size_t i = 0; i < n; ++i) {
    const bool inside = block.log_determinant[i] > -kInfinity;
    log_density[i] = !inside ? -kInfinity
                     : ok    ? net_density[i] + block.log_determinant[i]
                             : kNaN;
    if (gradient.empty()) continue;
    if (inside) {
      model.theta_map.Slopes(theta.subspan(i * d, d), slope,
                             log_slope_gradient);
    }
    for (size_t c = 0; c < d; ++c) {
      gradient[i * d + c] =
          !inside ? 0
          : ok    ? net_gradient[i * d + c] * slope[c] + log_slope_gradient[c]
                  : kNaN;
    }
  }
}

void Evaluate(const EstimatorParts& parts, RowSpan theta, RowSpan x,
              std::span<double> log_density, std::span<double> gradient) {
  const size_t d = parts.model->spec.n_parameters();
  const size_t n = log_density.size();
  SOMAFIT_CHECK(theta.size() == n * d);
  const at::Tensor prepared = PreparedFor(parts, x);
  if (!prepared.defined()) {
    std::fill(log_density.begin(), log_density.end(), kNaN);
    std::fill(gradient.begin(), gradient.end(), kNaN);
    return;
  }
  for (size_t i = 0; i < n; i += kBlock) {
    const size_t rows = std::min<size_t>(kBlock, n - i);
    EvaluateBlock(
        parts, theta.subspan(i * d, rows * d), prepared,
        log_density.subspan(i, rows),
        gradient.empty() ? gradient : gradient.subspan(i * d, rows * d));
  }
}

}  // namespace

TrainedEstimator::TrainedEstimator(std::unique_ptr<const EstimatorParts> parts)
    : parts_(std::move(parts)) {}

TrainedEstimator::~TrainedEstimator() = default;

size_t TrainedEstimator::n_parameters() const { return spec().n_parameters(); }
size_t TrainedEstimator::n_features() const { return spec().n_features(); }
const EstimatorSpec& TrainedEstimator::spec() const {
  return parts_->model->spec;
}

void TrainedEstimator::LogDensity(RowSpan theta, RowSpan x,
                                  std::span<double> log_density) const {
  Evaluate(*parts_, theta, x, log_density, {});
}

void TrainedEstimator::LogDensityGradient(RowSpan theta, RowSpan x,
                                          std::span<double> log_density,
                                          std::span<double> gradient) const {
  SOMAFIT_CHECK(gradient.size() == theta.size());
  Evaluate(*parts_, theta, x, log_density, gradient);
}

void TrainedEstimator::LogDensityOfPairs(RowSpan theta, RowSpan x,
                                         std::span<double> log_density) const {
  const Model& model = *parts_->model;
  const size_t d = n_parameters(), e = n_features(), n = log_density.size();
  SOMAFIT_CHECK(theta.size() == n * d && x.size() == n * e);
  for (size_t i = 0; i < n; i += kBlock) {
    const size_t rows = std::min<size_t>(kBlock, n - i);
    std::vector<double> padded(kBlock * e, 0.0);
    for (size_t k = 0; k < kBlock; ++k) {
      const RowSpan row = x.subspan((k < rows ? i + k : i) * e, e);
      if (CheckData(model, row).ok()) {
        std::copy(row.begin(), row.end(), padded.begin() + k * e);
      }
    }
    at::Tensor prepared;
    const std::span<double> out = log_density.subspan(i, rows);
    const bool ok = Succeeds([&] {
      const at::NoGradGuard no_gradient;
      prepared = model.Prepare(parts_->weights, ScaledData(model, padded));
    });
    if (ok) {
      EvaluateBlock(*parts_, theta.subspan(i * d, rows * d), prepared, out, {});
    }
    for (size_t k = 0; k < rows; ++k) {
      if (!ok || !CheckData(model, x.subspan((i + k) * e, e)).ok()) {
        out[k] = kNaN;
      }
    }
  }
}

void TrainedEstimator::Sample(RowSpan x, DrawKey key, int64_t first,
                              std::span<double> theta,
                              std::span<double> log_density) const {
  const Model& model = *parts_->model;
  const size_t d = n_parameters(), n = log_density.size();
  SOMAFIT_CHECK(theta.size() == n * d && first >= 0);
  std::fill(theta.begin(), theta.end(), kNaN);
  std::fill(log_density.begin(), log_density.end(), kNaN);
  const at::Tensor prepared = PreparedFor(*parts_, x);
  if (!prepared.defined()) return;
  const auto n_uniforms = static_cast<size_t>(model.net->n_uniforms());
  std::vector<float> drawn(kBlock * d), net_density(kBlock);
  std::vector<double> row(d);
  const int64_t last = first + static_cast<int64_t>(n);
  for (int64_t begin = first / kBlock * kBlock; begin < last; begin += kBlock) {
    const bool ok = Succeeds([&] {
      const at::NoGradGuard no_gradient;
      const at::Tensor normals =
          at::empty({kBlock, static_cast<int64_t>(d)}, at::kFloat);
      const at::Tensor uniforms =
          at::empty({kBlock, model.net->n_uniforms()}, at::kFloat);
      for (int64_t k = 0; k < kBlock; ++k) {
        FillBaseNoise(
            key, begin + k, {normals.data_ptr<float>() + k * d, d},
            {uniforms.data_ptr<float>() + k * n_uniforms, n_uniforms});
      }
      const Net::Drawn draw =
          model.net->Draw(parts_->weights, normals.to(model.device),
                          uniforms.to(model.device), prepared);
      CopyOut(draw.v, drawn);
      CopyOut(draw.log_density, net_density);
    });
    if (!ok) return;
    for (int64_t k = std::max(first, begin); k < std::min(last, begin + kBlock);
         ++k) {
      const auto from = drawn.begin() + (k - begin) * static_cast<int64_t>(d);
      std::copy_n(from, d, row.begin());
      const auto i = static_cast<size_t>(k - first);
      log_density[i] = net_density[k - begin] +
                       model.theta_map.Backward(row, theta.subspan(i * d, d));
    }
  }
}

std::optional<GaussianMixture> TrainedEstimator::MixtureAt(RowSpan x) const {
  const Model& model = *parts_->model;
  if (!model.theta_map.affine()) return std::nullopt;
  const at::Tensor prepared = PreparedFor(*parts_, x);
  if (!prepared.defined()) return std::nullopt;
  std::optional<MixtureHeads> heads;
  const bool ok = Succeeds([&] {
    const at::NoGradGuard no_gradient;
    heads = model.net->Mixture(parts_->weights,
                               prepared.to(at::kCPU).to(at::kDouble));
    if (heads.has_value()) {
      for (at::Tensor* tensor :
           {&heads->log_weights, &heads->means, &heads->factors}) {
        *tensor = tensor->contiguous();
      }
    }
  });
  if (!ok || !heads.has_value()) return std::nullopt;
  using RowMajor =
      Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto d = static_cast<Eigen::Index>(n_parameters());
  const Eigen::Map<const Eigen::VectorXd> shift(model.theta_map.shift().data(),
                                                d);
  const Eigen::Map<const Eigen::VectorXd> scale(model.theta_map.scale().data(),
                                                d);
  GaussianMixture mixture;
  for (int64_t k = 0; k < heads->log_weights.size(1); ++k) {
    const Eigen::Map<const Eigen::VectorXd> mean(
        heads->means.data_ptr<double>() + k * d, d);
    const Eigen::Map<const RowMajor> factor(
        heads->factors.data_ptr<double>() + k * d * d, d, d);
    // A of theta: columns are divided by the scales.
    const Eigen::MatrixXd scaled = factor * scale.cwiseInverse().asDiagonal();
    mixture.log_weights.push_back(heads->log_weights.data_ptr<double>()[k]);
    mixture.means.push_back(shift + scale.cwiseProduct(mean));
    mixture.precisions.push_back(scaled.transpose() * scaled);
  }
  return mixture;
}

std::unique_ptr<TrainedEstimator> MakeTrainedEstimator(
    std::shared_ptr<const Model> model, const at::Tensor& flat) {
  auto parts = std::make_unique<EstimatorParts>();
  parts->weights = Weights(model->layout, flat);
  parts->model = std::move(model);
  return std::make_unique<TrainedEstimator>(std::move(parts));
}

absl::StatusOr<std::unique_ptr<TrainedEstimator>> ReplicateMixture(
    const TrainedEstimator& one, int64_t n_components, uint64_t seed) {
  constexpr double kNoise = 5e-3;
  const EstimatorParts& from = one.parts();
  EstimatorSpec spec = one.spec();
  if (spec.net != "mdn" || spec.options.at("num_components") != 1) {
    return absl::InvalidArgumentError(
        "only an mdn of one component can be replicated");
  }
  spec.options["num_components"] = static_cast<double>(n_components);
  SOMAFIT_ASSIGN_OR_RETURN(auto model, MakeModel(spec, from.model->device));
  model->theta_map = from.model->theta_map;
  model->data_map = from.model->data_map;
  std::unique_ptr<TrainedEstimator> result;
  SOMAFIT_RETURN_IF_ERROR(CatchAsStatus("LibTorch", [&] {
    const at::NoGradGuard no_gradient;
    at::Tensor flat = at::zeros({model->layout.size()}, at::kFloat);
    const Weights to(model->layout, flat);
    RandomStream random(seed, kEstimatorWeights, 1, 0);
    for (size_t i = 0; i < model->layout.n_tensors(); ++i) {
      const at::Tensor source = from.weights[static_cast<int>(i)].to(at::kCPU);
      const at::Tensor target = to[static_cast<int>(i)];
      if (source.sizes() == target.sizes()) {
        target.copy_(source);
        continue;
      }
      // A head: its last axis is one component after the other.
      std::vector<int64_t> repeats(source.dim(), 1);
      repeats.back() = n_components;
      target.copy_(source.repeat(repeats));
      float* const values = target.data_ptr<float>();
      for (int64_t k = 0; k < target.numel(); ++k) {
        values[k] += static_cast<float>(kNoise * random.Normal());
      }
    }
    if (const at::Tensor existing = model->layout.Existing();
        existing.defined()) {
      flat.mul_(existing);
    }
    result =
        MakeTrainedEstimator(std::move(model), flat.to(from.model->device));
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<std::unique_ptr<TrainedEstimator>> MoveTo(
    const TrainedEstimator& estimator, std::string_view device) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string name, ResolveDevice(device));
  std::unique_ptr<TrainedEstimator> result;
  SOMAFIT_RETURN_IF_ERROR(CatchAsStatus("LibTorch", [&]() -> absl::Status {
    SOMAFIT_ASSIGN_OR_RETURN(auto model,
                             MakeModel(estimator.spec(), at::Device(name)));
    model->theta_map = estimator.parts().model->theta_map;
    model->data_map = estimator.parts().model->data_map;
    const at::Tensor flat =
        estimator.parts().weights.flat().to(model->device).clone();
    result = MakeTrainedEstimator(std::move(model), flat);
    return absl::OkStatus();
  }));
  return result;
}

}  // namespace somafit
