#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"

#include "client/lib/client.h"
#include "somafit/v1/posterior_file.pb.h"

namespace somafit {

// A posterior as a file, and back, on whatever coordinator.

// What the posterior of "fits/NAME" is made of: all rounds' estimators.
// `progress`, where given, is called with the bytes so far.
absl::StatusOr<v1::PosteriorFile> SavePosterior(
    FitClient* client, const std::string& name,
    const std::function<void(size_t)>& progress = nullptr);

// An inference of its own, whose posterior gives the same draws; named `name`,
// or where that is empty by the coordinator. InvalidArgument for a file of a
// newer version, or one that has no round.
absl::StatusOr<v1::Fit> LoadPosterior(FitClient* client,
                                      const v1::PosteriorFile& file,
                                      const std::string& name);

// InvalidArgument, with the remedy, for what is no such file.
absl::StatusOr<v1::PosteriorFile> ParsePosteriorFile(const std::string& bytes,
                                                     const std::string& path);

}  // namespace somafit
