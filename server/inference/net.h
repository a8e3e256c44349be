#pragma once

#include <cstdint>
#include <optional>

#include <ATen/ATen.h>

#include "server/inference/estimator_spec.h"
#include "server/inference/parameters.h"

namespace somafit {

// A mixture's parts for each of n contexts; v ~ sum_k w_k N(mean_k, (A'A)^-1).
struct MixtureHeads {
  at::Tensor log_weights;  // [n x K], normalized
  at::Tensor means;        // [n x K x D]
  at::Tensor factors;      // [n x K x D x D], A: upper triangular
};

// The structure of a conditional density q(v | context) over z-scored
// parameters v, without its weights: those come with each call, in whatever
// float type they and the data share, so that one structure serves training,
// averages and tests in double.
//
// Immutable; thread-safe.
class Net {
 public:
  virtual ~Net() = default;

  // All that depends on the context alone, [n x C] -> [n x something]: computed
  // once where many v share a context. What the other calls take as `prepared`
  // may have one row for all rows of v.
  virtual at::Tensor Prepare(const Weights& w,
                             const at::Tensor& context) const = 0;
  // log q(v | context), [n x D] -> [n].
  virtual at::Tensor LogDensity(const Weights& w, const at::Tensor& v,
                                const at::Tensor& prepared) const = 0;

  // How many uniform numbers a draw takes beside D normal ones.
  virtual int64_t n_uniforms() const { return 0; }
  struct Drawn {
    at::Tensor v;            // [n x D]
    at::Tensor log_density;  // [n]
  };
  // Turns standard normal [n x D] and uniform [n x n_uniforms()] numbers into
  // draws.
  virtual Drawn Draw(const Weights& w, const at::Tensor& normals,
                     const at::Tensor& uniforms,
                     const at::Tensor& prepared) const = 0;
  // A flow's map from v to the normal numbers that Draw would make it from;
  // undefined for nets that are none.
  virtual at::Tensor ToNormal(const Weights&, const at::Tensor& /*v*/,
                              const at::Tensor& /*prepared*/) const {
    return {};
  }

  // Of nets that are mixtures of normal distributions.
  virtual std::optional<MixtureHeads> Mixture(
      const Weights&, const at::Tensor& /*prepared*/) const {
    return std::nullopt;
  }
};

// The options that all nets share, behind `own`.
std::vector<OptionSpec> WithCommonOptions(std::vector<OptionSpec> own);

// Sums over D of log N(0, 1), [n x D] -> [n].
at::Tensor StandardNormalLogDensity(const at::Tensor& normals);

// Degrees of an autoregressive net's hidden units: 0 .. D-1, so that some see
// the context alone and the first feature depends on it too.
int64_t HiddenDegree(int64_t unit, int64_t n_hidden, int64_t n_parameters);

// The options that several nets have.
OptionSpec HiddenFeaturesOption();
OptionSpec NumTransformsOption();
OptionSpec NumBlocksOption(double default_value);
OptionSpec NumComponentsOption();

inline int64_t IntegerOption(const OptionValues& options, const char* name) {
  return static_cast<int64_t>(options.at(name));
}

}  // namespace somafit
