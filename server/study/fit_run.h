#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "server/study/effects.h"
#include "server/study/leases.h"
#include "server/study/open_round.h"
#include "server/study/plan.h"
#include "server/study/records.h"
#include "server/study/trainer_task.h"

namespace somafit {

// How a fit goes on that has ended.
struct Continuation {
  FitPlan plan;  // its stop rules count from now
  bool restart = false;
  std::string snapshot;  // of the stage's optimizer; unless `restart`
  // The fit as it was when the plan was made.
  int64_t fit = 0;
  int32_t stage = 0;
  int64_t rounds = 0;
};

// What was appended of simulations of the user's own, to which round, and how
// many of that round have an x that is not finite.
struct AppendedSimulations {
  int64_t round = 0;
  int64_t simulations = 0;
  int64_t invalid = 0;
};

// One fit: its state machine, its optimizer and its open rounds. Decides, as
// the coordinator's part for one fit; what must be written, callbacks wanted
// and work that turned up go into Effects.
//
//   RUNNING -> GATED -> RUNNING, RUNNING or GATED -> PAUSED -> RUNNING,
//   any of these -> SUCCEEDED | CANCELLED | FAILED,
//   any but RUNNING and GATED -> RUNNING (an evaluation stage) -> back,
//   SUCCEEDED or PAUSED -> RUNNING (continued), PAUSED or any that ended ->
//   RUNNING (restarted).
class FitRun {
 public:
  // A new fit, its first round drawn.
  FitRun(int64_t id, std::string name, FitPlan plan, ModelSource model, Now now,
         Effects& effects);
  // What the fit would be created as.
  static FitRecord NewRecord(int64_t id, std::string name, const FitPlan& plan,
                             Now now);
  // As read back. `plan` is nullopt for a fit that has ended.
  FitRun(StoredFit stored, std::optional<FitPlan> plan, Now now);
  // Ends what cannot go on after a restart: the evaluation stage if the fit had
  // ended before it, else the fit.
  void Fail(const std::string& reason, Now now, Effects& effects);
  // The optimizer's snapshot cannot be restored.
  const absl::Status& restored() const { return restored_; }

  const FitRecord& record() const { return record_; }
  FitRecord View(Now now) const;  // with the running time until now
  std::string title() const { return "fits/" + record_.name; }
  // Of an inference: how many the stage will have. REQUIRES: as plan().
  int64_t n_rounds() const;
  const FitPlan& plan() const { return *plan_; }  // REQUIRES: WantsWorkers()

  // --- people ---
  absl::Status Pause(Now now, Effects& effects);
  absl::Status Resume(Now now, Effects& effects);
  absl::Status Cancel(Now now, Effects& effects);
  absl::Status MayDelete() const;
  absl::Status Ack(int32_t stage, int64_t round, bool stop, Now now,
                   Effects& effects);
  absl::Status Evaluate(FitPlan plan, std::vector<std::vector<double>> points,
                        Now now, Effects& effects);
  absl::Status Continue(Continuation continuation, Now now, Effects& effects);

  // --- workers ---
  // Whether samples of the current round may be handed out at all.
  bool WantsWorkers() const;
  bool HasReadyWork(double now_s) const;
  // REQUIRES: WantsWorkers().
  const OpenRound& current_round() const;
  std::optional<SampleRange> Take(int64_t n, double now_s);
  // The open round that has this sample without a result, or nullptr.
  const OpenRound* RoundOf(int64_t sample) const;
  // Whether a lease of `range` still has something to find out.
  bool IsWanted(const SampleRange& range) const;
  // Records each sample that is open; returns how many were not.
  int64_t Record(const std::string& worker, int64_t microseconds,
                 std::vector<RecordedSample> samples, Now now,
                 Effects& effects);
  // Takes back what is open of `range`: split, delayed, or recorded as failed
  // once its attempts are used up.
  void EndAttempt(SampleRange range, AttemptEnd end, const std::string& message,
                  Now now, Effects& effects);

  // Whether samples of the round are still to be written: Advance does it.
  bool DrawsOn() const;

  // --- time ---
  void Advance(Now now, Effects& effects);
  // Gate timeout; `previous_s` is the time of the last tick.
  void Tick(double previous_s, Now now, Effects& effects);

