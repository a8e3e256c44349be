// InferenceHandler: estimators that were trained elsewhere.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/violations.h"
#include "server/rpc/arguments.h"
#include "server/rpc/collected_call.h"
#include "server/rpc/inference_handler.h"
#include "server/rpc/streams.h"
#include "server/rpc/view.h"
#include "somafit/v1/trainer_service.pb.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMostImported = size_t{256} << 20;  // bytes of one call
constexpr size_t kMostSummary = size_t{128} << 10;
constexpr int64_t kMostEpochs = int64_t{1} << 31;
constexpr int kMostMembers = 16;

// One ImportEstimators call.
class ImportCall final : public CollectedCall<v1::ImportEstimatorsRequest> {
 public:
  ImportCall(ServerParts& parts, std::atomic<size_t>& held,
             grpc::CallbackServerContext* context, v1::Fit* response)
      : CollectedCall(parts, "ImportEstimators", held, context),
        response_(response) {
    Begin();
  }

 private:
  absl::Status Take(v1::ImportEstimatorsRequest& message, bool first) override {
    const size_t size = message.chunk().size();
    SOMAFIT_RETURN_IF_ERROR(Hold(first ? message.ByteSizeLong() : size));
    if (size > kMaxChunk || counted() > kMostImported) {
      return BadField("chunk",
                      absl::StrCat("has more than 1 MiB, or all together more "
                                   "than ",
                                   kMostImported, " bytes"));
    }
    const int n = set_.estimator_size();
    if (message.member() < std::max(n - 1, 0) || message.member() > n ||
        message.member() >= kMostMembers) {
      return BadField("member",
                      absl::StrCat("is ", message.member(), " after ", n,
                                   "; give one net after the other, "
                                   "at most ",
                                   kMostMembers));
    }
    if (message.member() == n) set_.add_estimator();
    set_.mutable_estimator(message.member())->append(message.chunk());
    if (!first) return absl::OkStatus();
    header_ = message;
    header_.clear_chunk();
    request_id_ = header_.request_id();
    return CheckRequestId(request_id_);
  }

  absl::Status CheckSummary() const {
    const v1::TrainingSummary& summary = header_.summary();
    if (summary.ByteSizeLong() > kMostSummary) {
      return BadField("summary",
                      absl::StrCat("has more than ", kMostSummary, " bytes"));
    }
    const int n = summary.validation_loss_size();
    if (summary.training_loss_size() != n ||
        summary.epoch_seconds_size() != n || summary.epochs() < 0 ||
        summary.epochs() > kMostEpochs) {
      return BadField("summary",
                      "has curves of different lengths, or as many epochs as "
                      "nobody trains");
    }
    Violations violations;
    violations.CheckText("summary.estimator", summary.estimator());
    for (const std::string& message : summary.messages()) {
      violations.CheckText("summary.messages", message);
    }
    return violations.ToStatus();
  }

  absl::Status Run() override {
    SOMAFIT_RETURN_IF_ERROR(CheckSummary());
    SOMAFIT_ASSIGN_OR_RETURN(const std::string name, FitNameOf(header_.name()));
    header_.set_chunk(set_.SerializeAsString());
    parts_.strand.DecideOnce(
        {request_id_, "ImportEstimators", BodyHash(header_)},
        [&](Coordinator& coordinator, Now now,
            Effects& effects) -> absl::StatusOr<std::string> {
          SOMAFIT_ASSIGN_OR_RETURN(const FitRecord before,
                                   coordinator.GetFit(name, now));
          const int wanted =
              before.spec.inference
                  ? std::max(before.spec.inference->estimator.ensemble, 1)
                  : 1;
          if (set_.estimator_size() != wanted ||
              std::any_of(set_.estimator().begin(), set_.estimator().end(),
                          [](const auto& each) { return each.empty(); })) {
            return BadField("member",
                            absl::StrCat("there are ", set_.estimator_size(),
                                         " nets, but fits/", name, " has ",
                                         wanted, " a round"));
          }
          SOMAFIT_ASSIGN_OR_RETURN(
              const FitRecord fit,
              coordinator.ImportEstimators(
                  name, header_.round(), std::move(*header_.mutable_chunk()),
                  header_.summary().SerializeAsString(), now, effects));
          return ToProto(fit).SerializeAsString();
        },
        [this](absl::StatusOr<std::string> bytes) {
          absl::Status status = bytes.status();
          if (status.ok() && !response_->ParseFromString(*bytes)) {
            status = absl::DataLossError(
                "the stored answer to this request cannot be read");
          }
          FinishWith(status);
        });
    return absl::OkStatus();
  }

  v1::Fit* response_;
  v1::ImportEstimatorsRequest header_;  // the first message, without its chunk
  v1::EstimatorSet set_;
};

}  // namespace

grpc::ServerReadReactor<v1::ImportEstimatorsRequest>*
InferenceHandler::ImportEstimators(Context* context, v1::Fit* response) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedReader<v1::ImportEstimatorsRequest>(Sendable(status));
  }
  return new ImportCall(parts_, imported_bytes_, context, response);
}

}  // namespace somafit
