#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/cli/embedded.h"
#include "client/cli/exit_code.h"
#include "client/cli/progress.h"
#include "client/lib/display.h"
#include "client/lib/draws.h"
#include "client/lib/load.h"
#include "client/lib/posterior.h"
#include "client/lib/watch.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

struct RunOptions {
  SpecOptions spec;
  std::string database;
  std::string results;
  std::string resume;
  int workers = 0;  // 0: one a core
  int threads = 1;
  bool keep = false;
  bool allow_scripts = false;
};

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  // Under nohup, a terminal that goes away is no reason to stop.
  struct sigaction hangup;
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
  return set;
}

// Looks after the children, the signals and the clock while a watch runs.
class Monitor {
 public:
  // `phase` is asked now and then for what is being done between rounds.
  Monitor(Embedded* embedded, Watch* watch, Progress* progress,
          std::function<std::string()> phase)
      : phase_(std::move(phase)),
        thread_([=, this] { Loop(embedded, watch, progress); }) {}
  ~Monitor() { End(); }

  void End() {
    done_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // After End:
  bool interrupted() const { return interrupted_; }
  const absl::Status& problem() const { return problem_; }

 private:
  void Loop(Embedded* embedded, Watch* watch, Progress* progress) {
    const sigset_t signals = StopSignals();
    const timespec pause = {0, 200'000'000};
    int ticks = 0;
    while (!done_) {
      interrupted_ = sigtimedwait(&signals, nullptr, &pause) > 0;
      if (!interrupted_) problem_ = embedded->Health();
      if (interrupted_ || !problem_.ok()) {
        watch->Cancel();
        return;
      }
      if (phase_ && ++ticks % 5 == 0) progress->OnPhase(phase_());
      progress->Tick();
      if (!progress->IsRead()) {
        interrupted_ = true;  // `somafit run ... | head` has had enough
        watch->Cancel();
        return;
      }
    }
  }

  std::atomic<bool> done_ = false;
  bool interrupted_ = false;
  absl::Status problem_;
  const std::function<std::string()> phase_;
  std::thread thread_;  // last: it uses the others
};

// Removes the database again unless the fit was created in it.
class NewDatabase {
 public:
  explicit NewDatabase(std::string path)
      : path_(std::move(path)), keep_(std::filesystem::exists(path_)) {}
  ~NewDatabase() {
    if (keep_) return;
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm", "-journal", ".lock"}) {
      std::filesystem::remove(path_ + suffix, ignored);
    }
  }
  void Keep() { keep_ = true; }

 private:
  const std::string path_;
  bool keep_;
};

absl::StatusOr<v1::Fit> Begin(const RunOptions& options, v1::FitSpec spec,
                              const std::string& encoding, FitClient* client) {
  if (!options.resume.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string name,
                             FitResourceName(options.resume));
    SOMAFIT_ASSIGN_OR_RETURN(v1::Fit fit, client->GetFit(name));
    if (fit.state() == v1::FIT_STATE_PAUSED) {
      SOMAFIT_ASSIGN_OR_RETURN(fit, client->ResumeFit(name));
    }
    return fit;
  }
  if (!encoding.empty()) {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string dataset,
                             client->UploadDataset(encoding));
    spec.clear_data();
    spec.set_dataset(dataset);
  }
  SOMAFIT_RETURN_IF_ERROR(
      StoreScript(FolderOf(options.spec.file), client, &spec));
  SOMAFIT_ASSIGN_OR_RETURN(v1::Fit fit, client->CreateFit(spec));
  std::cerr << fit.warnings();
  return fit;
}

void WarnOfOthers(const v1::Fit& fit, FitClient* client) {
  // What cannot be listed is not worth ending a run for.
  (void)client->ForEachFit([&](const v1::Fit& other) {
    if (other.name() != fit.name() && other.state() == v1::FIT_STATE_RUNNING) {
      std::cerr << "note: " << other.name()
                << " of an earlier run has not ended and goes on beside this "
                   "one, with the same workers\n";
    }
  });
}

