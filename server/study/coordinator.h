#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "server/study/effects.h"
#include "server/study/fit_run.h"
#include "server/study/leases.h"
#include "server/study/plan.h"
#include "server/study/raw_file.h"
#include "server/study/records.h"
#include "server/study/task_size.h"
#include "server/study/trace_request.h"
#include "server/study/trainer_task.h"
#include "worker/core/data/task.h"

namespace somafit {

struct WorkerView {
  std::string name, host, version, state, activity;  // as v1.WorkerStatus
  int threads = 0;
  int64_t tasks_done = 0, samples_done = 0;
  double idle_s = 0;
};

struct WorkerHello {
  std::string name, host, version;
  int threads = 1;
  int numerics_version = 0;
};

struct TrainerHello {
  std::string name, host, version;
};

// A question to a posterior that waits for its answer.
inline constexpr size_t kMaxQuestions = 64;
inline constexpr size_t kMaxQuestionBytes = size_t{8} << 20;
inline constexpr size_t kMaxAnswerBytes = size_t{64} << 20;

// What a user's simulator is to simulate: draws of `round` from `first` on.
struct ProposalPlan {
  int64_t round = 0;
  int64_t first = 0;
};

enum class GateAnswer : uint8_t { kContinue, kStop };

struct CoordinatorOptions {
  double lease_s = 30;
};

// Decides what happens next in every fit.
//
// Pure: it reads no clock, opens no socket and starts no thread. Time and new
// secret names come in; what must be done comes out as Effects. The state in
// memory runs ahead of the store, so every answer, reads included, waits for
// the writes of all decisions before it.
//
// Life of a round: drawn (RoundRecord committed; a large round goes on being
// written by Advance while its first samples are simulated) -> leased in slices
// -> each report committed -> when the last has been, Advance: tell, snapshot,
// event, next draw, in one write-set.
//
// Thread-compatible: the caller holds one lock around every call.
class Coordinator {
 public:
  // `new_lease` makes unguessable names for leases and sessions.
  Coordinator(CoordinatorOptions options,
              std::function<std::string()> new_lease);
  ~Coordinator();

  // Takes up what the store holds; call once, before anything else. `plans`
  // resolves a running or paused fit's spec again. A fit of another
  // numerics_version that has not ended becomes FAILED with a reason. A round
  // whose samples are all recorded asks for Advance.
  absl::Status Recover(
      std::vector<StoredFit> fits, int64_t next_fit_id,
      const std::function<absl::StatusOr<FitPlan>(const FitRecord&)>& plans,
      Now now, Effects& effects);

  // --- people ---
  // AlreadyExists if the name is taken.
  absl::StatusOr<FitRecord> CreateFit(FitPlan plan, ModelSource model, Now now,
                                      Effects& effects);
  // What CreateFit would make; changes nothing.
  absl::StatusOr<FitRecord> ValidateFit(const FitPlan& plan, Now now) const;
  absl::StatusOr<FitRecord> GetFit(const std::string& name, Now now) const;
  // Fits with id > after_id, at most `limit`, oldest first.
  std::vector<FitRecord> ListFits(int64_t after_id, int limit, Now now) const;
  absl::StatusOr<FitRecord> PauseFit(const std::string& name, Now now,
                                     Effects& effects);
  absl::StatusOr<FitRecord> ResumeFit(const std::string& name, Now now,
                                      Effects& effects);
  absl::StatusOr<FitRecord> CancelFit(const std::string& name, Now now,
                                      Effects& effects);
  absl::Status DeleteFit(const std::string& name, Now now, Effects& effects);
  absl::StatusOr<FitRecord> AckRound(const std::string& name, int32_t stage,
                                     int64_t round, GateAnswer answer, Now now,
                                     Effects& effects);
  struct EvaluationStage {
    int32_t stage = 0;
    int64_t first_sample = 0;
    int64_t count = 0;
  };
  // Opens a stage with these points [SI], in the order of `plan.space`.
  // FailedPrecondition while the fit runs or is gated. The fit returns to its
  // state when the stage is complete.
  absl::StatusOr<EvaluationStage> EvaluatePoints(
      const std::string& name, FitPlan plan,
      std::vector<std::vector<double>> points, Now now, Effects& effects);

