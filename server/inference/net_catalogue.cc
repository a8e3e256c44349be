#include <cmath>
#include <numbers>
#include <utility>

#include "server/inference/net.h"
#include "worker/core/base/check.h"

namespace somafit {

extern const NetMaker kMixtureDensityNet;
extern const NetMaker kMade;
extern const NetMaker kMaskedAutoregressiveFlow;
extern const NetMaker kNeuralSplineFlow;

std::unique_ptr<Net> MakeNet(std::string_view name, const NetShape& shape,
                             const OptionValues& options,
                             ParameterLayout& layout) {
  // By the names of AllNets.
  const std::pair<std::string_view, NetMaker> makers[] = {
      {"mdn", kMixtureDensityNet},
      {"made", kMade},
      {"maf", kMaskedAutoregressiveFlow},
      {"nsf", kNeuralSplineFlow}};
  for (const auto& [known, make] : makers) {
    if (known == name) return make(shape, options, layout);
  }
  SOMAFIT_CHECK(false);
  return nullptr;
}

at::Tensor StandardNormalLogDensity(const at::Tensor& normals) {
  const double constant = -0.5 * std::log(2 * std::numbers::pi) *
                          static_cast<double>(normals.size(1));
  return normals.square().sum(1).mul(-0.5).add(constant);
}

int64_t HiddenDegree(int64_t unit, int64_t n_hidden, int64_t n_parameters) {
  if (n_hidden >= n_parameters) return unit % n_parameters;
  return unit * n_parameters / n_hidden;
}

}  // namespace somafit
