// FitHandler::ContinueFit.
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/spec.h"
#include "server/rpc/arguments.h"
#include "server/rpc/fit_handler.h"
#include "server/rpc/planning.h"
#include "server/rpc/script_upload.h"
#include "server/rpc/view.h"
#include "server/study/plan_change.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// The plan by which the fit goes on. Blocks.
absl::StatusOr<FitPlan> PlanToContinue(const FitRecord& fit,
                                       const v1::ContinueFitRequest& request,
                                       DatasetShelf& datasets) {
  SOMAFIT_ASSIGN_OR_RETURN(FitSpec spec, ContinuedSpec(fit.spec, request));
  // `iteration` counts on, or begins anew; rounds of a stage count from 0.
  if (request.has_start_iteration()) {
    spec.start_iteration =
        request.start_iteration() - (request.restart() ? 0 : fit.rounds);
  } else if (request.restart()) {
    spec.start_iteration = 0;
  }
  constexpr int64_t kMostIteration = 1'000'000'000'000;
  if (std::abs(spec.start_iteration) > kMostIteration) {
    return BadField(
        "start_iteration",
        absl::StrCat("is ", request.start_iteration(), " after ", fit.rounds,
                     " rounds; give one that is nearer to 0"));
  }
  SOMAFIT_ASSIGN_OR_RETURN(FitPlan plan,
                           PlanOf(spec, fit.model_hash, datasets));
  if (!request.restart()) {
    SOMAFIT_ASSIGN_OR_RETURN(const FitPlan before,
                             PlanOf(fit.spec, fit.model_hash, datasets));
    Diagnostics changes;
    CheckUnchanged(before, plan, changes);
    SOMAFIT_RETURN_IF_ERROR(ToStatusWithDetails(changes));
    // As it was to the bit, however it may be written now.
    FitSpec same = fit.spec;
    same.stop = spec.stop;
    same.gate = spec.gate;
    same.start_iteration = spec.start_iteration;
    if (same.inference) {
      same.n_samples = spec.n_samples;
      same.inference->training = spec.inference->training;
    }
    SOMAFIT_ASSIGN_OR_RETURN(plan, PlanOf(same, fit.model_hash, datasets));
  }
  SOMAFIT_RETURN_IF_ERROR(
      CheckMessageSizes(plan, plan.spec.n_samples, "n_samples"));
  return plan;
}

}  // namespace

FitHandler::Unary* FitHandler::ContinueFit(
    Context* context, const v1::ContinueFitRequest* request,
    v1::Fit* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_RETURN_IF_ERROR(CheckRequestId(request->request_id()));
    SOMAFIT_ASSIGN_OR_RETURN(std::string name, FitNameOf(request->name()));
    // As it is on disk: so is the optimizer's snapshot.
    auto found = std::make_shared<absl::StatusOr<FitRecord>>(
        absl::InternalError("not looked up"));
    const auto go_on = [this, call, request, response, name, found] {
      const FitRecord& fit = **found;
      const auto run = [&]() -> absl::Status {
        Continuation continuation{.plan = {},
                                  .restart = request->restart(),
                                  .snapshot = "",
                                  .fit = fit.id,
                                  .stage = fit.stage,
                                  .rounds = fit.rounds};
        SOMAFIT_ASSIGN_OR_RETURN(
            continuation.plan, PlanToContinue(fit, *request, parts_.datasets));
        SOMAFIT_RETURN_IF_ERROR(CheckScript(parts_, continuation.plan.spec));
        if (!request->restart()) {
          SOMAFIT_ASSIGN_OR_RETURN(
              continuation.snapshot,
              parts_.store.LoadSnapshot(fit.id, fit.stage));
        }
        AnswerOnce(parts_, call,
                   {request->request_id(), "ContinueFit", BodyHash(*request)},
                   response,
                   [&](Coordinator& coordinator, Now now,
                       Effects& effects) -> absl::StatusOr<v1::Fit> {
                     SOMAFIT_ASSIGN_OR_RETURN(
                         const FitRecord continued,
                         coordinator.ContinueFit(name, std::move(continuation),
                                                 now, effects));
                     return ToProto(continued);
                   });
        return absl::OkStatus();
      };
      if (const absl::Status status = run(); !status.ok()) {
        call->Finish(status);
      }
    };
    parts_.strand.Decide(
        [&](Coordinator& coordinator, Now now, Effects&) {
          *found = coordinator.GetFit(name, now);
        },
        [this, call, found, go_on] {
          if (!found->ok()) return call->Finish(found->status());
          parts_.slow.Post(go_on);
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "ContinueFit", context, request->request_id(),
                   begin);
}

}  // namespace somafit
