#include "server/rpc/trainer_handler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include <spdlog/spdlog.h>

#include "proto/convert/inference_spec.h"
#include "proto/convert/status.h"
#include "server/posterior/embedding_layers.h"
#include "server/rpc/arguments.h"
#include "server/rpc/trainer_streams.h"
#include "server/rpc/waiting_call.h"
#include "server/study/inference_plan.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxEstimators = size_t{256} << 20;  // bytes
constexpr int kMaxDrawn = 1 << 25;                    // numbers

template <typename Request>
absl::Status CheckLease(const Request& request) {
  SOMAFIT_RETURN_IF_ERROR(CheckShown("session", request.session()));
  SOMAFIT_RETURN_IF_ERROR(CheckShown("lease", request.lease()));
  if (request.session().empty()) {
    return BadField("session",
                    "is missing; give what RegisterTrainer returned");
  }
  if (request.lease().empty()) {
    return BadField("lease", "is missing; give the task's");
  }
  return absl::OkStatus();
}

v1::TrainerTask ToProto(const TrainerTask& task) {
  v1::TrainerTask message;
  message.set_lease(task.lease);
  v1::InferenceProblem* const problem = message.mutable_problem();
  problem->set_fit(task.title);
  problem->set_seed(task.seed);
  for (const MarginalSpec& marginal : task.plan->marginals) {
    v1::CheckedPrior* const prior = problem->add_priors();
    prior->set_parameter(marginal.parameter);
    prior->set_kind(marginal.kind);
    for (const auto& [name, value] : marginal.options) {
      prior->add_option(name);
      prior->add_value(value);
    }
  }
  ToProto(task.plan->columns, problem->mutable_features(),
          problem->mutable_trace_columns());
  problem->mutable_observation()->Add(task.plan->observation.begin(),
                                      task.plan->observation.end());
  problem->set_algorithm(task.plan->algorithm);
  *problem->mutable_estimator() = ToProto(task.spec.estimator);
  *problem->mutable_training() = ToProto(task.spec.training);
  problem->set_n_rounds(task.n_rounds);
  problem->set_stage(task.stage);
  problem->set_fit_number(task.fit);
  problem->set_create_time_us(task.create_time_us);
  problem->set_n_samples(task.n_samples);
  if (task.request != 0 && task.job.kind == TrainerJob::Kind::kDraw) {
    message.mutable_ask()->mutable_propose()->set_round(task.job.round);
    message.mutable_ask()->mutable_propose()->set_n(task.job.n);
    message.mutable_ask()->set_first(task.first);
  } else if (task.request != 0) {
    message.mutable_ask()->set_round(task.job.round);
    message.mutable_ask()->mutable_ask()->ParseFromString(task.question);
  } else if (task.job.kind == TrainerJob::Kind::kTrain) {
    message.mutable_train()->set_round(task.job.round);
  } else {
    message.mutable_draw()->set_round(task.job.round);
    message.mutable_draw()->set_n(task.job.n);
  }
  return message;
}

class TrainerLeaseCall final : public WaitingCall<TrainerQueue> {
 public:
  TrainerLeaseCall(ServerParts& parts, const std::string& session,
                   v1::LeaseTrainerTaskResponse* response)
      : WaitingCall("LeaseTrainerTask", parts.trainers, parts.replies, session),
        response_(response) {}

 private:
  void Take(const std::vector<TrainerTask>& tasks) override {
    if (!tasks.empty()) *response_->mutable_task() = ToProto(tasks.front());
  }

  v1::LeaseTrainerTaskResponse* response_;
};

// The task of a lease that is wanted.
template <typename Request>
absl::StatusOr<TrainerTask> TaskOf(ServerParts& parts, const Request& request) {
  SOMAFIT_RETURN_IF_ERROR(CheckLease(request));
  absl::StatusOr<TrainerTask> task = absl::NotFoundError("");
  parts.strand.Decide(
      [&](Coordinator& coordinator, Now now, Effects&) {
        task = coordinator.FindTrainerTask(request.session(), request.lease(),
                                           now);
      },
      nullptr);
  return task;
}

// What all messages of a report bring.
struct Reported {
  TrainerTask task;
  std::string session, lease, summary, bytes;
  std::vector<double> theta;
  std::vector<std::string> answers;
  size_t answer_bytes = 0;
};

