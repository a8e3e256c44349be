#include "server/rpc/worker_handler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include <spdlog/spdlog.h>

#include "proto/convert/evaluation.h"
#include "proto/convert/spec.h"
#include "proto/convert/status.h"
#include "server/rpc/arguments.h"
#include "server/rpc/streams.h"
#include "server/rpc/trace_report.h"
#include "server/rpc/view.h"
#include "server/rpc/waiting_call.h"
#include "server/study/raw_file.h"
#include "worker/core/base/fault.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr int kMaxTasks = 16;       // of one LeaseTasks
constexpr int kMaxLeases = 10'000;  // of one request
constexpr size_t kMaxFailure = 4096;

absl::Status CheckSession(const std::string& session) {
  if (session.empty()) {
    return BadField("session", "is missing; give what Register returned");
  }
  return CheckShown("session", session);
}

absl::StatusOr<std::vector<std::string>> LeasesOf(
    const google::protobuf::RepeatedPtrField<std::string>& leases) {
  if (leases.size() > kMaxLeases) {
    return BadField("leases",
                    absl::StrCat("has ", leases.size(), " entries; at most ",
                                 kMaxLeases, " are allowed"));
  }
  for (const std::string& lease : leases) {
    SOMAFIT_RETURN_IF_ERROR(CheckShown("leases", lease));
  }
  return std::vector<std::string>(leases.begin(), leases.end());
}

class LeaseCall final : public WaitingCall<LeaseQueue> {
 public:
  LeaseCall(ServerParts& parts, grpc::CallbackServerContext* context,
            const v1::LeaseTasksRequest& request,
            v1::LeaseTasksResponse* response)
      : WaitingCall("LeaseTasks", parts.leases, parts.replies,
                    request.session()),
        strand_(parts.strand),
        context_(context),
        response_(response) {}

 private:
  void Take(const std::vector<Task>& tasks) override {
    std::vector<std::string> leases;
    for (const Task& task : tasks) {
      *response_->add_tasks() = ToProto(task);
      leases.push_back(task.lease);
    }
    if (leases.empty() || !context_->IsCancelled()) return;
    // Nobody will get these; do not let them wait for their lease to end.
    strand_.Decide(
        [&](Coordinator& coordinator, Now now, Effects& effects) {
          (void)coordinator.Release(session(), leases, now, effects);
        },
        nullptr);
  }

  Strand& strand_;
  grpc::CallbackServerContext* context_;
  v1::LeaseTasksResponse* response_;
};

}  // namespace

WorkerHandler::Unary* WorkerHandler::Register(
    Context* context, const v1::RegisterRequest* request,
    v1::RegisterResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(
        CheckIdentity(request->name(), request->host(), request->version()));
    if (request->threads() < 1 || request->threads() > 65'536) {
      return BadField("threads", absl::StrCat("is ", request->threads(),
                                              "; give 1 to 65536"));
    }
    const WorkerHello hello{.name = request->name(),
                            .host = request->host(),
                            .version = request->version(),
                            .threads = request->threads(),
                            .numerics_version = request->numerics_version()};
    AnswerRead(
        parts_, call,
        [&hello](Coordinator& coordinator, Now now) {
          return coordinator.Register(hello, now);
        },
        [response, hello](const absl::StatusOr<Coordinator::Session>& made) {
          if (!made.ok()) {
            spdlog::warn(
                "event=worker_refused worker=\"{}\" host=\"{}\" "
                "reason=\"{}\"",
                hello.name, hello.host, std::string(made.status().message()));
            return made.status();
          }
          spdlog::info(
              "event=worker_registered worker=\"{}\" host=\"{}\" "
              "threads={} version=\"{}\"",
              hello.name, hello.host, hello.threads, hello.version);
          response->set_session(made->session);
          response->set_lease_seconds(made->lease_s);
          return absl::OkStatus();
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "Register", context, "", begin);
}

WorkerHandler::Unary* WorkerHandler::LeaseTasks(
    Context* context, const v1::LeaseTasksRequest* request,
    v1::LeaseTasksResponse* response) {
  auto* call = new LeaseCall(parts_, context, *request, response);
  absl::Status status = parts_.access.Check(*context);
  if (status.ok()) status = CheckSession(request->session());
  if (status.ok() && request->max_tasks() < 1) {
    status = BadField("max_tasks", absl::StrCat("is ", request->max_tasks(),
                                                "; give at least 1"));
  }
  if (!status.ok()) {
    call->FinishWith(status);
  } else {
    call->Begin(std::min(request->max_tasks(), kMaxTasks));
  }
  return call;
}

WorkerHandler::Unary* WorkerHandler::Heartbeat(
    Context* context, const v1::HeartbeatRequest* request,
    v1::HeartbeatResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckSession(request->session()));
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<std::string> leases,
                             LeasesOf(request->leases()));
    auto ended = std::make_shared<absl::StatusOr<std::vector<std::string>>>(
        absl::InternalError("not decided"));
    parts_.strand.Decide(
        [&](Coordinator& coordinator, Now now, Effects& effects) {
          *ended =
              coordinator.Heartbeat(request->session(), leases, now, effects);
        },
        [call, ended, response] {
          if (ended->ok()) {
            for (std::string& lease : **ended) {
              response->add_ended(std::move(lease));
            }
          }
          call->Finish(OfSession(ended->status()));
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "Heartbeat", context, "", begin);
}