// Draws of a posterior as a table, while trainers are still there.
std::optional<std::string> PosteriorSummary(const v1::Fit& fit,
                                            FitClient* client) {
  if (!IsInference(fit) || fit.state() != v1::FIT_STATE_SUCCEEDED) return {};
  const absl::StatusOr<v1::Posterior> posterior =
      GetPosterior(client, fit.name());
  if (!posterior.ok() || posterior->rounds_size() == 0) return {};
  v1::AskPosteriorRequest request;
  request.set_name(fit.name());
  request.mutable_draw()->set_n(10000);
  request.mutable_draw()->set_max_seconds(60);
  const absl::StatusOr<v1::PosteriorAnswer> answer =
      AskPosterior(client, request);
  if (!answer.ok()) {
    return absl::StrCat("No draws: ", answer.status().message(), "\n");
  }
  const Draws draws{
      {posterior->parameters().begin(), posterior->parameters().end()},
      {answer->theta().begin(), answer->theta().end()},
      {}};
  return absl::StrCat("The posterior, of ", draws.size(), " draws:\n",
                      SummaryTable(draws));
}

std::string Summary(const v1::Fit& fit, const std::string& database,
                    const std::optional<std::string>& summary) {
  std::string text =
      absl::StrCat(StateSentence(fit.state(), fit.state_reason(),
                                 IsInference(fit) ? "inference" : "fit"),
                   " ", fit.samples_done(), " samples in ",
                   DurationText(fit.elapsed_seconds()), ".\n");
  if (fit.has_best_sample()) {
    absl::StrAppend(&text, "Best error ",
                    QuantityText(fit.best_error(), fit.total_error()),
                    " (sample ", fit.best_sample(), "):\n");
    for (int i = 0;
         i < std::min(fit.parameters_size(), fit.best_parameters_size()); ++i) {
      absl::StrAppend(&text, "  ", fit.parameters(i).name(), " = ",
                      QuantityText(fit.best_parameters(i), fit.parameters(i)),
                      "\n");
    }
  }
  if (summary) absl::StrAppend(&text, *summary);
  const absl::string_view name = ShortFitName(fit.name());
  absl::StrAppend(&text, "Stored as ", fit.name(), " in ", database,
                  "; all samples: sqlite3 ", ShellWord(database),
                  " 'select * from \"fit_", name, "\"'\n");
  return text;
}

absl::Status SaveResults(const RunOptions& options, const v1::Fit& fit,
                         FitClient* client) {
  if (options.results.empty()) return absl::OkStatus();
  SampleOptions samples;
  samples.format = "csv";
  samples.output = options.results;
  SOMAFIT_RETURN_IF_ERROR(WriteSamples(client, fit, fit.stage(), samples));
  return Print(absl::StrCat("Samples are in ", options.results, "\n"));
}

absl::StatusOr<int> WatchToEnd(const RunOptions& options,
                               const std::string& database, const v1::Fit& fit,
                               Embedded* embedded, FitClient* client) {
  // A resumed fit: from where it was.
  const bool resumed = !options.resume.empty();
  Watch watch(client, fit.name(), resumed ? fit.last_seq() : 0);
  Progress progress(fit, isatty(STDOUT_FILENO) == 1);
  FitClient other(embedded->endpoint());
  std::function<std::string()> phase;
  if (IsInference(fit) && isatty(STDOUT_FILENO) == 1) {
    phase = [&] {
      const absl::StatusOr<v1::Fit> now = other.GetFit(fit.name());
      return now.ok() ? now->phase() : "";
    };
  }
  Monitor monitor(embedded, &watch, &progress, phase);
  bool paused = false;
  absl::Status status = watch.Run(
      Watch::Until::kEnded,
      [&](const v1::FitEvent& event) {
        if (event.has_round()) progress.OnRound(event.round());
        paused = event.state().state() == v1::FIT_STATE_PAUSED;
        return !paused;
      },
      [](const absl::Status&) {});
  monitor.End();
  progress.End();
  SOMAFIT_RETURN_IF_ERROR(monitor.problem());
  const absl::string_view name = ShortFitName(fit.name());
  if (monitor.interrupted()) {
    // So that it does not run on unasked with the next fit of this database.
    // It may just have ended, or wait already: then there is nothing to do.
    (void)client->PauseFit(fit.name());
    std::cerr << "Interrupted; what was simulated is kept. Go on with: somafit "
                 "run "
              << ShellWord(options.spec.file) << " --db " << ShellWord(database)
              << " --resume " << name << std::endl;
    return kFailure;
  }
  SOMAFIT_RETURN_IF_ERROR(status);
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit ended, client->GetFit(fit.name()));
  SOMAFIT_RETURN_IF_ERROR(
      Print(Summary(ended, database, PosteriorSummary(ended, client))));
  if (paused) {
    std::cerr << "Go on with: somafit run " << ShellWord(options.spec.file)
              << " --db " << ShellWord(database) << " --resume " << name
              << std::endl;
  }
  SOMAFIT_RETURN_IF_ERROR(SaveResults(options, ended, client));
  SOMAFIT_RETURN_IF_ERROR(Print(""));
  return ended.state() == v1::FIT_STATE_SUCCEEDED ? kSuccess : kFailure;
}

