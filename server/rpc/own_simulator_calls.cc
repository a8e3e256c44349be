// InferenceHandler: observations, and the loop of a user's own simulator.
#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "proto/convert/inference_spec.h"
#include "server/rpc/answer_stream.h"
#include "server/rpc/arguments.h"
#include "server/rpc/collected_call.h"
#include "server/rpc/inference_handler.h"
#include "server/rpc/planning.h"
#include "server/rpc/streams.h"
#include "server/rpc/view.h"
#include "server/study/inference_plan.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr int64_t kMostProposed = 100'000;
constexpr int64_t kLastDraw = int64_t{1} << 24;
constexpr size_t kMostAppended = size_t{64} << 20;  // bytes of one call
// Numbers of one message.
constexpr size_t kPieceNumbers = kMaxChunk / sizeof(double);

// Whether the name still has the fit that plans were made of.
absl::Status CheckSame(const Coordinator& coordinator, const FitRecord& seen,
                       Now now) {
  SOMAFIT_ASSIGN_OR_RETURN(const FitRecord fit,
                           coordinator.GetFit(seen.name, now));
  if (fit.id == seen.id && fit.stage == seen.stage) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(
      "fits/", seen.name, " changed meanwhile; look at it and ask again"));
}

std::vector<std::string> FreeParameters(const FitPlan& plan) {
  std::vector<std::string> names;
  for (const size_t i : plan.inference->free) {
    names.push_back(plan.space.parameters()[i].name);
  }
  return names;
}

// One Propose stream.
class ProposalStream final : public AnswerStream<v1::Proposed> {
 public:
  // `request` lives until OnDone.
  static ProposalStream* Start(ServerParts& parts,
                               const v1::ProposeRequest* request) {
    std::shared_ptr<ProposalStream> stream(new ProposalStream(parts, request));
    stream->KeepAlive();
    stream->PostPump();
    return stream.get();
  }

 private:
  ProposalStream(ServerParts& parts, const v1::ProposeRequest* request)
      : AnswerStream("Propose", parts), request_(request) {}

  absl::Status Ask() override {
    SOMAFIT_ASSIGN_OR_RETURN(const FitRecord fit,
                             FindInference(parts_, request_->name()));
    const std::string& name = fit.name;
    SOMAFIT_ASSIGN_OR_RETURN(const FitPlan plan,
                             PlanOf(fit.spec, fit.model_hash, parts_.datasets));
    const auto n_free = static_cast<int64_t>(plan.inference->free.size());
    if (request_->n() < 1 || request_->n() > kMostProposed ||
        request_->n() * n_free * 16 > static_cast<int64_t>(kMaxAnswerBytes)) {
      return BadField(
          "n", absl::StrCat("is ", request_->n(), "; give 1 to ", kMostProposed,
                            ", and with many parameters fewer"));
    }
    std::optional<int64_t> first;
    if (request_->has_first()) first = request_->first();
    if (first && (*first < 0 || *first > kLastDraw)) {
      return BadField("first",
                      absl::StrCat("is ", *first, "; give 0 to ", kLastDraw));
    }
    // What is proposed follows on what is on disk.
    absl::StatusOr<ProposalPlan> proposal = absl::InternalError("");
    parts_.strand.Decide(
        [&](Coordinator& coordinator, Now, Effects&) {
          proposal = coordinator.PlanProposal(name, first);
        },
        nullptr);
    SOMAFIT_RETURN_IF_ERROR(proposal.status());
    proposal_ = *proposal;
    parameters_ = FreeParameters(plan);
    if (proposal_.round == 0) {
      Answer(
          InPieces(ProposeFromPrior(*plan.inference, fit.spec.seed, fit.stage,
                                    proposal_.first, request_->n())));
      return absl::OkStatus();
    }
    TrainerTask task;
    task.plan = plan.inference;
    task.spec = *plan.spec.inference;
    task.job = {.kind = TrainerJob::Kind::kDraw,
                .round = proposal_.round,
                .n = request_->n()};
    task.first = proposal_.first;
    return Put(name, std::move(task));
  }

  absl::Status Read(const std::string& answer, bool first,
                    v1::Proposed& message) override {
    v1::PosteriorAnswer read;
    if (!read.ParseFromString(answer)) {
      return absl::DataLossError("the answer cannot be read");
    }
    if (first) {
      message.set_round(proposal_.round);
      message.set_first(proposal_.first);
      message.mutable_parameters()->Add(parameters_.begin(), parameters_.end());
    }
    *message.mutable_theta() = std::move(*read.mutable_theta());
    *message.mutable_messages() = std::move(*read.mutable_messages());
    return absl::OkStatus();
  }

