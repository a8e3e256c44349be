#include "server/trainer/training_task.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "proto/convert/digest.h"
#include "server/inference/estimator_file.h"
#include "server/trainer/simulations.h"
#include "server/trainer/training_plan.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMostEpochs = 2000;  // of a summary

struct Member {
  TrainingResult result;
  size_t chosen = 0;  // of the plan's specs
  std::vector<double> losses;
};

// Trains the members of one round's ensemble.
class Round {
 public:
  Round(const Problem& problem, int64_t round, const TrainingPlan& plan,
        const TrainingData& data, const TaskRun& run)
      : problem_(problem), round_(round), plan_(plan), data_(data), run_(run) {}

  absl::StatusOr<std::vector<Member>> Train() {
    std::vector<Member> members(problem_.ensemble);
    // The first one chooses the net for all.
    SOMAFIT_RETURN_IF_ERROR(TrainMember(0, members[0]));
    const EstimatorSpec& spec = plan_.specs[members[0].chosen];
    std::vector<absl::Status> statuses(members.size());
    std::atomic<size_t> next = 1;
    const auto work = [&] {
      for (size_t m = next++; m < members.size(); m = next++) {
        if (failed_) return;
        statuses[m] = CatchAsStatus("training", [&] {
          return TrainOne(static_cast<int>(m), spec, members[m]);
        });
        if (!statuses[m].ok()) failed_ = true;
      }
    };
    const auto n_threads = std::min<size_t>(
        static_cast<size_t>(std::max(run_.threads, 1)), members.size() - 1);
    std::vector<std::thread> threads;
    for (size_t t = 1; t < n_threads; ++t) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    for (const absl::Status& status : statuses) {
      SOMAFIT_RETURN_IF_ERROR(status);
    }
    return members;
  }

 private:
  TrainingOptions OptionsOf(int m) const {
    TrainingOptions options = problem_.training;
    options.discard_prior_samples = false;  // the rows are chosen
    options.n_threads = 1;  // results would depend on their number
    options.seed = SeedOf(problem_, Purpose::kTraining, round_, m);
    return options;
  }

  // `nets` are trained one after the other.
  EpochCallback CallbackOf(int m, std::vector<std::string> nets) const {
    using Clock = std::chrono::steady_clock;
    return [this, m, nets = std::move(nets), begun = size_t{0},
            kept = Clock::now()](const EpochReport& report) mutable {
      if (report.epoch == 1) ++begun;
      const std::string& net =
          nets[std::clamp(begun, size_t{1}, nets.size()) - 1];
      v1::EpochReport epoch;
      epoch.set_member(m);
      epoch.set_estimator(net);
      epoch.set_epoch(report.epoch);
      epoch.set_training_loss(report.training_loss);
      epoch.set_validation_loss(report.validation_loss);
      epoch.set_best_validation_loss(report.best_loss);
      epoch.set_seconds(report.seconds);
      run_.report(std::move(epoch));
      std::string about;
      if (problem_.ensemble > 1) {
        about = absl::StrCat("net ", m + 1, " of ", problem_.ensemble, ", ");
      }
      if (nets.size() > 1) absl::StrAppend(&about, net, ", ");
      run_.say(absl::StrCat(about, "epoch ", report.epoch, ", validation loss ",
                            RoundedText(report.validation_loss, 4)));
      // Which of several nets a checkpoint were of, nobody would know.
      if (nets.size() == 1 &&
          Clock::now() - kept >
              std::chrono::duration<double>(run_.checkpoint_s)) {
        run_.keep_checkpoint(m, report.checkpoint());
        kept = Clock::now();
      }
      return !failed_ && !run_.cancelled();
    };
  }

  absl::Status TrainMember(int m, Member& member) const {
    if (plan_.specs.size() == 1) {
      return TrainOne(m, plan_.specs.front(), member);
    }
    std::vector<std::string> nets;
    for (const EstimatorSpec& spec : plan_.specs) nets.push_back(spec.net);
    SOMAFIT_ASSIGN_OR_RETURN(
        BestOfResult best,
        TrainBestOf(plan_.specs, OptionsOf(m), data_, plan_.loss,
                    CallbackOf(m, std::move(nets))));
    member.chosen = best.chosen;
    member.losses = std::move(best.validation_losses);
    member.result = std::move(best.best);
    return Wanted(member.result);
  }

