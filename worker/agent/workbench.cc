#include "worker/agent/workbench.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/sim/batch.h"
#include "worker/sim/record.h"

namespace somafit {
namespace {

// A fetch that fails says something of the coordinator or the way to it, not of
// the task: it is tried again.
template <typename T>
absl::StatusOr<T> Fetched(absl::StatusOr<T> fetched) {
  if (fetched.ok() || IsRefusal(fetched.status())) return fetched;
  return absl::UnavailableError(fetched.status().message());
}

constexpr size_t kKeptExperiments = 16;

// Equal for tasks that are simulated and compared in the same way. Every text
// goes in with its length, so that no two experiments have one key.
std::string KeyOf(const Task& task) {
  std::string key;
  const auto add = [&key](std::string_view text) {
    absl::StrAppend(&key, text.size(), ":");
    key += text;
  };
  add(task.model_hash);
  add(task.dataset_hash);
  add(ShortestText(task.dt));
  add(absl::StrCat(task.parameters.size()));
  for (const std::string& name : task.parameters) add(name);
  add(absl::StrCat(task.recorded.size()));
  for (const std::string& name : task.recorded) add(name);
  add(task.penalty);
  const auto add_options = [&](const std::vector<NamedText>& options) {
    add(absl::StrCat(options.size()));
    for (const NamedText& option : options) {
      add(option.name);
      add(option.text);
    }
  };
  add(absl::StrCat(task.features.size()));
  for (const FeatureSpec& feature : task.features) {
    add(feature.output);
    add(feature.feature);
    add_options(feature.options);
    add(feature.name);
  }
  for (const MetricSpec& metric : task.metrics) {
    add(metric.output);
    add(absl::StrCat(metric.outputs.size()));
    for (const std::string& output : metric.outputs) add(output);
    add(metric.metric);
    add_options(metric.options);
    add(std::string_view(reinterpret_cast<const char*>(metric.t_weights.data()),
                         metric.t_weights.size() * sizeof(double)));
  }
  return key;
}

absl::StatusOr<RoundPlace> PlaceOf(const Task& task) {
  constexpr int64_t kMostRealizations = int64_t{1} << 44;  // see FillNoise
  const auto n = static_cast<int64_t>(task.points.size());
  if (task.first_realization < 0 || task.first_in_round < 0 ||
      task.n_in_round < 0 || task.first_realization > kMostRealizations - n ||
      task.first_in_round > kMostRealizations - n) {
    return absl::InvalidArgumentError(
        "the task's place in its round is out of range");
  }
  return RoundPlace{.seed = task.seed,
                    .first_sample = task.first_realization,
                    .iteration = task.iteration,
                    .first_in_round = task.first_in_round,
                    .n_in_round = task.n_in_round};
}

}  // namespace

bool IsTheTasksFault(const absl::Status& status) {
  return IsRefusal(status) || absl::IsInternal(status);
}

absl::StatusOr<std::shared_ptr<const Dataset>> Workbench::DatasetOf(
    const std::string& hash, CoordinatorPort& coordinator) {
  for (auto it = datasets_.begin(); it != datasets_.end(); ++it) {
    if (it->hash != hash) continue;
    datasets_.splice(datasets_.begin(), datasets_, it);
    return datasets_.front().dataset;
  }
  SOMAFIT_ASSIGN_OR_RETURN(const std::string bytes,
                           Fetched(coordinator.FetchDataset(hash)));
  SOMAFIT_ASSIGN_OR_RETURN(Dataset decoded, DecodeDataset(bytes));
  auto dataset = std::make_shared<const Dataset>(std::move(decoded));
  datasets_.push_front({hash, dataset, bytes.size()});
  size_t total = 0;
  for (auto it = datasets_.begin(); it != datasets_.end();) {
    total += it->bytes;
    const bool over = total > options_.memory_bytes && it != datasets_.begin();
    it = over ? datasets_.erase(it) : std::next(it);
  }
  return dataset;
}

absl::StatusOr<std::shared_ptr<const Experiment>> Workbench::Prepare(
    const Task& task, CoordinatorPort& coordinator) {
  std::string key = KeyOf(task);
  for (auto it = experiments_.begin(); it != experiments_.end(); ++it) {
    if (it->key != key) continue;
    experiments_.splice(experiments_.begin(), experiments_, it);
    const auto& kept = experiments_.front().experiment;
    SOMAFIT_RETURN_IF_ERROR(Compile(task, *kept));
    return kept;
  }
  SOMAFIT_ASSIGN_OR_RETURN(const ModelSource model,
                           Fetched(coordinator.FetchModel(task.model_hash)));
  SOMAFIT_ASSIGN_OR_RETURN(auto dataset,
                           DatasetOf(task.dataset_hash, coordinator));
  SOMAFIT_ASSIGN_OR_RETURN(
      Experiment made,
      task.recorded.empty()
          ? MakeExperiment(model, std::move(dataset), task.dt, task.parameters,
                           task.metrics, task.penalty, task.features)
          : MakeRecordingExperiment(model, std::move(dataset), task.dt,
                                    task.parameters, task.recorded,
                                    task.metrics));
  SOMAFIT_RETURN_IF_ERROR(Compile(task, made));
  auto experiment = std::make_shared<const Experiment>(std::move(made));
  experiments_.push_front({std::move(key), experiment});
  if (experiments_.size() > kKeptExperiments) experiments_.pop_back();
  // An experiment holds its dataset: with that let go, it has to go as well.
  std::erase_if(experiments_, [this](const KeptExperiment& kept) {
    return std::none_of(datasets_.begin(), datasets_.end(),
                        [&kept](const KeptDataset& live) {
                          return live.dataset == kept.experiment->dataset;
                        });
  });
  return experiment;
}

absl::Status Workbench::Compile(const Task& task,
                                const Experiment& experiment) const {
  if (!task.recorded.empty()) return absl::OkStatus();
  return PrepareBatch(experiment, task.points.size(), options_.kernels);
}

absl::StatusOr<std::vector<Evaluation>> Workbench::Evaluate(
    const Experiment& experiment, const Task& task,
    const std::function<bool()>& cancelled) const {
  SOMAFIT_ASSIGN_OR_RETURN(const RoundPlace place, PlaceOf(task));
  return EvaluateBatch(experiment, task.points, options_.threads, cancelled,
                       options_.kernels, place, task.limits);
}

absl::StatusOr<std::vector<Recording>> Workbench::Record(
    const Experiment& experiment, const Task& task,
    const std::function<bool()>& cancelled) const {
  SOMAFIT_ASSIGN_OR_RETURN(const RoundPlace place, PlaceOf(task));
  return RecordBatch(experiment.program, *experiment.dataset, task.points,
                     options_.threads, cancelled, options_.kernels, place);
}

}  // namespace somafit