  static std::vector<std::string> InPieces(const std::vector<double>& theta) {
    std::vector<std::string> pieces;
    for (size_t at = 0; at < theta.size(); at += kPieceNumbers) {
      v1::PosteriorAnswer piece;
      const size_t end = std::min(theta.size(), at + kPieceNumbers);
      piece.mutable_theta()->Add(theta.data() + at, theta.data() + end);
      pieces.push_back(piece.SerializeAsString());
    }
    return pieces;
  }

  const v1::ProposeRequest* request_;
  ProposalPlan proposal_;
  std::vector<std::string> parameters_;
};

// One AppendSimulations call.
class AppendCall final : public CollectedCall<v1::AppendSimulationsRequest> {
 public:
  AppendCall(ServerParts& parts, std::atomic<size_t>& held,
             grpc::CallbackServerContext* context,
             v1::AppendSimulationsResponse* response)
      : CollectedCall(parts, "AppendSimulations", held, context),
        response_(response) {
    Begin();
  }

 private:
  absl::Status Take(v1::AppendSimulationsRequest& message,
                    bool first) override {
    // Of what comes later theta and x alone are kept.
    SOMAFIT_RETURN_IF_ERROR(
        Hold(first ? message.ByteSizeLong()
                   : 8 * static_cast<size_t>(message.theta_size() +
                                             message.x_size())));
    if (counted() > kMostAppended) {
      return BadField("x", absl::StrCat("has more than ", kMostAppended,
                                        " bytes with theta; append fewer rows "
                                        "at once"));
    }
    if (first) {
      request_ = message;
      request_id_ = request_.request_id();
      return CheckRequestId(request_id_);
    }
    request_.mutable_theta()->MergeFrom(message.theta());
    request_.mutable_x()->MergeFrom(message.x());
    return absl::OkStatus();
  }

  // Theta in the inference's own order.
  absl::StatusOr<std::vector<double>> Ordered(const FitPlan& plan) const {
    const std::vector<std::string> names = FreeParameters(plan);
    const auto n = static_cast<int>(names.size());
    if (request_.theta_size() % n != 0 || request_.theta().empty()) {
      return BadField("theta",
                      absl::StrCat("has ", request_.theta_size(),
                                   " numbers; give a positive multiple of ", n,
                                   ", one row a simulation"),
                      "SHAPE_MISMATCH");
    }
    std::vector<int> column(names.size());
    for (int i = 0; i < n; ++i) column[i] = i;
    if (!request_.parameters().empty()) {
      if (request_.parameters_size() != n) {
        return BadField(
            "parameters",
            absl::StrCat("has ", request_.parameters_size(),
                         " names; the inference has ", n, " parameters"));
      }
      for (int i = 0; i < n; ++i) {
        const auto found = std::find(request_.parameters().begin(),
                                     request_.parameters().end(), names[i]);
        if (found == request_.parameters().end()) {
          return BadField("parameters",
                          absl::StrCat("\"", names[i],
                                       "\" is missing; give each parameter "
                                       "of the inference once"));
        }
        column[i] = static_cast<int>(found - request_.parameters().begin());
      }
    }
    std::vector<double> theta;
    theta.reserve(static_cast<size_t>(request_.theta_size()));
    for (int row = 0; row < request_.theta_size() / n; ++row) {
      for (int i = 0; i < n; ++i) {
        const double value = request_.theta(row * n + column[i]);
        if (!std::isfinite(value)) {
          return BadField(
              "theta", absl::StrCat("row ", row, " has ", names[i], " = ",
                                    ShortestText(value),
                                    "; parameters are finite numbers in SI"));
        }
        theta.push_back(value);
      }
    }
    return theta;
  }

