#include <cmath>
#include <numbers>

#include "server/inference/net.h"

namespace somafit {

extern const NetEntry kMixtureDensityNet;
extern const NetEntry kMade;
extern const NetEntry kMaskedAutoregressiveFlow;
extern const NetEntry kNeuralSplineFlow;

const std::vector<const NetEntry*>& AllNets() {
  static const auto* const nets = new std::vector<const NetEntry*>{
      &kMixtureDensityNet, &kMade, &kMaskedAutoregressiveFlow,
      &kNeuralSplineFlow};
  return *nets;
}

const NetEntry* FindNet(std::string_view name) {
  for (const NetEntry* entry : AllNets()) {
    if (entry->name == name) return entry;
  }
  return nullptr;
}

std::vector<OptionSpec> WithCommonOptions(std::vector<OptionSpec> own) {
  own.push_back({.name = "z_score_theta",
                 .summary = "how parameters are scaled: none, independent (the "
                            "default) or structured",
                 .kind = OptionSpec::Kind::kText});
  own.push_back({.name = "z_score_x",
                 .summary = "how data are scaled: none, independent (the "
                            "default) or structured",
                 .kind = OptionSpec::Kind::kText});
  own.push_back({.name = "theta_space",
                 .summary = "bounded (the default), or unconstrained: no mass "
                            "leaks out of the bounds",
                 .kind = OptionSpec::Kind::kText});
  return own;
}

OptionSpec HiddenFeaturesOption() {
  return {.name = "hidden_features",
          .summary = "units of a hidden layer",
          .kind = OptionSpec::Kind::kInteger,
          .default_value = 50,
          .minimum = 1,
          .maximum = 4096};
}

OptionSpec NumTransformsOption() {
  return {.name = "num_transforms",
          .summary = "transforms in a row",
          .kind = OptionSpec::Kind::kInteger,
          .default_value = 5,
          .minimum = 1,
          .maximum = 100};
}

OptionSpec NumBlocksOption(double default_value) {
  return {.name = "num_blocks",
          .summary = "hidden blocks of a transform's net",
          .kind = OptionSpec::Kind::kInteger,
          .default_value = default_value,
          .minimum = 1,
          .maximum = 50};
}

OptionSpec NumComponentsOption() {
  return {.name = "num_components",
          .summary = "components of a mixture",
          .kind = OptionSpec::Kind::kInteger,
          .default_value = 10,
          .minimum = 1,
          .maximum = 1000};
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