template <typename Request>
absl::Status TakeLease(ServerParts& parts, const Request& message, bool first,
                       Reported& report) {
  if (!first) return absl::OkStatus();
  // Nothing is held for somebody whose task is not wanted.
  SOMAFIT_ASSIGN_OR_RETURN(report.task, TaskOf(parts, message));
  report.session = message.session();
  report.lease = message.lease();
  return absl::OkStatus();
}

// Of a net of the training that the task is.
absl::StatusOr<CheckpointKey> CheckpointOf(const TrainerTask& task,
                                           int member) {
  if (task.request != 0 || task.job.kind != TrainerJob::Kind::kTrain) {
    return absl::InvalidArgumentError("the task did not ask for training");
  }
  if (member < 0 || member >= std::max(task.spec.estimator.ensemble, 1)) {
    return BadField("member",
                    absl::StrCat("is ", member, ", but there are ",
                                 std::max(task.spec.estimator.ensemble, 1)));
  }
  return CheckpointKey{.fit = task.fit,
                       .stage = task.stage,
                       .round = task.job.round,
                       .member = member};
}

// One ReportCheckpoint call.
class CheckpointCall final : public CollectedCall<v1::ReportCheckpointRequest> {
 public:
  CheckpointCall(ServerParts& parts, std::atomic<size_t>& held,
                 grpc::CallbackServerContext* context)
      : CollectedCall(parts, "ReportCheckpoint", held, context) {
    Begin();
  }

 private:
  absl::Status Take(v1::ReportCheckpointRequest& message, bool first) override {
    if (first) {
      // Nothing is held for somebody whose task is not wanted.
      SOMAFIT_ASSIGN_OR_RETURN(const TrainerTask task, TaskOf(parts_, message));
      SOMAFIT_ASSIGN_OR_RETURN(key_, CheckpointOf(task, message.member()));
    }
    const size_t size = message.chunk().size();
    SOMAFIT_RETURN_IF_ERROR(Hold(size));
    if (size > kMaxChunk || counted() > kMaxEstimators) {
      return BadField("chunk", absl::StrCat("has more than 1 MiB, or all "
                                            "together more than ",
                                            kMaxEstimators, " bytes"));
    }
    bytes_ += message.chunk();
    return absl::OkStatus();
  }
  absl::Status Run() override {
    if (!key_) return absl::CancelledError("the report was cut short");
    FinishWith(parts_.store.PutCheckpoint(*key_, bytes_));
    return absl::OkStatus();
  }

  std::optional<CheckpointKey> key_;
  std::string bytes_;
};

// A report that was cut short must not count.
absl::Status CheckEstimators(const Reported& report) {
  v1::EstimatorSet set;
  const int wanted = std::max(report.task.spec.estimator.ensemble, 1);
  if (set.ParseFromString(report.bytes) && set.estimator_size() == wanted &&
      std::none_of(set.estimator().begin(), set.estimator().end(),
                   [](const std::string& each) { return each.empty(); })) {
    return absl::OkStatus();
  }
  return BadField("chunk", absl::StrCat("is no set of ", wanted,
                                        " estimators; report "
                                        "all of it"));
}

}  // namespace