  absl::Status TrainOne(int m, const EstimatorSpec& spec,
                        Member& member) const {
    TrainingStart start;
    if (static_cast<size_t>(m) < plan_.starts.size()) {
      start.estimator = plan_.starts[m].get();
    }
    SOMAFIT_ASSIGN_OR_RETURN(const std::string kept, run_.fetch_checkpoint(m));
    if (!kept.empty()) {
      // Somebody else began with it. What is not of this very training, since
      // it is trained otherwise now, is no use.
      TrainingOptions options = OptionsOf(m);
      options.resume_training = true;
      options.retrain_from_scratch = false;
      TrainingStart resumed;
      resumed.checkpoint = kept;
      auto result = somafit::Train(spec, options, data_, plan_.loss, resumed,
                                   CallbackOf(m, {spec.net}));
      if (result.ok()) {
        member.result = *std::move(result);
        return Wanted(member.result);
      }
    }
    SOMAFIT_ASSIGN_OR_RETURN(
        member.result, somafit::Train(spec, OptionsOf(m), data_, plan_.loss,
                                      start, CallbackOf(m, {spec.net})));
    return Wanted(member.result);
  }

  // Of several nets the summary is the best one's, which may have been finished
  // before another was cancelled: so it is asked again.
  absl::Status Wanted(const TrainingResult& result) const {
    if (!result.summary.cancelled && !run_.cancelled()) {
      return absl::OkStatus();
    }
    return absl::CancelledError("the training is no longer wanted");
  }

  const Problem& problem_;
  const int64_t round_;
  const TrainingPlan& plan_;
  const TrainingData& data_;
  const TaskRun& run_;
  std::atomic<bool> failed_ = false;
};

struct Trained {
  TrainingPlan plan;
  ChosenSimulations chosen;
  RowNumbers numbers;
  std::vector<Member> members;
};

absl::StatusOr<Trained> TrainRound(const Problem& problem, int64_t round,
                                   bool exact, Simulations all,
                                   Posteriors& posteriors, const TaskRun& run) {
  Trained trained;
  SOMAFIT_ASSIGN_OR_RETURN(
      trained.plan, PlanTraining(problem, round, exact, posteriors, run));
  SOMAFIT_ASSIGN_OR_RETURN(
      trained.chosen,
      ChooseSimulations(problem, trained.plan.rows, round, std::move(all)));
  const Simulations& used = trained.chosen.used;
  SOMAFIT_ASSIGN_OR_RETURN(
      trained.numbers,
      NumbersOfRows(problem, round, trained.plan, used, posteriors, run));
  const std::vector<size_t> column_ends = problem.columns.OutputEnds();
  const TrainingData data{.theta = used.theta,
                          .x = used.rows(),
                          .weights = trained.numbers.weights,
                          .rounds = used.round,
                          .log_prior = trained.numbers.log_prior,
                          .column_ends = column_ends};
  Round work(problem, round, trained.plan, data, run);
  SOMAFIT_ASSIGN_OR_RETURN(trained.members, work.Train());
  return trained;
}

void AddMessages(const std::vector<std::string>& messages,
                 v1::TrainingSummary& summary) {
  for (const std::string& message : messages) summary.add_messages(message);
}

std::string Rounded(double value) { return RoundedText(value, 4); }

void DescribeChoice(const Trained& trained, v1::TrainingSummary& summary) {
  const Member& first = trained.members.front();
  if (first.losses.size() > 1) {
    std::vector<std::string> losses;
    for (size_t i = 0; i < first.losses.size(); ++i) {
      losses.push_back(absl::StrCat(trained.plan.specs[i].net, " ",
                                    Rounded(first.losses[i])));
    }
    summary.add_messages(absl::StrCat(
        "validation losses: ", absl::StrJoin(losses, ", "), "; ",
        trained.plan.specs[first.chosen].net, " is kept for all rounds"));
  }
  if (trained.members.size() > 1) {
    std::vector<std::string> losses;
    for (const Member& member : trained.members) {
      losses.push_back(Rounded(member.result.summary.best_validation_loss));
    }
    summary.add_messages(absl::StrCat("validation losses of the ensemble: ",
                                      absl::StrJoin(losses, ", ")));
  }
}

void DescribeMember(const Problem& problem, size_t m,
                    const TrainingSummary& found,
                    v1::TrainingSummary& summary) {
  const std::string who =
      problem.ensemble > 1 ? absl::StrCat("net ", m + 1, ": ") : "";
  if (!found.converged) {
    summary.set_converged(false);
    summary.add_messages(absl::StrCat(
        who, "training ended after max_num_epochs = ",
        problem.training.max_num_epochs,
        " epochs, while the validation loss still fell: allow more"));
  }
  if (found.rate_halvings > 0) {
    summary.add_messages(absl::StrCat(
        who, "the loss was no number ", found.rate_halvings,
        " times, and the learning rate was halved as often: look for outliers "
        "in the features"));
  }
}