  // Goes on with a fit that has ended or is paused: more rounds of its stage,
  // from the optimizer's snapshot, or with `restart` a stage of its own. An
  // open round of a paused fit is the first of those rounds; a restart cancels
  // it. FailedPrecondition in other states, or where it was cancelled or failed
  // within a round (restart it); Aborted if it has changed since the plan was
  // made; InvalidArgument if its samples need other columns.
  absl::StatusOr<FitRecord> ContinueFit(const std::string& name,
                                        Continuation continuation, Now now,
                                        Effects& effects);

  // --- traces ---
  // Has the points of `order` simulated; nothing is written. Returns the name
  // of the request, which is to be ended. Fit, title and attempts of the order
  // are filled in. InvalidArgument or ResourceExhausted beyond the limits of
  // trace_request.h; Aborted later, if a point cannot be simulated.
  absl::StatusOr<int64_t> RequestTraces(const std::string& name,
                                        TraceRequest::Order order,
                                        Effects& effects);
  // The next point's, in the order of the points; nullopt if it is not there
  // yet: Effects::trace_requests tells when to ask again.
  absl::StatusOr<std::optional<Recording>> NextRecording(int64_t request);
  // Lets go of what it holds; workers stop at their next heartbeat. Harmless if
  // it has ended.
  void EndTraceRequest(int64_t request);

  // --- workers ---
  struct Session {
    std::string session;
    double lease_s = 0;
  };
  // FailedPrecondition names both versions if the numerics differ.
  absl::StatusOr<Session> Register(const WorkerHello& hello, Now now);
  // At most `max_tasks`; none if there is no work now, or all of it is better
  // left to other workers. NotFound (reason
  // SESSION_UNKNOWN) tells the worker to register again.
  absl::StatusOr<std::vector<Task>> Lease(const std::string& session,
                                          int max_tasks, Now now,
                                          Effects& effects);
  // Whether samples or traces wait for a worker.
  bool HasReadyWork(Now now) const;
  // Extends all leases of the session; returns those of `leases` that ended.
  absl::StatusOr<std::vector<std::string>> Heartbeat(
      const std::string& session, const std::vector<std::string>& leases,
      Now now, Effects& effects);
  struct Report {
    std::string session, lease, fit;
    std::vector<RecordedSample> samples;
    std::string failure;
    int64_t microseconds = 0;  // of the simulation alone
  };
  // Records each sample once: the first report wins, late ones are accepted if
  // the sample is still open. Returns how many were already recorded. The
  // session and lease need not be known any more. NotFound if the fit is gone.
  absl::StatusOr<int64_t> ReportResults(Report report, Now now,
                                        Effects& effects);
  // What a report for `lease` must have. NotFound: nobody waits for it.
  struct WantedTraces {
    RecordingShape shape;
    int64_t first = 0;  // point
    int64_t count = 0;
  };
  absl::StatusOr<WantedTraces> TracesWanted(const std::string& session,
                                            const std::string& lease, Now now);
  // All recordings of the task. A worker that could not simulate it says so by
  // ReportResults.
  absl::Status ReportTraces(const std::string& session,
                            const std::string& lease,
                            std::vector<Recording> recordings, Now now,
                            Effects& effects);
  absl::Status Release(const std::string& session,
                       const std::vector<std::string>& leases, Now now,
                       Effects& effects);
  std::vector<WorkerView> Workers(Now now) const;
  // Shape that a result of `fit` must have; NotFound if there is none.
  struct ResultShape {
    size_t n_outputs = 0;
    size_t n_traces = 0;
    size_t n_raw = 0;
    RawFileOwner owner = {};
  };
  absl::StatusOr<ResultShape> ShapeOf(const std::string& fit) const;
  // Whether a result of the sample would be recorded.
  bool IsOpen(const std::string& fit, int64_t sample) const;