TrainerHandler::Unary* TrainerHandler::RegisterTrainer(
    Context* context, const v1::RegisterTrainerRequest* request,
    v1::RegisterTrainerResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(
        CheckIdentity(request->name(), request->host(), request->version()));
    const TrainerHello hello{.name = request->name(),
                             .host = request->host(),
                             .version = request->version()};
    AnswerRead(
        parts_, call,
        [&hello](Coordinator& coordinator, Now now) {
          return coordinator.RegisterTrainer(hello, now);
        },
        [response, hello](const absl::StatusOr<Coordinator::Session>& made) {
          if (!made.ok()) return made.status();
          spdlog::info("event=trainer_registered trainer=\"{}\" host=\"{}\"",
                       hello.name, hello.host);
          response->set_session(made->session);
          response->set_lease_seconds(made->lease_s);
          return absl::OkStatus();
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "RegisterTrainer", context, "", begin);
}

TrainerHandler::Unary* TrainerHandler::LeaseTrainerTask(
    Context* context, const v1::LeaseTrainerTaskRequest* request,
    v1::LeaseTrainerTaskResponse* response) {
  auto* call = new TrainerLeaseCall(parts_, request->session(), response);
  absl::Status status = parts_.access.Check(*context);
  if (status.ok()) status = CheckShown("session", request->session());
  if (!status.ok()) {
    call->FinishWith(status);
  } else {
    call->Begin(1);
  }
  return call;
}

TrainerHandler::Unary* TrainerHandler::TrainerHeartbeat(
    Context* context, const v1::TrainerHeartbeatRequest* request,
    v1::TrainerHeartbeatResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckShown("session", request->session()));
    SOMAFIT_RETURN_IF_ERROR(CheckShown("lease", request->lease()));
    SOMAFIT_RETURN_IF_ERROR(CheckShown("activity", request->activity()));
    constexpr int kMostEpochs = 1000;
    if (request->epochs_size() > kMostEpochs) {
      return BadField("epochs", absl::StrCat("has ", request->epochs_size(),
                                             " entries; at most ", kMostEpochs,
                                             " are allowed"));
    }
    std::vector<std::string> epochs;
    for (const v1::EpochReport& epoch : request->epochs()) {
      SOMAFIT_RETURN_IF_ERROR(CheckShown("estimator", epoch.estimator()));
      epochs.push_back(epoch.SerializeAsString());
    }
    auto ended = std::make_shared<absl::StatusOr<bool>>(false);
    parts_.strand.Decide(
        [&](Coordinator& coordinator, Now now, Effects& effects) {
          *ended = coordinator.TrainerHeartbeat(
              request->session(), request->lease(), request->activity(),
              std::move(epochs), now, effects);
        },
        [call, response, ended] {
          if (ended->ok()) response->set_ended(**ended);
          call->Finish(OfSession(ended->status()));
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "TrainerHeartbeat", context, "", begin);
}

grpc::ServerWriteReactor<v1::SimulationBlock>* TrainerHandler::FetchSimulations(
    Context* context, const v1::FetchSimulationsRequest* request) {
  const absl::Status allowed = parts_.access.Check(*context);
  const absl::StatusOr<TrainerTask> task =
      allowed.ok() ? TaskOf(parts_, *request) : allowed;
  if (!task.ok()) {
    return new RefusedWriter<v1::SimulationBlock>(Sendable(task.status()));
  }
  return SimulationStream::Start(parts_, *task);
}

grpc::ServerWriteReactor<v1::EstimatorsChunk>* TrainerHandler::FetchEstimators(
    Context* context, const v1::FetchEstimatorsRequest* request) {
  const absl::Status allowed = parts_.access.Check(*context);
  const absl::StatusOr<TrainerTask> task =
      allowed.ok() ? TaskOf(parts_, *request) : allowed;
  if (!task.ok()) {
    return new RefusedWriter<v1::EstimatorsChunk>(Sendable(task.status()));
  }
  return new ChunkStream<v1::EstimatorsChunk>(
      "FetchEstimators", parts_.slow,
      [this, fit = task->fit, stage = task->stage, round = request->round()] {
        return parts_.store.LoadEstimators(fit, stage, round);
      });
}

grpc::ServerReadReactor<v1::ReportCheckpointRequest>*
TrainerHandler::ReportCheckpoint(Context* context,
                                 v1::ReportTrainerTaskResponse*) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedReader<v1::ReportCheckpointRequest>(Sendable(status));
  }
  return new CheckpointCall(parts_, reported_bytes_, context);
}

grpc::ServerWriteReactor<v1::EstimatorsChunk>* TrainerHandler::FetchCheckpoint(
    Context* context, const v1::FetchCheckpointRequest* request) {
  const auto find = [&]() -> absl::StatusOr<CheckpointKey> {
    SOMAFIT_RETURN_IF_ERROR(parts_.access.Check(*context));
    SOMAFIT_ASSIGN_OR_RETURN(const TrainerTask task, TaskOf(parts_, *request));
    return CheckpointOf(task, request->member());
  };
  const absl::StatusOr<CheckpointKey> key = find();
  if (!key.ok()) {
    return new RefusedWriter<v1::EstimatorsChunk>(Sendable(key.status()));
  }
  return new ChunkStream<v1::EstimatorsChunk>(
      "FetchCheckpoint", parts_.slow,
      [this, key = *key]() -> absl::StatusOr<std::string> {
        absl::StatusOr<std::string> bytes = parts_.store.LoadCheckpoint(key);
        // None is the normal case.
        return absl::IsNotFound(bytes.status()) ? std::string() : bytes;
      });
}

grpc::ServerWriteReactor<v1::ScriptChunk>* TrainerHandler::FetchScript(
    Context* context, const v1::FetchScriptRequest* request) {
  const absl::Status allowed = parts_.access.Check(*context);
  const absl::StatusOr<TrainerTask> task =
      allowed.ok() ? TaskOf(parts_, *request) : allowed;
  if (!task.ok()) {
    return new RefusedWriter<v1::ScriptChunk>(Sendable(task.status()));
  }
  return new ChunkStream<v1::ScriptChunk>(
      "FetchScript", parts_.slow,
      [this, hash = ScriptOf(task->spec.estimator)] {
        return parts_.store.LoadScript(hash);
      });
}