absl::StatusOr<Coordinator::Report> WorkerHandler::ReadReport(
    const v1::ReportResultsRequest& request, std::string* raw_file) {
  Coordinator::Report report;
  SOMAFIT_RETURN_IF_ERROR(CheckSession(request.session()));
  SOMAFIT_RETURN_IF_ERROR(CheckShown("lease", request.lease()));
  SOMAFIT_ASSIGN_OR_RETURN(report.fit, FitNameOf(request.fit(), "fit"));
  if (request.results().empty() == request.failure().empty()) {
    return BadField("results",
                    request.failure().empty()
                        ? "is empty; give results, or say in \"failure\" why "
                          "there are none"
                        : "is given beside \"failure\"; give one of them");
  }
  if (request.microseconds() < 0) {
    return BadField("microseconds", absl::StrCat("is ", request.microseconds(),
                                                 "; give 0 or more"));
  }
  report.session = request.session();
  report.lease = request.lease();
  report.microseconds = request.microseconds();
  report.failure = request.failure().substr(0, kMaxFailure);
  absl::StatusOr<Coordinator::ResultShape> shape = absl::NotFoundError("");
  parts_.strand.Peek([&](Coordinator& coordinator, RequestLog&) {
    shape = coordinator.ShapeOf(report.fit);
  });
  SOMAFIT_RETURN_IF_ERROR(shape.status());
  report.samples.reserve(request.results_size());
  for (const v1::SampleResult& result : request.results()) {
    absl::StatusOr<Evaluation> evaluation =
        FromProto(result, shape->n_outputs, shape->n_traces, shape->n_raw);
    if (!evaluation.ok()) {
      return BadField("results", std::string(evaluation.status().message()),
                      "SHAPE_MISMATCH");
    }
    report.samples.push_back({result.sample(), *std::move(evaluation)});
  }
  if (shape->n_raw == 0) return report;
  // Nothing is written for what has been recorded, or is of no fit's round.
  parts_.strand.Peek([&](Coordinator& coordinator, RequestLog&) {
    for (RecordedSample& each : report.samples) {
      if (!coordinator.IsOpen(report.fit, each.sample)) {
        each.evaluation.raw_x.clear();
      }
    }
  });
  *raw_file = EncodeRawFile(shape->owner, report.samples);
  return report;
}