  // --- trainers ---
  absl::StatusOr<Session> RegisterTrainer(const TrainerHello& hello, Now now);
  // The next thing to do, if there is any: questions first. A trainer has one
  // task at a time; the one before, if it is not done, is given up. NotFound
  // tells it to register again.
  absl::StatusOr<std::optional<TrainerTask>> LeaseTrainerTask(
      const std::string& session, Now now, Effects& effects);
  bool HasTrainerWork(Now now) const;
  // Whether there is work and no trainer that could do it.
  bool LacksTrainer(Now now) const;
  // Whether the task is no longer wanted. Keeps the session alive.
  // `epochs` (v1.EpochReport, as bytes) are those since the heartbeat before.
  absl::StatusOr<bool> TrainerHeartbeat(const std::string& session,
                                        const std::string& lease,
                                        const std::string& activity,
                                        std::vector<std::string> epochs,
                                        Now now, Effects& effects);
  // The task of a lease that is wanted; else NotFound.
  absl::StatusOr<TrainerTask> FindTrainerTask(const std::string& session,
                                              const std::string& lease,
                                              Now now);
  // What became of a task. NotFound: it is not wanted any more.
  absl::Status ReportTraining(const std::string& session,
                              const std::string& lease, std::string estimators,
                              std::string summary, Now now, Effects& effects);
  absl::Status ReportDraws(const std::string& session, const std::string& lease,
                           std::span<const double> theta, Now now,
                           Effects& effects);
  absl::Status ReportAnswer(const std::string& session,
                            const std::string& lease,
                            std::vector<std::string> answers, Now now,
                            Effects& effects);
  absl::Status ReportTrainerFailure(const std::string& session,
                                    const std::string& lease,
                                    const std::string& message, bool final,
                                    Now now, Effects& effects);
  std::vector<WorkerView> Trainers(Now now) const;

  // --- trainings under way ---
  // Epochs of a round's training; it lives in memory alone.
  struct TrainingNews {
    int32_t stage = 0;
    int64_t round = 0;
    bool ended = false;               // nothing more will come of that round
    int64_t next = 0;                 // number of the epoch behind these
    std::vector<std::string> epochs;  // v1.EpochReport, as bytes
  };
  // Of the present round: what came from number `from` on, or of all there is.
  // With `of`, the round of news before: what has come since.
  absl::StatusOr<TrainingNews> TrainingSince(
      const std::string& name, const std::optional<TrainingNews>& of) const;

  // --- inferences ---
  // Says what the posterior is conditioned on; see FitRun.
  absl::StatusOr<FitRecord> SetObservation(const std::string& name,
                                           std::vector<double> observation,
                                           Now now, Effects& effects);
  // Of simulators of the user's own; see FitRun.
  absl::StatusOr<AppendedSimulations> AppendSimulations(
      const std::string& name, const std::optional<int64_t>& round,
      std::span<const double> theta, std::span<const double> x, Now now,
      Effects& effects);
  // `plan` was made of the fit as `seen`; Aborted where it has changed.
  absl::StatusOr<FitRecord> Train(const std::string& name, FitPlan plan,
                                  const FitRecord& seen, bool final_round,
                                  Now now, Effects& effects);
  absl::StatusOr<FitRecord> ImportEstimators(const std::string& name,
                                             int64_t round,
                                             std::string estimators,
                                             std::string summary, Now now,
                                             Effects& effects);
  // Which draws are to be simulated next: `first`, or as many as were appended
  // to the present round. FailedPrecondition without an observation, unless
  // they come from the prior.
  absl::StatusOr<ProposalPlan> PlanProposal(
      const std::string& name, const std::optional<int64_t>& first) const;

  // --- questions to posteriors ---
  // Has `task.question` answered by the estimators of task.job.round, or where
  // that is negative the latest; or a round of the user's proposed, if its job
  // is to draw. Nothing is written. Returns the question's
  // number; it is to be ended. `task` has plan and spec of the fit.
  // FailedPrecondition before there are estimators.
  absl::StatusOr<int64_t> AskPosterior(const std::string& name,
                                       TrainerTask task, Now now,
                                       Effects& effects);
  // The answer's messages; nullopt: it is not there yet, Effects::questions
  // tells when to ask again.
  absl::StatusOr<std::optional<std::vector<std::string>>> TakeAnswer(
      int64_t question);
  void EndQuestion(int64_t question);

  // --- time ---
  // Draws on where samples of the round are to come. Ends the round of `fit` if
  // all its samples are recorded: tell, event, then stop, gate or the next
  // draw. Harmless when there is nothing to do.
  void Advance(int64_t fit, Now now, Effects& effects);
  // Ends silent leases, overdue tasks, gates and running times; call a few
  // times a second.
  void Tick(Now now, Effects& effects);

 private:
  struct Worker {
    WorkerHello hello;
    double last_seen_s = 0;
    int64_t tasks_done = 0;
    int64_t samples_done = 0;
    std::set<std::string> leases;
    std::map<int64_t, SpeedEstimate> speeds;  // by fit
  };

