// What there is of nets, and what can be said about each; how they are made:
// server/inference.

#include <utility>

#include "server/posterior/estimator_spec.h"

namespace somafit {
namespace {

std::vector<OptionSpec> WithCommonOptions(std::vector<OptionSpec> own) {
  own.push_back({.name = "z_score_theta",
                 .summary = "how parameters are scaled: none, independent (the "
                            "default) or structured",
                 .kind = OptionSpec::Kind::kText});
  own.push_back({.name = "z_score_x",
                 .summary = "how data are scaled: none, independent (the "
                            "default) or structured",
                 .kind = OptionSpec::Kind::kText});
  own.push_back({.name = "torch_script",
                 .summary =
                     "a TorchScript module that x goes through, in place "
                     "of an embedding: its file; it is code, and needs "
                     "--allow-torchscript",
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

}  // namespace

const std::vector<const NetEntry*>& AllNets() {
  static const auto* const nets = new std::vector<const NetEntry*>{
      new NetEntry{
          "mdn",
          "mixture density network: a mixture of normal distributions, known "
          "in closed form",
          WithCommonOptions({HiddenFeaturesOption(), NumBlocksOption(2),
                             NumComponentsOption()})},
      new NetEntry{
          "made",
          "masked autoencoder: one parameter after the other, each a mixture "
          "of normal distributions",
          WithCommonOptions({HiddenFeaturesOption(), NumBlocksOption(5),
                             NumComponentsOption()})},
      new NetEntry{
          "maf",
          "masked autoregressive flow: fast; for posteriors near a normal "
          "distribution, and for many parameters",
          WithCommonOptions({HiddenFeaturesOption(), NumTransformsOption(),
                             NumBlocksOption(2)})},
      new NetEntry{
          "nsf",
          "neural spline flow: slower; the best choice for up to some five "
          "parameters with a posterior of any shape",
          WithCommonOptions(
              {HiddenFeaturesOption(),
               NumTransformsOption(),
               NumBlocksOption(2),
               {.name = "num_bins",
                .summary = "pieces of a spline",
                .kind = OptionSpec::Kind::kInteger,
                .default_value = 10,
                .minimum = 2,
                .maximum = 200},
               {.name = "tail_bound",
                .summary = "where the splines end, in z-scored units",
                .default_value = 3,
                .minimum = 0.1,
                .maximum = 1000}})}};
  return *nets;
}

const NetEntry* FindNet(std::string_view name) {
  for (const NetEntry* entry : AllNets()) {
    if (entry->name == name) return entry;
  }
  return nullptr;
}

}  // namespace somafit