// Decides upon a report, and answers once its results are durable.
void WorkerHandler::Record(const CallPtr& call, Coordinator::Report report,
                           const v1::ReportResultsRequest* request,
                           v1::ReportResultsResponse* response) {
  auto repeated = std::make_shared<absl::StatusOr<int64_t>>(
      absl::InternalError("not decided"));
  parts_.strand.Decide(
      [&](Coordinator& coordinator, Now now, Effects& effects) {
        *repeated = coordinator.ReportResults(std::move(report), now, effects);
      },
      [call, repeated, request, response] {
        if (repeated->ok()) {
          response->set_already_recorded(**repeated);
          spdlog::debug(
              "event=reported fit={} samples={} repeated={} "
              "us={} lease={}",
              request->fit(), request->results_size(), **repeated,
              request->microseconds(), request->lease());
        }
        call->Finish(repeated->status());
      });
}

WorkerHandler::Unary* WorkerHandler::ReportResults(
    Context* context, const v1::ReportResultsRequest* request,
    v1::ReportResultsResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    std::string raw_file;
    SOMAFIT_ASSIGN_OR_RETURN(Coordinator::Report report,
                             ReadReport(*request, &raw_file));
    if (raw_file.empty()) {
      Record(call, std::move(report), request, response);
      return absl::OkStatus();
    }
    // Raw traces are on disk before the rows that name them, and away from the
    // threads that answer.
    auto waiting = std::make_shared<Coordinator::Report>(std::move(report));
    parts_.slow.Post([this, call, request, response, waiting,
                      raw_file = std::move(raw_file)] {
      const absl::StatusOr<std::string> hash =
          parts_.store.PutRawFile(raw_file);
      if (!hash.ok()) return call->Finish(hash.status());
      FaultPoint("raw_file_written");
      for (RecordedSample& sample : waiting->samples) {
        if (sample.raw.offset > 0) sample.raw.file = *hash;
      }
      Record(call, std::move(*waiting), request, response);
    });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "ReportResults", context, "", begin);
}

grpc::ServerReadReactor<v1::ReportTracesRequest>* WorkerHandler::ReportTraces(
    Context* context, v1::ReportTracesResponse*) {
  if (absl::Status status = parts_.access.Check(*context); !status.ok()) {
    return new RefusedReader<v1::ReportTracesRequest>(Sendable(status));
  }
  return new TraceReport(parts_, trace_bytes_, context);
}

WorkerHandler::Unary* WorkerHandler::ReleaseTasks(
    Context* context, const v1::ReleaseTasksRequest* request,
    v1::ReleaseTasksResponse*) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckSession(request->session()));
    SOMAFIT_ASSIGN_OR_RETURN(const std::vector<std::string> leases,
                             LeasesOf(request->leases()));
    auto released = std::make_shared<absl::Status>();
    parts_.strand.Decide(
        [&](Coordinator& coordinator, Now now, Effects& effects) {
          *released =
              coordinator.Release(request->session(), leases, now, effects);
        },
        [call, released] { call->Finish(OfSession(*released)); });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "ReleaseTasks", context, "", begin);
}

WorkerHandler::Unary* WorkerHandler::GetModel(
    Context* context, const v1::GetModelRequest* request, v1::Model* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    if (!IsSha256Hex(request->model())) {
      return BadField("model", "is not a SHA-256 of 64 hexadecimal digits");
    }
    parts_.slow.Post([this, call, response, hash = request->model()] {
      const absl::StatusOr<ModelSource> model = parts_.store.LoadModel(hash);
      if (model.ok()) *response = ToProto(*model);
      call->Finish(model.status());
    });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "GetModel", context, "", begin);
}

grpc::ServerWriteReactor<v1::DatasetChunk>* WorkerHandler::GetDataset(
    Context* context, const v1::GetDatasetRequest* request) {
  absl::Status status = parts_.access.Check(*context);
  absl::StatusOr<std::string> hash = DatasetHashOf(request->dataset());
  if (status.ok()) status = hash.status();
  if (!status.ok())
    return new RefusedWriter<v1::DatasetChunk>(Sendable(status));
  return new DownloadStream(parts_.datasets, parts_.slow, *std::move(hash));
}

}  // namespace somafit
