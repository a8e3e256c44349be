#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "client/lib/client.h"
#include "somafit/v1/posterior_file.pb.h"

namespace somafit {

// A posterior as a file, and back, on whatever coordinator.

// Of a file.
inline constexpr size_t kMostPosteriorBytes = size_t{1} << 30;

// What the posterior of "fits/NAME" is made of: all rounds' estimators.
// FailedPrecondition where there is none yet, or it is larger than files are.
absl::StatusOr<v1::PosteriorFile> SavePosterior(FitClient* client,
                                                const std::string& name);

// An inference of its own, whose posterior gives the same draws; named `name`,
// or where that is empty by the coordinator. What is begun and cannot be ended
// is removed again.
absl::StatusOr<v1::Fit> LoadPosterior(FitClient* client,
                                      const v1::PosteriorFile& file,
                                      const std::string& name);

// InvalidArgument, with the remedy, for what is no such file, is of a newer
// version, or has other estimators than it says.
absl::StatusOr<v1::PosteriorFile> ParsePosteriorFile(const std::string& bytes,
                                                     const std::string& path);

}  // namespace somafit
