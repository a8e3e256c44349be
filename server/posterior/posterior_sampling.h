#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "server/posterior/posterior.h"

namespace somafit {

// How to draw from a posterior, by the names of the sbi package.
enum class SampleWith {
  // Draws of the estimators within the prior; where less than 1 % are, as
  // MakePosteriorProposal does.
  kDirect,
  // Draws of the prior, accepted by posterior / prior (SampleFromTarget): exact
  // as far as the bound, which is raised where a draw exceeds it, holds.
  kRejection,
  // Draws of the prior, resampled by posterior / prior (Resample): nearly
  // exact.
  kImportance,
};
// "" is "direct". InvalidArgument, with the reason, for other names, "mcmc" and
// "vi" among them.
absl::StatusOr<SampleWith> ReadSampleWith(std::string_view name);

struct SamplingOptions {
  SampleWith sample_with = SampleWith::kDirect;
  int64_t oversampling_factor = 32;  // kImportance
  bool keep_outside_prior = false;   // kDirect: raw draws of the estimators
};
inline constexpr int64_t kMostOversampling = 100'000;
// Sentences for what contradicts itself or is out of range, for so many draws;
// all at once.
std::vector<std::string> CheckSampling(const SamplingOptions& options,
                                       int64_t n_draws);

// The first n draws of `key` at x. Draws::log_density is Potential. `messages`
// say how many candidates were accepted or counted. Errors are those of
// Posterior::Sample. REQUIRES: CheckSampling finds nothing.
absl::StatusOr<Draws> SamplePosterior(
    std::shared_ptr<const Posterior> posterior, std::span<const double> x,
    int64_t n, DrawKey key, const DrawLimits& limits,
    const SamplingOptions& options);

}  // namespace somafit
