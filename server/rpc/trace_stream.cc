#include "server/rpc/trace_stream.h"

#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "proto/convert/digest.h"
#include "proto/convert/status.h"
#include "server/rpc/arguments.h"
#include "server/rpc/parts.h"
#include "server/rpc/planning.h"
#include "server/rpc/view.h"
#include "worker/core/base/status.h"
#include "worker/core/objective/terms.h"

namespace somafit {
namespace {

constexpr size_t kMaxName = 255;
constexpr int kMaxInitialValues = 1000;

absl::Status CheckOutputs(const v1::GenerateTracesRequest& request) {
  const auto n = static_cast<size_t>(request.outputs_size());
  if (n == 0 || n > kMaxTraceOutputs) {
    return BadField("outputs",
                    absl::StrCat("has ", n, " names; give 1 to ",
                                 kMaxTraceOutputs, " variables of the model"));
  }
  std::set<std::string> seen;
  for (const std::string& name : request.outputs()) {
    const std::string shown = absl::CHexEscape(name.substr(0, 60));
    if (name.size() > kMaxName) {
      return BadField(
          "outputs", absl::StrCat("\"", shown, "...\" is too long for a name"));
    }
    if (!seen.insert(name).second) {
      return BadField("outputs", absl::StrCat("\"", shown,
                                              "\" is given twice; give each "
                                              "variable once"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPoints(const v1::GenerateTracesRequest& request) {
  if (request.best()) {
    if (request.parameters().empty() && request.points().empty()) {
      return absl::OkStatus();
    }
    return BadField("best", "is given beside points; give one of them");
  }
  if (request.parameters().empty()) {
    return BadField("parameters",
                    "is empty; name the columns of the points, or ask for the "
                    "best sample");
  }
  const auto n_points = static_cast<size_t>(request.points_size()) /
                        static_cast<size_t>(request.parameters_size());
  if (n_points > kMaxTracePoints) {
    return BadField("points",
                    absl::StrCat("has ", n_points, " points; give at most ",
                                 kMaxTracePoints, " at once"));
  }
  return absl::OkStatus();
}

absl::Status Gone(const std::string& name) {
  return absl::AbortedError(
      absl::StrCat(name, " was replaced meanwhile; ask again"));
}

}  // namespace

absl::Status TraceStream::Draining() {
  return WithReason(
      absl::UnavailableError("the server is stopping; ask for the traces again "
                             "when it is back"),
      "DRAINING");
}

TraceStream* TraceStream::Start(ServerParts& parts,
                                const v1::GenerateTracesRequest* request) {
  std::shared_ptr<TraceStream> stream(new TraceStream(parts, request));
  stream->KeepAlive();
  stream->Open();
  return stream.get();
}

TraceStream::TraceStream(ServerParts& parts,
                         const v1::GenerateTracesRequest* request)
    : PumpedStream("GenerateTraces", parts.slow),
      parts_(parts),
      request_(request) {}

std::shared_ptr<TraceStream> TraceStream::Self() {
  return std::static_pointer_cast<TraceStream>(shared_from_this());
}

void TraceStream::Open() {
  absl::Status status = CheckOutputs(*request_);
  if (status.ok()) status = CheckPoints(*request_);
  absl::StatusOr<std::string> name = FitNameOf(request_->name());
  if (status.ok()) status = name.status();
  if (!status.ok()) return FinishOnce(status);
  auto found =
      std::make_shared<absl::StatusOr<FitRecord>>(absl::NotFoundError(""));
  // The best sample is one that is on disk.
  parts_.strand.Decide(
      [&name, found](Coordinator& coordinator, Now now, Effects&) {
        *found = coordinator.GetFit(*name, now);
      },
      [self = Self(), found] {
        if (!found->ok()) return self->FinishOnce(found->status());
        self->parts_.slow.Post([self, found] {
          const absl::Status requested = self->Request(**found);
          if (!requested.ok()) return self->FinishOnce(requested);
          if (self->parts_.traces.draining()) {
            return self->FinishOnce(Draining());
          }
          self->PostPump();
        });
      });
}

absl::StatusOr<FitPlan> TraceStream::PlanOfRequest(const FitRecord& fit) const {
  if (HasOwnSimulator(fit.spec)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "fits/", fit.name,
        " has a simulator of the user's own, and no model to make traces of; "
        "run that simulator"));
  }
  if (request_->initial_values().empty()) {
    return PlanOf(fit.spec, fit.model_hash, parts_.datasets);
  }
  FitSpec spec = fit.spec;
  std::vector<NamedText>& values = spec.model.initial_values;
  std::set<std::string> seen;
  if (request_->initial_values_size() > kMaxInitialValues) {
    return BadField(
        "initial_values",
        absl::StrCat("has ", request_->initial_values_size(),
                     " entries; at most ", kMaxInitialValues, " are allowed"));
  }
  for (const v1::NamedText& given : request_->initial_values()) {
    for (const Parameter& parameter : fit.parameters) {
      if (parameter.name != given.name()) continue;
      return BadField("initial_values",
                      absl::StrCat("\"", parameter.name,
                                   "\" is a parameter of the fit; give it with "
                                   "the points"));
    }
    if (!seen.insert(given.name()).second) {
      return BadField(
          "initial_values",
          absl::StrCat("\"", absl::CHexEscape(given.name().substr(0, 60)),
                       "\" is given twice; give each once"));
    }
    std::erase_if(
        values, [&](const NamedText& old) { return old.name == given.name(); });
    values.push_back({given.name(), given.text()});
  }
  return PlanOf(spec, Sha256Hex(EncodeModelSource(spec.model)),
                parts_.datasets);
}

absl::Status TraceStream::Request(const FitRecord& fit) {
  SOMAFIT_ASSIGN_OR_RETURN(FitPlan plan, PlanOfRequest(fit));
  const std::vector<std::string> outputs(request_->outputs().begin(),
                                         request_->outputs().end());
  SOMAFIT_ASSIGN_OR_RETURN(const PlannedRecording recording,
                           RecordingOf(plan, outputs, parts_.datasets));
  TraceRequest::Order order;
  Task& task = order.task;
  v1::TraceHeader* header = message_.mutable_header();
  if (request_->best()) {
    if (!fit.best_sample) {
      return absl::FailedPreconditionError(
          absl::StrCat("fits/", fit.name,
                       " has no finished sample with an error yet; wait for "
                       "its first round, or give points"));
    }
    task.points = {fit.best_parameters};
    // Then what it drew is drawn again.
    task.first_realization = *fit.best_sample;
    header->set_sample(*fit.best_sample);
    header->mutable_parameters()->Add(fit.best_parameters.begin(),
                                      fit.best_parameters.end());
  } else {
    SOMAFIT_ASSIGN_OR_RETURN(task.points, PointsOf(request_->parameters(),
                                                   request_->points(), plan));
  }
  task.seed = plan.spec.seed;
  task.model_hash = plan.model_hash;
  task.dataset_hash = plan.spec.dataset;
  task.dt = plan.dt;
  for (const Parameter& parameter : plan.space.parameters()) {
    task.parameters.push_back(parameter.name);
  }
  task.recorded = outputs;
  task.metrics = ExpressionTerms(plan.metrics);
  task.iteration =
      request_->has_iteration() ? request_->iteration() : kAfterAllRounds;
  order.shape = shape_ = recording.shape;
  n_points_ = std::ssize(task.points);
  for (const Channel& variable : recording.variables) {
    *header->add_outputs() = ToProto(variable);
  }
  header->set_points(n_points_);
  for (size_t i = 0; i < shape_.n_traces(); ++i) {
    header->add_steps(static_cast<int64_t>(shape_.steps(i)));
  }
  header->set_dt(plan.dt);
  absl::Status status;
  parts_.strand.Decide(
      [&](Coordinator& coordinator, Now now, Effects& effects) {
        const auto current = coordinator.GetFit(fit.name, now);
        status = current.status();
        if (status.ok() && current->id != fit.id) {
          status = Gone("fits/" + fit.name);
        }
        if (!status.ok()) return;
        if (plan.model_hash != fit.model_hash) {
          effects.writes.push_back(
              ModelRecord{plan.model_hash, std::move(plan.spec.model)});
        }
        const auto id =
            coordinator.RequestTraces(fit.name, std::move(order), effects);
        status = id.status();
        if (!id.ok()) return;
        id_ = *id;
        parts_.traces.Add(id_, Self());
      },
      nullptr);
  return status;
}

void TraceStream::Step() {
  if (!std::exchange(header_sent_, true)) return StartWrite(&message_);
  message_.Clear();
  size_t bytes = 0;
  bool full = false;
  // Many short recordings share a message.
  while (!full) {
    if (!recording_) {
      if (point_ == n_points_) break;
      absl::StatusOr<std::optional<Recording>> next = absl::InternalError("");
      parts_.strand.Decide(
          [&](Coordinator& coordinator, Now, Effects&) {
            next = coordinator.NextRecording(id_);
          },
          nullptr);
      if (!next.ok()) return FinishOnce(next.status());
      if (!next->has_value()) break;
      recording_ = *std::move(next);
      cutter_.emplace(shape_, point_++, *recording_);
    }
    full = !cutter_->Cut(message_.mutable_pieces(), &bytes);
    if (!full) recording_.reset();
  }
  if (message_.pieces_size() > 0) return StartWrite(&message_);
  if (point_ == n_points_) return FinishOnce(absl::OkStatus());
  Rest();
}

void TraceStream::Closed() {
  if (id_ == 0) return;
  parts_.traces.Remove(this);
  parts_.strand.Decide([this](Coordinator& coordinator, Now,
                              Effects&) { coordinator.EndTraceRequest(id_); },
                       nullptr);
}

}  // namespace somafit