  // --- trainers, of inferences ---
  bool learns() const { return record_.spec.inference.has_value(); }
  // What a trainer has to do before it can go on, and may do now.
  std::optional<TrainerJob> WantedJob(double now_s) const;
  // REQUIRES: the job is wanted.
  void FinishTraining(std::string estimators, std::string summary, Now now,
                      Effects& effects);
  // `theta` [n x free parameters]: the next round. InvalidArgument if they are
  // not as many as asked for, or not finite.
  absl::Status FinishDrawing(std::span<const double> theta, Now now,
                             Effects& effects);
  // An attempt failed. After the last one the fit is paused; if `final`, which
  // another attempt would not mend, it has failed.
  void FailJob(const std::string& message, bool final, Now now,
               Effects& effects);

  // Says what the posterior is conditioned on. FailedPrecondition once rounds
  // were drawn for the observation before.
  absl::Status SetObservation(std::vector<double> observation, Now now,
                              Effects& effects);

  // --- simulators of the user's own ---
  bool simulated_by_user() const { return HasOwnSimulator(record_.spec); }
  // Whether it takes simulations now, and of this round.
  absl::Status MayAppend(const std::optional<int64_t>& round) const;
  // Simulations of the present round.
  int64_t appended() const { return search_round_ ? search_round_->size() : 0; }
  // `theta` [n x free parameters] and `x` [n x columns], NaN where there is no
  // number; a paused inference goes on. InvalidArgument for sizes, and for
  // parameters outside the prior.
  absl::StatusOr<AppendedSimulations> AppendSimulations(
      const std::optional<int64_t>& round, std::span<const double> theta,
      std::span<const double> x, Now now, Effects& effects);
  // Ends the round: a trainer learns from it, by `plan` from now on.
  // FailedPrecondition where there are too few simulations.
  // Estimators in place of the present round's simulations and training.
  absl::Status ImportEstimators(int64_t round, std::string estimators,
                                std::string summary, Now now,
                                Effects& effects);
  absl::Status Train(FitPlan plan, const FitRecord& seen, bool final_round,
                     Now now, Effects& effects);

  // Whether the current round is of given points.
  bool evaluating() const { return record_.resume_state.has_value(); }

 private:
  std::optional<OpenRound>& current() {
    return evaluating() ? evaluation_round_ : search_round_;
  }
  const std::optional<OpenRound>& current() const {
    return evaluating() ? evaluation_round_ : search_round_;
  }
  OpenRound* MutableRoundOf(int64_t sample);

  double Elapsed(Now now) const;
  void Settle(Now now);  // adds the running time until now to the record
  void SetState(FitState state, std::string reason, Now now, Effects& effects);
  void Save(Effects& effects) const;
  void AppendRoundEvent(const OpenRound& round, bool gated, Now now,
                        Effects& effects);
  void DrawRound(Effects& effects);
  // The round as Ask gives it: points and unit points of `count` samples.
  void AskFor(int64_t count, RoundRecord& round) const;
  // Says above which errors samples of the open round need not be simulated to
  // their end, where the fit asks for that.
  void LimitRound();
  // Of an inference: its first round, and any round of these points.
  void DrawFirstRound(Effects& effects);
  void OpenRoundOf(std::vector<std::vector<double>> points, Effects& effects);
  std::optional<TrainerJob> Job() const;
  // Of a simulator of the user's own: whether Train was asked for.
  bool IsToTrain() const;
  absl::Status CheckOwn(std::span<const double> theta,
                        std::span<const double> x) const;
  // Of an inference: goes on by this plan, whose spec says how many rounds.
  void TakePlan(FitPlan plan);
  // Writes some of the samples to come.
  void DrawMore(Effects& effects);
  void DrawRest(Effects& effects);  // all of them
  // Takes up a round that was being drawn when the coordinator ended.
  void TakeUp(StoredRound stored);
  void Learn();  // from the complete search round
  void TakeBest(const OpenRound& round);
  std::optional<std::string> StopReason(Now now) const;
  void EndSearchRound(Now now, Effects& effects);
  void EndEvaluation(Now now, Effects& effects);
  void LeaveEvaluation(Now now, Effects& effects);
  void BreakCircuit(int64_t done_before, Now now, Effects& effects);
  absl::Status WrongState(std::string_view remedy) const;

  FitRecord record_;
  std::optional<FitPlan> plan_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<OpenRound> search_round_;
  std::optional<OpenRound> evaluation_round_;
  absl::Status restored_;
  double running_since_s_ = 0;
  bool clock_runs_ = false;
  double gated_since_s_ = 0;
  // A person who resumes the fit knows better.
  bool breaker_armed_ = true;
  int job_attempts_ = 0;  // of the trainer's present job, that failed
  double job_not_before_s_ = 0;
};

}  // namespace somafit
