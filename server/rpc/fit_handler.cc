#include "server/rpc/fit_handler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/spec.h"
#include "proto/convert/status.h"
#include "server/optimizer/optimizer.h"
#include "server/posterior/estimator_spec.h"
#include "server/posterior/marginal.h"
#include "server/rpc/arguments.h"
#include "server/rpc/planning.h"
#include "server/rpc/script_upload.h"
#include "server/rpc/streams.h"
#include "server/rpc/view.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/status.h"
#include "worker/core/objective/feature.h"
#include "worker/core/objective/metric.h"

namespace somafit {
namespace {

// Lists stay below what peers accept with gRPC's default settings.
constexpr size_t kMaxListBytes = size_t{3} << 20;

}  // namespace

grpc::ServerReadReactor<v1::UploadDatasetRequest>* FitHandler::UploadDataset(
    Context* context, v1::UploadDatasetResponse* response) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedReader<v1::UploadDatasetRequest>(Sendable(status));
  }
  return new UploadStream(parts_.datasets, parts_.slow, upload_bytes_, context,
                          response);
}

grpc::ServerReadReactor<v1::UploadScriptRequest>* FitHandler::UploadScript(
    Context* context, v1::UploadScriptResponse* response) {
  absl::Status status = parts_.access.Check(*context);
  if (status.ok() && !parts_.allow_scripts) status = ScriptsNotAllowed();
  if (!status.ok()) {
    return new RefusedReader<v1::UploadScriptRequest>(Sendable(status));
  }
  return new ScriptUpload(parts_.store, parts_.slow, context, response);
}

FitHandler::Unary* FitHandler::CreateFit(Context* context,
                                         const v1::CreateFitRequest* request,
                                         v1::Fit* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckRequestId(request->request_id()));
    if (!request->has_fit()) {
      return BadField("fit", "is missing; describe the fit");
    }
    SOMAFIT_ASSIGN_OR_RETURN(FitSpec spec, FromProto(request->fit()));
    parts_.slow.Post([this, call, request, response, spec = std::move(spec)] {
      const std::string model_hash = Sha256Hex(EncodeModelSource(spec.model));
      std::string warnings;
      absl::StatusOr<FitPlan> plan =
          PlanOf(spec, model_hash, parts_.datasets, &warnings);
      if (plan.ok()) {
        absl::Status sizes =
            CheckMessageSizes(*plan, plan->spec.n_samples, "n_samples");
        if (sizes.ok()) sizes = CheckNumbersOfX(*plan);
        if (!sizes.ok()) plan = sizes;
      }
      if (plan.ok()) {
        const absl::Status script = CheckScript(parts_, plan->spec);
        if (!script.ok()) plan = script;
      }
      if (!plan.ok()) return call->Finish(plan.status());
      if (request->validate_only()) {
        AnswerRead(
            parts_, call,
            [&](Coordinator& coordinator, Now now) {
              return coordinator.ValidateFit(*plan, now);
            },
            [response, warnings](const absl::StatusOr<FitRecord>& fit) {
              if (!fit.ok()) return fit.status();
              *response = ToProto(*fit);
              response->set_warnings(warnings);
              return absl::OkStatus();
            });
        return;
      }
      AnswerOnce(parts_, call,
                 {request->request_id(), "CreateFit", BodyHash(*request)},
                 response,
                 [&](Coordinator& coordinator, Now now,
                     Effects& effects) -> absl::StatusOr<v1::Fit> {
                   SOMAFIT_ASSIGN_OR_RETURN(
                       const FitRecord fit,
                       coordinator.CreateFit(*std::move(plan), spec.model, now,
                                             effects));
                   v1::Fit reply = ToProto(fit);
                   reply.set_warnings(warnings);
                   return reply;
                 });
    });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "CreateFit", context, request->request_id(), begin);
}