v1::TrainingSummary Summarize(const Problem& problem, const Trained& trained) {
  v1::TrainingSummary summary;
  const TrainingSummary& first = trained.members.front().result.summary;
  // A curve is for people: of a long one, evenly spaced epochs and the last.
  const size_t n_epochs = first.training_loss.size();
  summary.set_epochs(static_cast<int64_t>(n_epochs));
  const size_t stride = (n_epochs + kMostEpochs - 1) / kMostEpochs;
  for (size_t epoch = 0; epoch < n_epochs; ++epoch) {
    if (epoch % stride != 0 && epoch + 1 != n_epochs) continue;
    summary.add_training_loss(first.training_loss[epoch]);
    summary.add_validation_loss(first.validation_loss[epoch]);
    summary.add_epoch_seconds(first.seconds[epoch]);
  }
  if (stride > 1) {
    summary.add_messages(absl::StrCat("of ", n_epochs, " epochs every ", stride,
                                      "th is shown, and the last"));
  }
  summary.set_best_validation_loss(first.best_validation_loss);
  summary.set_converged(true);
  summary.set_estimator(trained.plan.specs[trained.members.front().chosen].net);
  summary.set_simulations(static_cast<int64_t>(trained.chosen.used.size()));
  summary.set_invalid(trained.chosen.n_invalid);
  summary.set_effective_samples(trained.numbers.effective_samples);
  summary.set_largest_weight(trained.numbers.largest_weight);
  AddMessages(trained.plan.messages, summary);
  AddMessages(trained.chosen.messages, summary);
  AddMessages(trained.numbers.messages, summary);
  DescribeChoice(trained, summary);
  for (size_t m = 0; m < trained.members.size(); ++m) {
    DescribeMember(problem, m, trained.members[m].result.summary, summary);
  }
  return summary;
}

// Gives the specs the TorchScript module that the problem names.
absl::Status FetchScript(const TaskRun& run, Problem& problem) {
  if (problem.script.empty()) return absl::OkStatus();
  if (!run.allow_scripts) return ScriptRefused();
  SOMAFIT_ASSIGN_OR_RETURN(const std::string bytes, run.fetch_script());
  if (Sha256Hex(bytes) != problem.script) {
    return absl::DataLossError(absl::StrCat(
        "the TorchScript module ", problem.script, " arrived damaged"));
  }
  for (EstimatorSpec& spec : problem.specs) {
    spec.embedding.torch_script = bytes;
  }
  return absl::OkStatus();
}

// How much of the new posterior at the observation the prior allows. That none
// does is no failure of training: other observations may be asked for.
absl::Status DescribePosterior(const Problem& problem, int64_t round,
                               const std::string& estimators,
                               Posteriors& posteriors, const TaskRun& run,
                               v1::TrainingSummary& summary) {
  if (problem.observation.empty()) return absl::OkStatus();
  TaskRun with_new = run;
  with_new.fetch_estimators = [&](int64_t r) -> absl::StatusOr<std::string> {
    return r == round ? estimators : run.fetch_estimators(r);
  };
  SOMAFIT_ASSIGN_OR_RETURN(
      const auto posterior,
      posteriors.PosteriorAt(problem, round, problem.observation, with_new));
  const auto inside = posterior->InsidePrior(problem.observation);
  if (absl::IsFailedPrecondition(inside.status())) {
    summary.add_messages(std::string(inside.status().message()));
    return absl::OkStatus();
  }
  SOMAFIT_RETURN_IF_ERROR(inside.status());
  summary.set_inside_prior(*inside);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TrainingOutcome> DoTraining(const Problem& given,
                                           const v1::TrainTask& task,
                                           Posteriors& posteriors,
                                           const TaskRun& run) {
  const int64_t round = task.round();
  SOMAFIT_RETURN_IF_ERROR(CheckRound(round));
  Problem problem = given;
  SOMAFIT_RETURN_IF_ERROR(FetchScript(run, problem));
  run.say("fetching simulations");
  SOMAFIT_ASSIGN_OR_RETURN(Simulations all,
                           FetchSimulations(problem, round, run));
  absl::StatusOr<Trained> trained = TrainRound(problem, round, /*exact=*/true,
                                               std::move(all), posteriors, run);
  std::string fallback;
  if (problem.algorithm == Algorithm::kNpeC && round > 0 &&
      absl::IsFailedPrecondition(trained.status())) {
    // The proposal is narrower than the estimate: there is no closed form.
    fallback = absl::StrCat(std::string(trained.status().message()),
                            ": trained with atoms instead");
    // Fetched anew, which is rare, rather than held twice.
    SOMAFIT_ASSIGN_OR_RETURN(all, FetchSimulations(problem, round, run));
    trained = TrainRound(problem, round, /*exact=*/false, std::move(all),
                         posteriors, run);
  }
  SOMAFIT_RETURN_IF_ERROR(trained.status());

  TrainingOutcome outcome;
  outcome.summary = Summarize(problem, *trained);
  if (!fallback.empty()) outcome.summary.add_messages(fallback);
  Estimators estimators;
  for (Member& member : trained->members) {
    estimators.push_back(std::move(member.result.estimator));
  }
  outcome.estimators = EncodeEstimators(estimators);
  SOMAFIT_RETURN_IF_ERROR(DescribePosterior(problem, round, outcome.estimators,
                                            posteriors, run, outcome.summary));
  return outcome;
}

}  // namespace somafit
