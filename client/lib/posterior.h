#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "client/lib/client.h"
#include "somafit/v1/inference_service.pb.h"

namespace somafit {

// The calls of v1.InferenceService with plain results.

absl::StatusOr<v1::Posterior> GetPosterior(FitClient* client,
                                           const std::string& name);

// The whole answer of a trainer, however long that takes. `progress`, where
// given, is called with each part as it comes. Unavailable if there is no
// trainer, or the line is lost meanwhile: nothing is stored, ask anew. Internal
// if the parts of the answer do not match.
absl::StatusOr<v1::PosteriorAnswer> AskPosterior(
    FitClient* client, const v1::AskPosteriorRequest& request,
    const std::function<void(const v1::PosteriorAnswer&)>& progress = nullptr);

// The file of an estimator, piece by piece. After the first piece nothing is
// repeated: Unavailable if the line is lost then.
absl::Status ExportEstimator(
    FitClient* client, const v1::ExportEstimatorRequest& request,
    const std::function<void(absl::string_view)>& take);

// The epochs of the present round's training, as they come, until that has
// ended; those of a lost line come again.
absl::Status WatchTraining(
    FitClient* client, const std::string& name,
    const std::function<absl::Status(const v1::TrainingProgress&)>& take);

// The posterior's parameters as those of a fit, for what is written for one.
v1::Fit FitOfPosterior(const v1::Posterior& posterior);

}  // namespace somafit