FitHandler::Unary* FitHandler::GetFit(Context* context,
                                      const v1::GetFitRequest* request,
                                      v1::Fit* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                             FitNameOf(request->name()));
    AnswerRead(
        parts_, call,
        [&](Coordinator& coordinator, Now now) {
          return coordinator.GetFit(name, now);
        },
        [response](const absl::StatusOr<FitRecord>& fit) {
          if (fit.ok()) *response = ToProto(*fit);
          return fit.status();
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "GetFit", context, "", begin);
}

FitHandler::Unary* FitHandler::ListFits(Context* context,
                                        const v1::ListFitsRequest* request,
                                        v1::ListFitsResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_ASSIGN_OR_RETURN(const int size,
                             PageSizeOf(request->page_size(), 100, 1000));
    SOMAFIT_ASSIGN_OR_RETURN(
        const int64_t after,
        ReadPageToken(request->page_token(), "ListFits", 0));
    AnswerRead(
        parts_, call,
        [&](Coordinator& coordinator, Now now) {
          return coordinator.ListFits(after, size + 1, now);
        },
        [response, size](const std::vector<FitRecord>& fits) {
          size_t bytes = 0;
          for (size_t i = 0; i < fits.size(); ++i) {
            if (std::cmp_equal(i, size) || bytes > kMaxListBytes) {
              response->set_next_page_token(
                  MakePageToken("ListFits", fits[i - 1].id));
              break;
            }
            v1::Fit* fit = response->add_fits();
            *fit = ToShortProto(fits[i]);
            bytes += fit->ByteSizeLong();
          }
          return absl::OkStatus();
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "ListFits", context, "", begin);
}

template <typename Request>
FitHandler::Unary* FitHandler::ChangeState(std::string_view method,
                                           Context* context,
                                           const Request* request,
                                           v1::Fit* response,
                                           Transition transition) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckRequestId(request->request_id()));
    SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                             FitNameOf(request->name()));
    AnswerOnce(parts_, call,
               {request->request_id(), std::string(method), BodyHash(*request)},
               response,
               [&](Coordinator& coordinator, Now now,
                   Effects& effects) -> absl::StatusOr<v1::Fit> {
                 SOMAFIT_ASSIGN_OR_RETURN(
                     const FitRecord fit,
                     (coordinator.*transition)(name, now, effects));
                 return ToProto(fit);
               });
    return absl::OkStatus();
  };
  return BeginCall(parts_, method, context, request->request_id(), begin);
}

FitHandler::Unary* FitHandler::PauseFit(Context* context,
                                        const v1::PauseFitRequest* request,
                                        v1::Fit* response) {
  return ChangeState("PauseFit", context, request, response,
                     &Coordinator::PauseFit);
}

FitHandler::Unary* FitHandler::ResumeFit(Context* context,
                                         const v1::ResumeFitRequest* request,
                                         v1::Fit* response) {
  return ChangeState("ResumeFit", context, request, response,
                     &Coordinator::ResumeFit);
}

FitHandler::Unary* FitHandler::CancelFit(Context* context,
                                         const v1::CancelFitRequest* request,
                                         v1::Fit* response) {
  return ChangeState("CancelFit", context, request, response,
                     &Coordinator::CancelFit);
}

FitHandler::Unary* FitHandler::DeleteFit(Context* context,
                                         const v1::DeleteFitRequest* request,
                                         v1::DeleteFitResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckRequestId(request->request_id()));
    SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                             FitNameOf(request->name()));
    AnswerOnce(
        parts_, call, {request->request_id(), "DeleteFit", BodyHash(*request)},
        response,
        [&](Coordinator& coordinator, Now now,
            Effects& effects) -> absl::StatusOr<v1::DeleteFitResponse> {
          SOMAFIT_RETURN_IF_ERROR(coordinator.DeleteFit(name, now, effects));
          return v1::DeleteFitResponse();
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "DeleteFit", context, request->request_id(), begin);
}

