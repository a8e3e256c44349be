#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include <grpcpp/client_context.h>

#include "client/lib/endpoint.h"
#include "somafit/v1/fit_service.grpc.pb.h"
#include "somafit/v1/inference_service.grpc.pb.h"

namespace somafit {

// A channel to one coordinator: TLS where the endpoint has a CA, the token on
// every call, a deadline on every unary call. Opening it sends nothing.
class Connection {
 public:
  explicit Connection(KnownEndpoint known);

  // Calls `method`, again after UNAVAILABLE (the request is the same one, hence
  // its request_id too), and explains what failed to a person.
  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::FitService::Stub::*method)(
                        grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    return Retry([&](grpc::ClientContext* context) {
      response->Clear();
      return (stub_.get()->*method)(context, request, response);
    });
  }
  // For calls that are not unary; `attempt` may run several times.
  absl::Status Retry(
      const std::function<grpc::Status(grpc::ClientContext*)>& attempt);

  // Reads the endpoint file again: a coordinator that was started anew may have
  // another port and another token. Whether something changed.
  bool Refresh();

  // Adds the token to a call that this class does not make.
  void Authorize(grpc::ClientContext* context) const;
  // A call's status as a person should read it.
  absl::Status Explain(const grpc::Status& status) const;

  v1::FitService::Stub& stub() { return *stub_; }
  v1::InferenceService::Stub& inference() { return *inference_; }
  const KnownEndpoint& known() const { return known_; }

 private:
  void Open();

  KnownEndpoint known_;
  std::unique_ptr<v1::FitService::Stub> stub_;
  std::unique_ptr<v1::InferenceService::Stub> inference_;
};

}  // namespace somafit
