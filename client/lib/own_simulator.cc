#include "client/lib/own_simulator.h"

#include <algorithm>
#include <chrono>

#include "proto/convert/digest.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kRowsAtOnce = 1 << 16;  // numbers of one message

// A trainer draws, and large appends take their time; keepalive finds out
// whether anybody is there.
void WaitForEver(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::time_point::max());
}

template <typename Request>
absl::StatusOr<v1::Fit> Change(
    FitClient* client, const Request& request,
    grpc::Status (v1::InferenceService::Stub::*method)(grpc::ClientContext*,
                                                       const Request&,
                                                       v1::Fit*)) {
  v1::Fit fit;
  Connection& connection = client->connection();
  SOMAFIT_RETURN_IF_ERROR(connection.Retry([&](grpc::ClientContext* context) {
    fit.Clear();
    return (connection.inference().*method)(context, request, &fit);
  }));
  return fit;
}

}  // namespace

absl::StatusOr<v1::Proposed> Propose(FitClient* client,
                                     const v1::ProposeRequest& request) {
  v1::Proposed proposed;
  Connection& connection = client->connection();
  SOMAFIT_RETURN_IF_ERROR(connection.Retry([&](grpc::ClientContext* context) {
    WaitForEver(context);
    proposed.Clear();
    const auto stream = connection.inference().Propose(context, request);
    v1::Proposed part;
    while (stream->Read(&part)) proposed.MergeFrom(part);
    return stream->Finish();
  }));
  return proposed;
}

absl::StatusOr<v1::AppendSimulationsResponse> AppendSimulations(
    FitClient* client, const std::string& name, std::optional<int64_t> round,
    const SimulationTable& simulations) {
  const std::string request_id = RandomHex128();
  const size_t n_parameters = simulations.theta.parameters.size();
  const std::vector<double>& theta = simulations.theta.values;
  const size_t n = theta.size() / n_parameters;
  const size_t n_features = n == 0 ? 0 : simulations.x.size() / n;
  v1::AppendSimulationsResponse response;
  Connection& connection = client->connection();
  SOMAFIT_RETURN_IF_ERROR(connection.Retry([&](grpc::ClientContext* context) {
    WaitForEver(context);
    response.Clear();
    const auto stream =
        connection.inference().AppendSimulations(context, &response);
    v1::AppendSimulationsRequest part;
    part.set_name(name);
    part.set_request_id(request_id);
    for (const std::string& parameter : simulations.theta.parameters) {
      part.add_parameters(parameter);
    }
    if (round) part.set_round(*round);
    const size_t rows =
        std::max<size_t>(1, kRowsAtOnce / (n_parameters + n_features));
    for (size_t at = 0; at < n; at += rows) {
      const size_t end = std::min(n, at + rows);
      part.mutable_theta()->Add(theta.data() + at * n_parameters,
                                theta.data() + end * n_parameters);
      part.mutable_x()->Add(simulations.x.data() + at * n_features,
                            simulations.x.data() + end * n_features);
      if (!stream->Write(part)) break;
      part.Clear();
    }
    stream->WritesDone();
    return stream->Finish();
  }));
  return response;
}

absl::StatusOr<v1::Fit> Train(FitClient* client, v1::TrainRequest request) {
  request.set_request_id(RandomHex128());
  return Change(client, request, &v1::InferenceService::Stub::Train);
}

absl::StatusOr<v1::Fit> SetObservation(FitClient* client,
                                       const std::string& name,
                                       const std::vector<double>& observation) {
  v1::SetObservationRequest request;
  request.set_name(name);
  request.mutable_observation()->Add(observation.begin(), observation.end());
  request.set_request_id(RandomHex128());
  return Change(client, request, &v1::InferenceService::Stub::SetObservation);
}

}  // namespace somafit