  absl::Status Run() override {
    SOMAFIT_ASSIGN_OR_RETURN(const FitRecord fit,
                             FindInference(parts_, request_.name()));
    const std::string& name = fit.name;
    SOMAFIT_ASSIGN_OR_RETURN(const FitPlan plan,
                             PlanOf(fit.spec, fit.model_hash, parts_.datasets));
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<double> theta, Ordered(plan));
    std::optional<int64_t> round;
    if (request_.has_round()) round = request_.round();
    parts_.strand.DecideOnce(
        {request_.request_id(), "AppendSimulations", BodyHash(request_)},
        [&](Coordinator& coordinator, Now now,
            Effects& effects) -> absl::StatusOr<std::string> {
          SOMAFIT_RETURN_IF_ERROR(CheckSame(coordinator, fit, now));
          SOMAFIT_ASSIGN_OR_RETURN(
              const AppendedSimulations appended,
              coordinator.AppendSimulations(
                  name, round, theta,
                  {request_.x().data(), static_cast<size_t>(request_.x_size())},
                  now, effects));
          v1::AppendSimulationsResponse answer;
          answer.set_round(appended.round);
          answer.set_simulations(appended.simulations);
          answer.set_invalid(appended.invalid);
          return answer.SerializeAsString();
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

  v1::AppendSimulationsResponse* response_;
  v1::AppendSimulationsRequest request_;
};

// The plan of an inference with what `change` makes of its spec, and then what
// `decide` makes of that, once. Blocks.
template <typename Request, typename Change, typename Decide>
grpc::ServerUnaryReactor* ChangeInference(ServerParts& parts,
                                          std::string_view method,
                                          grpc::CallbackServerContext* context,
                                          const Request* request,
                                          v1::Fit* response, Change change,
                                          Decide decide) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckRequestId(request->request_id()));
    SOMAFIT_ASSIGN_OR_RETURN(std::string name, FitNameOf(request->name()));
    parts.slow.Post([&parts, method, call, request, response, name, change,
                     decide] {
      const auto run = [&]() -> absl::Status {
        SOMAFIT_ASSIGN_OR_RETURN(FitRecord fit,
                                 FindInference(parts, request->name()));
        change(*fit.spec.inference);
        SOMAFIT_ASSIGN_OR_RETURN(
            FitPlan plan, PlanOf(fit.spec, fit.model_hash, parts.datasets));
        AnswerOnce(
            parts, call,
            {request->request_id(), std::string(method), BodyHash(*request)},
            response,
            [&](Coordinator& coordinator, Now now,
                Effects& effects) -> absl::StatusOr<v1::Fit> {
              SOMAFIT_ASSIGN_OR_RETURN(
                  const FitRecord changed,
                  decide(coordinator, name, std::move(plan), fit, now,
                         effects));
              return ToProto(changed);
            });
        return absl::OkStatus();
      };
      if (const absl::Status status = run(); !status.ok()) {
        call->Finish(status);
      }
    });
    return absl::OkStatus();
  };
  return BeginCall(parts, method, context, request->request_id(), begin);
}

}  // namespace

InferenceHandler::Unary* InferenceHandler::SetObservation(
    Context* context, const v1::SetObservationRequest* request,
    v1::Fit* response) {
  const std::vector<double> observation(request->observation().begin(),
                                        request->observation().end());
  if (observation.empty()) {
    return BeginCall(parts_, "SetObservation", context, "", [](const CallPtr&) {
      return BadField("observation",
                      "is missing; give a number for each "
                      "column of x");
    });
  }
  return ChangeInference(
      parts_, "SetObservation", context, request, response,
      [observation](InferenceSpec& spec) { spec.observation = observation; },
      [observation](Coordinator& coordinator, const std::string& name, FitPlan,
                    const FitRecord& seen, Now now,
                    Effects& effects) -> absl::StatusOr<FitRecord> {
        SOMAFIT_RETURN_IF_ERROR(CheckSame(coordinator, seen, now));
        return coordinator.SetObservation(name, observation, now, effects);
      });
}

grpc::ServerWriteReactor<v1::Proposed>* InferenceHandler::Propose(
    Context* context, const v1::ProposeRequest* request) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedWriter<v1::Proposed>(Sendable(status));
  }
  return ProposalStream::Start(parts_, request);
}

grpc::ServerReadReactor<v1::AppendSimulationsRequest>*
InferenceHandler::AppendSimulations(Context* context,
                                    v1::AppendSimulationsResponse* response) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedReader<v1::AppendSimulationsRequest>(Sendable(status));
  }
  return new AppendCall(parts_, appended_bytes_, context, response);
}

InferenceHandler::Unary* InferenceHandler::Train(
    Context* context, const v1::TrainRequest* request, v1::Fit* response) {
  Violations violations;
  CheckTraining("training.", request->training(), violations);
  if (const absl::Status status = violations.ToStatus(); !status.ok()) {
    return BeginCall(parts_, "Train", context, "",
                     [&](const CallPtr&) { return status; });
  }
  return ChangeInference(
      parts_, "Train", context, request, response,
      [request](InferenceSpec& spec) {
        if (request->has_training()) {
          spec.training = FromProto(request->training());
        }
      },
      [request](Coordinator& coordinator, const std::string& name, FitPlan plan,
                const FitRecord& seen, Now now, Effects& effects) {
        return coordinator.Train(name, std::move(plan), seen,
                                 request->final_round(), now, effects);
      });
}

}  // namespace somafit
