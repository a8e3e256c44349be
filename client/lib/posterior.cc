#include "client/lib/posterior.h"

#include <chrono>

#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"

namespace somafit {
namespace {

// Nobody knows how long a trainer takes; keepalive finds out whether anybody is
// there.
void WaitForEver(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::time_point::max());
}

}  // namespace

absl::StatusOr<v1::Posterior> GetPosterior(FitClient* client,
                                           const std::string& name) {
  v1::GetPosteriorRequest request;
  request.set_name(name);
  v1::Posterior posterior;
  Connection& connection = client->connection();
  SOMAFIT_RETURN_IF_ERROR(connection.Retry([&](grpc::ClientContext* context) {
    posterior.Clear();
    return connection.inference().GetPosterior(context, request, &posterior);
  }));
  return posterior;
}

absl::StatusOr<v1::PosteriorAnswer> AskPosterior(
    FitClient* client, const v1::AskPosteriorRequest& request,
    const std::function<void(const v1::PosteriorAnswer&)>& progress) {
  v1::PosteriorAnswer answer;
  Connection& connection = client->connection();
  SOMAFIT_RETURN_IF_ERROR(connection.Retry([&](grpc::ClientContext* context) {
    WaitForEver(context);
    answer.Clear();
    const auto stream = connection.inference().AskPosterior(context, request);
    v1::PosteriorAnswer part;
    while (stream->Read(&part)) {
      answer.MergeFrom(part);
      if (progress) progress(answer);
    }
    return stream->Finish();
  }));
  return answer;
}

absl::Status ExportEstimator(
    FitClient* client, const v1::ExportEstimatorRequest& request,
    const std::function<void(absl::string_view)>& take) {
  bool begun = false;
  absl::Status lost;
  Connection& connection = client->connection();
  SOMAFIT_RETURN_IF_ERROR(connection.Retry([&](grpc::ClientContext* context) {
    WaitForEver(context);
    const auto stream =
        connection.inference().ExportEstimator(context, request);
    v1::ExportEstimatorResponse part;
    while (stream->Read(&part)) {
      begun = true;
      take(part.chunk());
    }
    grpc::Status status = stream->Finish();
    if (begun && !status.ok()) {
      lost = connection.Explain(status);
      return grpc::Status::OK;
    }
    return status;
  }));
  return lost;
}

absl::Status WatchTraining(
    FitClient* client, const std::string& name,
    const std::function<absl::Status(const v1::TrainingProgress&)>& take) {
  v1::WatchTrainingRequest request;
  request.set_name(name);
  Connection& connection = client->connection();
  absl::Status refused;
  SOMAFIT_RETURN_IF_ERROR(connection.Retry([&](grpc::ClientContext* context) {
    WaitForEver(context);
    const auto stream = connection.inference().WatchTraining(context, request);
    v1::TrainingProgress progress;
    while (refused.ok() && stream->Read(&progress)) refused = take(progress);
    if (refused.ok()) return stream->Finish();
    context->TryCancel();
    (void)stream->Finish();
    return grpc::Status::OK;
  }));
  return refused;
}

v1::Fit FitOfPosterior(const v1::Posterior& posterior) {
  v1::Fit fit;
  fit.set_name(posterior.name());
  *fit.mutable_parameters() = posterior.parameters();
  return fit;
}

}  // namespace somafit
