#include "server/rpc/question_stream.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/status.h"
#include "proto/convert/violations.h"
#include "server/posterior/posterior_sampling.h"
#include "server/rpc/arguments.h"
#include "server/rpc/parts.h"
#include "server/rpc/planning.h"
#include "server/study/inference_plan.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr int64_t kMaxDraws = 1'000'000;
constexpr int kMaxObservations = 10'000;

absl::Status CheckDraws(const v1::DrawQuery& draw, int n_x, int n_free) {
  Violations violations;
  if (draw.n() < 1 || draw.n() > kMaxDraws ||
      draw.n() * n_x * n_free * 16 > static_cast<int64_t>(kMaxAnswerBytes)) {
    violations.Add("draw.n",
                   absl::StrCat("is ", draw.n(), "; give 1 to ", kMaxDraws,
                                ", and with many parameters or x fewer: an "
                                "answer has at most 64 MiB"));
  }
  if (!(draw.max_seconds() >= 0)) {
    violations.Add("draw.max_seconds",
                   absl::StrCat("is ", ShortestText(draw.max_seconds()),
                                "; give seconds, or 0 for no limit"));
  }
  SamplingOptions options;
  options.keep_outside_prior = draw.keep_outside_prior();
  if (draw.oversampling_factor() != 0) {
    options.oversampling_factor = draw.oversampling_factor();
  }
  if (const auto sample_with = ReadSampleWith(draw.sample_with());
      sample_with.ok()) {
    options.sample_with = *sample_with;
  } else {
    violations.Add("draw.sample_with",
                   std::string(sample_with.status().message()));
  }
  for (const std::string& problem :
       CheckSampling(options, std::min(draw.n(), kMaxDraws) * n_x)) {
    violations.Add("draw", problem);
  }
  return violations.ToStatus();
}

// What a trainer would refuse as well; here it costs nothing.
absl::Status CheckQuery(const v1::AskPosteriorRequest& request,
                        const InferencePlan& plan) {
  const auto n_free = static_cast<int>(plan.free.size());
  const auto n_columns = static_cast<int>(plan.columns.size());
  const bool several = request.has_draw() || request.has_density();
  const int n_x = request.x().empty() ? 1 : request.x_size() / n_columns;
  if (!request.x().empty() &&
      (n_x == 0 || request.x_size() != n_x * n_columns ||
       (n_x > 1 && !several) || n_x > kMaxObservations)) {
    return BadField(
        "x",
        absl::StrCat("has ", request.x_size(), " numbers; this inference has ",
                     n_columns,
                     " columns of x; draws and densities take up to ",
                     kMaxObservations, " times as many"),
        "SHAPE_MISMATCH");
  }
  for (int i = 0; i < request.x_size(); ++i) {
    if (std::isfinite(request.x(i))) continue;
    return BadField(
        "x", absl::StrCat("number ", i, " is ", ShortestText(request.x(i)),
                          "; give finite numbers"));
  }
  switch (request.query_case()) {
    case v1::AskPosteriorRequest::kDraw:
      return CheckDraws(request.draw(), n_x, n_free);
    case v1::AskPosteriorRequest::kDensity:
      if (request.density().theta().empty() ||
          request.density().theta_size() % (n_free * n_x) != 0) {
        return BadField(
            "density.theta",
            absl::StrCat("has ", request.density().theta_size(),
                         " numbers; give a positive multiple of ", n_free * n_x,
                         ", one row a point",
                         n_x > 1 ? " and as many points for each x" : ""),
            "SHAPE_MISMATCH");
      }
      return absl::OkStatus();
    case v1::AskPosteriorRequest::kConditional:
      if (request.conditional().condition().empty() ||
          request.conditional().condition_size() % n_free != 0) {
        return BadField(
            "conditional.condition",
            absl::StrCat("has ", request.conditional().condition_size(),
                         " numbers; give a positive multiple of ", n_free),
            "SHAPE_MISMATCH");
      }
      if (const int64_t points = request.conditional().resolution() == 0
                                     ? 50
                                     : request.conditional().resolution();
          points < 2 || points > 1000 ||
          points * points * n_free * n_free * 4 >
              static_cast<int64_t>(kMaxAnswerBytes)) {
        return BadField("conditional.resolution",
                        absl::StrCat("is ", points,
                                     "; give 2 to 1000, and with many "
                                     "parameters fewer: an answer has at most "
                                     "64 MiB"));
      }
      return absl::OkStatus();
    case v1::AskPosteriorRequest::kMap:
      return absl::OkStatus();
    case v1::AskPosteriorRequest::QUERY_NOT_SET:
      break;
  }
  return BadField("query",
                  "is missing; ask for draw, density, map or "
                  "conditional");
}

}  // namespace

absl::Status QuestionsDraining() {
  return WithReason(absl::UnavailableError(
                        "the server is stopping; ask again when it is back"),
                    "DRAINING");
}

QuestionStream* QuestionStream::Start(ServerParts& parts,
                                      const v1::AskPosteriorRequest* request) {
  std::shared_ptr<QuestionStream> stream(new QuestionStream(parts, request));
  stream->KeepAlive();
  stream->PostPump();
  return stream.get();
}

absl::Status QuestionStream::Ask() {
  SOMAFIT_ASSIGN_OR_RETURN(const FitRecord fit,
                           FindInference(parts_, request_->name()));
  const std::string& name = fit.name;
  SOMAFIT_ASSIGN_OR_RETURN(const FitPlan plan,
                           PlanOf(fit.spec, fit.model_hash, parts_.datasets));
  SOMAFIT_RETURN_IF_ERROR(CheckQuery(*request_, *plan.inference));
  if (request_->x().empty() && plan.inference->observation.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("fits/", name, " has no observation: give x, or set one"));
  }
  TrainerTask task;
  task.plan = plan.inference;
  task.spec = *plan.spec.inference;
  task.job.round = request_->has_round() ? request_->round() : -1;
  if (request_->has_round() && request_->round() < 0) {
    return BadField("round", absl::StrCat("is ", request_->round(),
                                          "; rounds count from 0"));
  }
  task.question = request_->SerializeAsString();
  if (task.question.size() > kMaxQuestionBytes) {
    return BadField(
        "query", absl::StrCat("has ", task.question.size(), " bytes; at most ",
                              kMaxQuestionBytes));
  }
  return Put(name, std::move(task));
}

absl::Status QuestionStream::Read(const std::string& answer, bool,
                                  v1::PosteriorAnswer& message) {
  if (message.ParseFromString(answer)) return absl::OkStatus();
  return absl::DataLossError("the answer cannot be read");
}

}  // namespace somafit
