// InferenceHandler: estimators that were trained elsewhere.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/violations.h"
#include "server/rpc/arguments.h"
#include "server/rpc/inference_handler.h"
#include "server/rpc/streams.h"
#include "server/rpc/view.h"
#include "somafit/v1/trainer_service.pb.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMostImported = size_t{256} << 20;  // bytes of one call
constexpr size_t kMostHeld = size_t{1} << 30;        // of all calls
constexpr size_t kMostSummary = size_t{128} << 10;
constexpr int64_t kMostEpochs = int64_t{1} << 31;
constexpr int kMostMembers = 16;

// One ImportEstimators call.
class ImportCall final
    : public grpc::ServerReadReactor<v1::ImportEstimatorsRequest> {
 public:
  ImportCall(ServerParts& parts, std::atomic<size_t>& held,
             grpc::CallbackServerContext* context, v1::Fit* response)
      : parts_(parts), held_(held), context_(context), response_(response) {
    StartRead(&message_);
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      if (const absl::Status status = Take(); !status.ok()) {
        return FinishWith(status);
      }
      return StartRead(&message_);
    }
    if (context_->IsCancelled()) {
      return FinishWith(absl::CancelledError("the call was cancelled"));
    }
    parts_.slow.Post([this] {
      if (const absl::Status status = Import(); !status.ok()) {
        FinishWith(status);
      }
    });
  }
  void OnDone() override {
    held_.fetch_sub(counted_);
    delete this;
  }

 private:
  absl::Status Take() {
    const size_t bytes =
        message_.chunk().size() + (begun_ ? 0 : message_.ByteSizeLong());
    if (held_.fetch_add(bytes) + bytes > kMostHeld) {
      held_.fetch_sub(bytes);
      return absl::ResourceExhaustedError(
          "too many estimators are being imported at once; try again later");
    }
    counted_ += bytes;
    if (message_.chunk().size() > kMaxChunk || counted_ > kMostImported) {
      return BadField("chunk",
                      absl::StrCat("has more than 1 MiB, or all together more "
                                   "than ",
                                   kMostImported, " bytes"));
    }
    const int n = set_.estimator_size();
    if (message_.member() < std::max(n - 1, 0) || message_.member() > n ||
        message_.member() >= kMostMembers) {
      return BadField("member",
                      absl::StrCat("is ", message_.member(), " after ", n,
                                   "; give one net after the other, "
                                   "at most ",
                                   kMostMembers));
    }
    if (message_.member() == n) set_.add_estimator();
    set_.mutable_estimator(message_.member())->append(message_.chunk());
    if (std::exchange(begun_, true)) return absl::OkStatus();
    name_ = message_.name();
    request_id_ = message_.request_id();
    round_ = message_.round();
    summary_ = message_.summary();
    return CheckRequestId(request_id_);
  }

  absl::Status CheckSummary() const {
    if (summary_.ByteSizeLong() > kMostSummary) {
      return BadField("summary",
                      absl::StrCat("has more than ", kMostSummary, " bytes"));
    }
    const int n = summary_.validation_loss_size();
    if (summary_.training_loss_size() != n ||
        summary_.epoch_seconds_size() != n || summary_.epochs() < 0 ||
        summary_.epochs() > kMostEpochs) {
      return BadField("summary",
                      "has curves of different lengths, or as many epochs as "
                      "nobody trains");
    }
    Violations violations;
    violations.CheckText("summary.estimator", summary_.estimator());
    for (const std::string& message : summary_.messages()) {
      violations.CheckText("summary.messages", message);
    }
    return violations.ToStatus();
  }

  // Blocks.
  absl::Status Import() {
    SOMAFIT_RETURN_IF_ERROR(CheckSummary());
    SOMAFIT_ASSIGN_OR_RETURN(const std::string name, FitNameOf(name_));
    v1::ImportEstimatorsRequest whole;
    whole.set_name(name_);
    whole.set_round(round_);
    *whole.mutable_summary() = summary_;
    whole.set_chunk(set_.SerializeAsString());
    parts_.strand.DecideOnce(
        {request_id_, "ImportEstimators", BodyHash(whole)},
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
                  name, round_, std::move(*whole.mutable_chunk()),
                  summary_.SerializeAsString(), now, effects));
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

  void FinishWith(const absl::Status& status) {
    LogCall("ImportEstimators", request_id_, status, begin_);
    Finish(Sendable(status));
  }

  ServerParts& parts_;
  std::atomic<size_t>& held_;
  grpc::CallbackServerContext* context_;
  v1::Fit* response_;
  const std::chrono::steady_clock::time_point begin_ =
      std::chrono::steady_clock::now();
  v1::ImportEstimatorsRequest message_;
  bool begun_ = false;
  size_t counted_ = 0;  // of held_
  std::string name_, request_id_;
  int64_t round_ = 0;
  v1::TrainingSummary summary_;
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