grpc::ServerReadReactor<v1::ReportTrainingRequest>*
TrainerHandler::ReportTraining(Context* context,
                               v1::ReportTrainerTaskResponse*) {
  using Request = v1::ReportTrainingRequest;
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedReader<Request>(Sendable(status));
  }
  auto report = std::make_shared<Reported>();
  return new TrainerReport<Request>(
      parts_, reported_bytes_, "ReportTraining", context,
      [this, report](Request& message, bool first) {
        SOMAFIT_RETURN_IF_ERROR(TakeLease(parts_, message, first, *report));
        if (first) report->summary = message.summary().SerializeAsString();
        if (message.chunk().size() > kMaxChunk ||
            report->bytes.size() + message.chunk().size() > kMaxEstimators) {
          return BadField("chunk",
                          absl::StrCat("has more than 1 MiB, or all together "
                                       "more than ",
                                       kMaxEstimators, " bytes"));
        }
        report->bytes += message.chunk();
        return absl::OkStatus();
      },
      [report] { return CheckEstimators(*report); },
      [report](Coordinator& coordinator, Now now, Effects& effects) {
        return coordinator.ReportTraining(
            report->session, report->lease, std::move(report->bytes),
            std::move(report->summary), now, effects);
      });
}

grpc::ServerReadReactor<v1::ReportDrawsRequest>* TrainerHandler::ReportDraws(
    Context* context, v1::ReportTrainerTaskResponse*) {
  using Request = v1::ReportDrawsRequest;
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedReader<Request>(Sendable(status));
  }
  auto report = std::make_shared<Reported>();
  return new TrainerReport<Request>(
      parts_, reported_bytes_, "ReportDraws", context,
      [this, report](Request& message, bool first) {
        SOMAFIT_RETURN_IF_ERROR(TakeLease(parts_, message, first, *report));
        if (std::ssize(report->theta) + message.theta_size() > kMaxDrawn) {
          return BadField(
              "theta", absl::StrCat("has more than ", kMaxDrawn, " numbers"));
        }
        report->theta.insert(report->theta.end(), message.theta().begin(),
                             message.theta().end());
        return absl::OkStatus();
      },
      [] { return absl::OkStatus(); },
      [report](Coordinator& coordinator, Now now, Effects& effects) {
        return coordinator.ReportDraws(report->session, report->lease,
                                       report->theta, now, effects);
      });
}

grpc::ServerReadReactor<v1::ReportAnswerRequest>* TrainerHandler::ReportAnswer(
    Context* context, v1::ReportTrainerTaskResponse*) {
  using Request = v1::ReportAnswerRequest;
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedReader<Request>(Sendable(status));
  }
  auto report = std::make_shared<Reported>();
  return new TrainerReport<Request>(
      parts_, reported_bytes_, "ReportAnswer", context,
      [this, report](Request& message, bool first) {
        SOMAFIT_RETURN_IF_ERROR(TakeLease(parts_, message, first, *report));
        report->answers.push_back(message.answer().SerializeAsString());
        report->answer_bytes += report->answers.back().size();
        if (report->answer_bytes > kMaxAnswerBytes) {
          return BadField("answer", absl::StrCat("has more than ",
                                                 kMaxAnswerBytes, " bytes"));
        }
        return absl::OkStatus();
      },
      [] { return absl::OkStatus(); },
      [report](Coordinator& coordinator, Now now, Effects& effects) {
        return coordinator.ReportAnswer(report->session, report->lease,
                                        std::move(report->answers), now,
                                        effects);
      });
}

TrainerHandler::Unary* TrainerHandler::ReportTrainerFailure(
    Context* context, const v1::ReportTrainerFailureRequest* request,
    v1::ReportTrainerTaskResponse*) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckLease(*request));
    auto status = std::make_shared<absl::Status>();
    parts_.strand.Decide(
        [&](Coordinator& coordinator, Now now, Effects& effects) {
          *status = coordinator.ReportTrainerFailure(
              request->session(), request->lease(), request->message(),
              request->final(), now, effects);
        },
        [call, status] { call->Finish(*status); });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "ReportTrainerFailure", context, "", begin);
}

}  // namespace somafit