FitHandler::Unary* FitHandler::AckRound(Context* context,
                                        const v1::AckRoundRequest* request,
                                        v1::Fit* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckRequestId(request->request_id()));
    SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                             FitNameOf(request->name()));
    if (request->decision() != v1::GATE_DECISION_CONTINUE &&
        request->decision() != v1::GATE_DECISION_STOP) {
      return BadField("decision",
                      absl::StrCat("is ", static_cast<int>(request->decision()),
                                   "; give GATE_DECISION_CONTINUE or "
                                   "GATE_DECISION_STOP"));
    }
    if (request->stage() < 0) {
      return BadField("stage", absl::StrCat("is ", request->stage(),
                                            "; stages count from 0"));
    }
    if (request->round() < 0) {
      return BadField("round", absl::StrCat("is ", request->round(),
                                            "; rounds count from 0"));
    }
    const GateAnswer answer = request->decision() == v1::GATE_DECISION_STOP
                                  ? GateAnswer::kStop
                                  : GateAnswer::kContinue;
    AnswerOnce(
        parts_, call, {request->request_id(), "AckRound", BodyHash(*request)},
        response,
        [&](Coordinator& coordinator, Now now,
            Effects& effects) -> absl::StatusOr<v1::Fit> {
          SOMAFIT_ASSIGN_OR_RETURN(
              const FitRecord fit,
              coordinator.AckRound(name, request->stage(), request->round(),
                                   answer, now, effects));
          return ToProto(fit);
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "AckRound", context, request->request_id(), begin);
}

FitHandler::Unary* FitHandler::EvaluatePoints(
    Context* context, const v1::EvaluatePointsRequest* request,
    v1::EvaluatePointsResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckRequestId(request->request_id()));
    SOMAFIT_ASSIGN_OR_RETURN(std::string name, FitNameOf(request->name()));
    if (request->parameters().empty()) {
      return BadField("parameters", "is empty; name the columns of the points");
    }
    if (request->points_size() / request->parameters_size() >
        kMaxEvaluationPoints) {
      return BadField("points",
                      absl::StrCat("has more than ", kMaxEvaluationPoints,
                                   " points; send them in several requests"));
    }
    absl::StatusOr<FitRecord> found = absl::NotFoundError("");
    parts_.strand.Peek([&](Coordinator& coordinator, RequestLog&) {
      found = coordinator.GetFit(name, ReadClock());
    });
    SOMAFIT_RETURN_IF_ERROR(found.status());
    parts_.slow.Post([this, call, request, response, name = std::move(name),
                      fit = *std::move(found)] {
      const auto run = [&]() -> absl::Status {
        SOMAFIT_ASSIGN_OR_RETURN(
            FitPlan plan, PlanOf(fit.spec, fit.model_hash, parts_.datasets));
        SOMAFIT_ASSIGN_OR_RETURN(
            auto points,
            PointsOf(request->parameters(), request->points(), plan));
        SOMAFIT_RETURN_IF_ERROR(
            CheckMessageSizes(plan, std::ssize(points), "points"));
        AnswerOnce(
            parts_, call,
            {request->request_id(), "EvaluatePoints", BodyHash(*request)},
            response,
            [&](Coordinator& coordinator, Now now, Effects& effects)
                -> absl::StatusOr<v1::EvaluatePointsResponse> {
              SOMAFIT_ASSIGN_OR_RETURN(const FitRecord current,
                                       coordinator.GetFit(name, now));
              if (current.id != fit.id) {
                return absl::AbortedError(absl::StrCat(
                    "fits/", name, " was replaced meanwhile; ask again"));
              }
              SOMAFIT_ASSIGN_OR_RETURN(
                  const Coordinator::EvaluationStage stage,
                  coordinator.EvaluatePoints(name, std::move(plan),
                                             std::move(points), now, effects));
              v1::EvaluatePointsResponse answer;
              answer.set_stage(stage.stage);
              answer.set_first_sample(stage.first_sample);
              answer.set_count(stage.count);
              return answer;
            });
        return absl::OkStatus();
      };
      if (const absl::Status status = run(); !status.ok()) {
        call->Finish(status);
      }
    });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "EvaluatePoints", context, request->request_id(),
                   begin);
}