  absl::StatusOr<FitRun*> FindFit(std::string_view name) const;
  absl::StatusOr<FitRecord> After(absl::Status status, FitRun& fit, Now now);
  absl::StatusOr<std::string> FreeName(const FitPlan& plan) const;
  absl::StatusOr<Worker*> Touch(const std::string& session, Now now);
  bool IsLive(const Worker& worker, Now now) const;
  // The next task of the next fit that has one for this worker, in turn.
  std::optional<Task> NextTask(const std::string& session, Worker& worker,
                               Now now);
  // A lease names its fit, so that a late report never reaches another one of
  // the same name, be it in another database.
  static std::string LeasePrefix(const FitRecord& fit);
  TaskRequest RequestOf(const FitRun& fit, const Worker& worker, Now now) const;
  Task Grant(FitRun& fit, const SampleRange& range, const std::string& session,
             Worker& worker, Now now);
  // A task of a request for traces, if it is the turn of one.
  std::optional<Task> TraceTask(const std::string& session, Worker& worker,
                                Now now);
  void FailTraceRequests(int64_t fit, const absl::Status& why,
                         Effects& effects);
  // Takes the lease from its worker; the attempt is over.
  void EndLease(const std::string& lease, AttemptEnd end,
                const std::string& message, Now now, Effects& effects);
  // Ends the leases of `fit` that can tell nothing new.
  void DropUnwantedLeases(int64_t fit);
  void LearnSpeed(Worker& worker, const somafit::Lease& lease,
                  int64_t microseconds);
  void Forgive(double gap_s, Now now);
  struct Trainer {
    TrainerHello hello;
    double last_seen_s = 0;
    std::string lease;  // "": none
    std::string activity;
    int64_t tasks_done = 0;
  };
  struct Question {
    TrainerTask task;
    std::string lease;  // "": nobody's
    double asked_s = 0;
    int attempts = 0;
    bool answered = false;
    std::optional<std::vector<std::string>> answer;  // until it is taken
    absl::Status failure;
  };
  absl::StatusOr<Trainer*> TouchTrainer(const std::string& session, Now now);
  bool IsLive(const Trainer& trainer, Now now) const;
  bool IsWanted(const TrainerTask& task) const;
  bool IsLeased(int64_t fit) const;  // its job
  // Takes the lease from its trainer.
  std::optional<TrainerTask> EndTrainerLease(const std::string& lease);
  // Of a fit's training and drawing, not of questions about it.
  void EndTrainerLeases(int64_t fit);
  // The lease's task, which is done; NotFound if it is not wanted.
  absl::StatusOr<TrainerTask> Finish(const std::string& session,
                                     const std::string& lease, Now now);
  void FailTrainerTask(const TrainerTask& task, const std::string& message,
                       bool final, Now now, Effects& effects);
  void FailQuestion(int64_t question, absl::Status why, Effects& effects);
  void TickTrainers(Now now, Effects& effects);
  // The latest epochs of a fit's training, and how many were before them.
  struct TrainingCurve {
    int32_t stage = 0;
    int64_t round = 0;
    int64_t first = 0;
    std::deque<std::string> epochs;
  };
  void NoteEpochs(const TrainerTask& task, std::vector<std::string> epochs,
                  Effects& effects);
  // Workers go on to what they leased ahead.
  void BeginNextLeases(Now now);

  const CoordinatorOptions options_;
  const std::function<std::string()> new_lease_;
  std::map<int64_t, std::unique_ptr<FitRun>> fits_;
  std::map<std::string, int64_t, std::less<>> fits_by_name_;
  std::map<std::string, Worker> workers_;  // by session
  std::map<std::string, somafit::Lease> leases_;
  std::map<int64_t, TraceRequest> trace_requests_;
  std::map<int64_t, SpeedEstimate> thread_speeds_;     // of one thread, by fit
  std::map<std::string, Trainer> trainers_;            // by session
  std::map<std::string, TrainerTask> trainer_leases_;  // by lease
  std::map<int64_t, Question> questions_;
  std::map<int64_t, TrainingCurve> curves_;  // by fit
  int64_t last_question_ = 0;
  double last_trainer_s_ = 0;  // when one was heard of
  int64_t last_trained_fit_ = 0;
  int64_t next_fit_id_ = 1;
  int64_t last_trace_request_ = 0;
  int64_t last_served_fit_ = 0;
  int64_t last_served_request_ = 0;
  bool served_traces_ = false;  // the last task was of a request for traces
  double last_tick_s_ = 0;
  bool ticked_ = false;
};

}  // namespace somafit