absl::StatusOr<int> Run(const RunOptions& options) {
  if (!options.resume.empty() &&
      (!options.spec.seed.empty() || !options.spec.name.empty() ||
       !options.spec.sets.empty())) {
    return absl::InvalidArgumentError(
        "--resume goes on with a fit as it was started; remove --seed, --set "
        "and --name");
  }
  SOMAFIT_ASSIGN_OR_RETURN(v1::FitSpec spec, ReadSpec(options.spec));
  if (spec.gate().enabled()) {
    return absl::InvalidArgumentError(
        "gate.enabled: nobody can answer the rounds of an embedded run; add "
        "--set gate.enabled=false, or use somafit-server and somafit submit");
  }
  const std::filesystem::path database = std::filesystem::absolute(
      options.database.empty()
          ? std::filesystem::path(options.spec.file).replace_extension(".db")
          : std::filesystem::path(options.database));
  if (!std::filesystem::is_directory(database.parent_path())) {
    return absl::InvalidArgumentError(
        absl::StrCat("--db: there is no folder ",
                     database.parent_path().string(), "; make it first"));
  }
  SOMAFIT_RETURN_IF_ERROR(CheckOutput(options.results));
  std::string encoding;
  if (options.resume.empty() && (spec.has_data() || spec.dataset().empty())) {
    SOMAFIT_ASSIGN_OR_RETURN(const Dataset dataset,
                             LoadDataset(spec, FolderOf(options.spec.file)));
    encoding = EncodeDataset(dataset);
  }

  // Taken by the monitor; blocked before there are other threads.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  NewDatabase created(database.string());
  EmbeddedOptions embedded_options;
  embedded_options.database = database.string();
  embedded_options.workers =
      options.workers > 0
          ? options.workers
          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  embedded_options.threads = options.threads;
  embedded_options.keep = options.keep;
  embedded_options.allow_scripts = options.allow_scripts;
  SOMAFIT_ASSIGN_OR_RETURN(const std::unique_ptr<Embedded> embedded,
                           Embedded::Start(embedded_options));
  if (options.keep) {
    std::cerr << "Logs are in " << embedded->folder() << std::endl;
  }
  FitClient client(embedded->endpoint());
  const absl::StatusOr<v1::Fit> begun =
      Begin(options, std::move(spec), encoding, &client);
  // If a program has ended, its log says more than a call without an answer.
  if (!begun.ok()) SOMAFIT_RETURN_IF_ERROR(embedded->Health());
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, begun);
  created.Keep();
  encoding.clear();
  WarnOfOthers(fit, &client);
  return WatchToEnd(options, database.string(), fit, embedded.get(), &client);
}

}  // namespace

void AddRun(CLI::App& app, Action* action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand(
      "run", "Runs a fit here, without a server that is already there");
  AddSpecOptions(command, &options->spec);
  command
      ->add_option("--db", options->database,
                   "The database; default: FILE with .db instead of .yaml")
      ->type_name("FILE");
  command
      ->add_option("--results", options->results,
                   "Afterwards, write all samples as CSV")
      ->type_name("FILE.csv");
  command
      ->add_option("--workers", options->workers,
                   "Worker processes; default: one a core")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command->add_option("--threads", options->threads, "Threads of each worker")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--resume", options->resume,
                   "Go on with this fit of the database instead of a new one")
      ->type_name("NAME");
  command->add_flag("--keep", options->keep,
                    "Keep the folder with the logs of server and workers");
  command->add_flag("--allow-torchscript", options->allow_scripts,
                    "Run the TorchScript module that is an inference's "
                    "embedding: it is code");
  command->footer(R"(
Starts somafit-server on a private socket, and somafit-worker once a core, both
found beside this program; runs the fit; stops them. Ctrl-C stops cleanly and
says how to go on. Of an inference, a table of the posterior is printed in the
end; ask for more of it from a server on the same database.

Examples:
  somafit run client/examples/hodgkin_huxley/fit.yaml
  somafit run client/examples/hodgkin_huxley/inference.yaml
  somafit run fit.yaml --db cell7.db --results cell7.csv --seed 3)");
  command->callback([=] { *action = [=] { return Run(*options); }; });
}

}  // namespace somafit