grpc::ServerWriteReactor<v1::GenerateTracesResponse>*
FitHandler::GenerateTraces(Context* context,
                           const v1::GenerateTracesRequest* request) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedWriter<v1::GenerateTracesResponse>(Sendable(status));
  }
  return TraceStream::Start(parts_, request);
}

grpc::ServerWriteReactor<v1::FitEvent>* FitHandler::WatchFit(
    Context* context, const v1::WatchFitRequest* request) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedWriter<v1::FitEvent>(Sendable(status));
  }
  absl::StatusOr<std::string> name = FitNameOf(request->name());
  if (name.ok() && request->after_seq() < 0) {
    name = BadField("after_seq", absl::StrCat("is ", request->after_seq(),
                                              "; give 0 or more"));
  }
  if (!name.ok()) {
    return new RefusedWriter<v1::FitEvent>(Sendable(name.status()));
  }
  return WatchStream::Start(parts_.strand, parts_.store, parts_.watches,
                            parts_.slow, *std::move(name),
                            request->after_seq());
}

FitHandler::Unary* FitHandler::ListWorkers(
    Context* context, const v1::ListWorkersRequest* request,
    v1::ListWorkersResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_ASSIGN_OR_RETURN(const int size,
                             PageSizeOf(request->page_size(), 100, 1000));
    SOMAFIT_ASSIGN_OR_RETURN(
        const int64_t after,
        ReadPageToken(request->page_token(), "ListWorkers", 0));
    AnswerRead(
        parts_, call,
        [](Coordinator& coordinator, Now now) {
          std::vector<WorkerView> workers = coordinator.Workers(now);
          for (WorkerView& trainer : coordinator.Trainers(now)) {
            trainer.name += " (trainer)";
            workers.push_back(std::move(trainer));
          }
          return workers;
        },
        [response, size, after](const std::vector<WorkerView>& workers) {
          const int64_t end =
              std::min<int64_t>(after + size, std::ssize(workers));
          for (int64_t i = after; i < end; ++i) {
            *response->add_workers() = ToProto(workers[i]);
          }
          if (end < std::ssize(workers)) {
            response->set_next_page_token(MakePageToken("ListWorkers", end));
          }
          return absl::OkStatus();
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "ListWorkers", context, "", begin);
}

FitHandler::Unary* FitHandler::GetServerInfo(Context* context,
                                             const v1::GetServerInfoRequest*,
                                             v1::ServerInfo* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    AnswerRead(
        parts_, call,
        [](Coordinator& coordinator, Now now) {
          const std::vector<WorkerView> workers = coordinator.Workers(now);
          return std::count_if(
              workers.begin(), workers.end(),
              [](const WorkerView& worker) { return worker.state != "lost"; });
        },
        [this, response](int64_t workers) {
          response->set_version(parts_.version);
          response->set_numerics_version(kNumericsVersion);
          response->set_database(parts_.database);
          response->set_fits(parts_.strand.fit_count);
          response->set_workers(workers);
          return absl::OkStatus();
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "GetServerInfo", context, "", begin);
}

FitHandler::Unary* FitHandler::DescribeFamily(
    Context* context, const v1::DescribeFamilyRequest* request,
    v1::DescribeFamilyResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    const auto list = [response](const auto& entries) {
      for (const auto* entry : entries) {
        *response->add_members() =
            DescribeMember(entry->name, entry->summary, entry->options);
      }
    };
    if (request->family() == "optimizers") {
      list(AllOptimizers());
    } else if (request->family() == "metrics") {
      list(AllMetrics());
    } else if (request->family() == "features") {
      list(AllFeatures());
    } else if (request->family() == "priors") {
      list(AllMarginals());
    } else if (request->family() == "estimators") {
      list(AllNets());
    } else {
      return BadField("family",
                      absl::StrCat("\"", request->family().substr(0, 100),
                                   "\" is unknown; give \"optimizers\", "
                                   "\"metrics\", \"features\", \"priors\" or "
                                   "\"estimators\""));
    }
    call->Finish(absl::OkStatus());
    return absl::OkStatus();
  };
  return BeginCall(parts_, "DescribeFamily", context, "", begin);
}

}  // namespace somafit
