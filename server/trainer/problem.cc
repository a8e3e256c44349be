#include "server/trainer/problem.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "proto/convert/digest.h"
#include "proto/convert/inference_spec.h"
#include "server/inference/device.h"
#include "server/posterior/embedding_layers.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

constexpr int kMaxFeaturesOfProblem = 1 << 20;
// Nets that "auto" chooses from.
constexpr const char* kAuto[] = {"maf", "nsf", "mdn"};

using Lines = std::vector<std::string>;

// Keeps what a status says, one line a mistake.
void Keep(const absl::Status& status, Lines& lines) {
  if (!status.ok()) lines.emplace_back(status.message());
}

template <typename T>
struct Word {
  const char* name;
  T value;
};
template <typename T, size_t n>
void ReadWord(const std::string& what, const std::string& text,
              const Word<T> (&words)[n], T& value, Lines& lines) {
  if (text.empty()) return;
  Lines known;
  for (const Word<T>& word : words) {
    if (text == word.name) {
      value = word.value;
      return;
    }
    known.emplace_back(word.name);
  }
  lines.push_back(absl::StrCat(what, " cannot be ", Quoted(text), ": write ",
                               absl::StrJoin(known, ", ")));
}

constexpr Word<Algorithm> kAlgorithms[] = {{"npe_a", Algorithm::kNpeA},
                                           {"npe_b", Algorithm::kNpeB},
                                           {"npe_c", Algorithm::kNpeC},
                                           {"tsnpe", Algorithm::kTruncatedNpe}};
constexpr Word<InvalidRows> kInvalidRows[] = {
    {"exclude", InvalidRows::kExclude}, {"keep", InvalidRows::kKeep}};

void ReadPrior(const v1::InferenceProblem& message, Problem& problem,
               Lines& lines) {
  const int n = message.priors_size();
  if (n < 1 || n > static_cast<int>(kMaxEstimatorParameters)) {
    lines.push_back(absl::StrCat("priors: there are ", n,
                                 " parameters to infer, not 1 to ",
                                 kMaxEstimatorParameters));
    return;
  }
  std::vector<MarginalSpec> specs;
  bool readable = true;
  for (const v1::CheckedPrior& prior : message.priors()) {
    MarginalSpec& spec = specs.emplace_back();
    spec.parameter = prior.parameter();
    spec.kind = prior.kind();
    problem.parameters.push_back(prior.parameter());
    if (prior.option_size() != prior.value_size()) {
      lines.push_back(absl::StrCat(
          "priors: ", Quoted(prior.parameter()), " has ", prior.option_size(),
          " options and ", prior.value_size(), " values of them"));
      readable = false;
      continue;
    }
    for (int i = 0; i < prior.option_size(); ++i) {
      if (spec.options.emplace(prior.option(i), prior.value(i)).second) {
        continue;
      }
      lines.push_back(absl::StrCat("priors: ", Quoted(prior.parameter()),
                                   " has the option ", Quoted(prior.option(i)),
                                   " twice"));
      readable = false;
    }
  }
  if (!readable) return;
  auto prior = MakePrior(specs);
  if (prior.ok()) {
    problem.prior = *std::move(prior);
  } else {
    Keep(prior.status(), lines);
  }
}

void ReadObservation(const v1::InferenceProblem& message, Problem& problem,
                     Lines& lines) {
  auto columns = FromProto(message.features(), message.trace_columns());
  if (!columns.ok()) return Keep(columns.status(), lines);
  problem.columns = *std::move(columns);
  problem.observation = {message.observation().begin(),
                         message.observation().end()};
  if (problem.e() < 1 || problem.e() > kMaxFeaturesOfProblem) {
    lines.push_back(absl::StrCat("features: there are ", problem.e(),
                                 ", not 1 to ", kMaxFeaturesOfProblem));
    return;
  }
  // A user's own simulator may have none yet.
  if (problem.observation.empty()) return;
  if (problem.observation.size() != problem.e()) {
    lines.push_back(absl::StrCat("observation: it has ",
                                 problem.observation.size(), " numbers for ",
                                 problem.e(), " features"));
    return;
  }
  constexpr size_t kMostNamed = 20;
  size_t bad = 0;
  for (size_t i = 0; i < problem.e(); ++i) {
    if (std::isfinite(problem.observation[i]) || ++bad > kMostNamed) continue;
    lines.push_back(
        absl::StrCat("observation: ", Quoted(problem.columns.NameOf(i)), " is ",
                     ShortestText(problem.observation[i]),
                     ": leave out features that the recording does not have"));
  }
  if (bad > kMostNamed) {
    lines.push_back(absl::StrCat("observation: and ", bad - kMostNamed,
                                 " more numbers are not finite"));
  }
}

// Of "auto", each net gets the options that it knows; one that none knows is
// left to the first, which reports it.
std::vector<NamedText> OptionsFor(const char* net,
                                  const std::vector<NamedText>& given) {
  const auto knows = [](const char* name, const std::string& option) {
    const auto& options = FindNet(name)->options;
    return std::any_of(
        options.begin(), options.end(),
        [&](const OptionSpec& known) { return known.name == option; });
  };
  std::vector<NamedText> own;
  for (const NamedText& option : given) {
    const bool known =
        std::any_of(std::begin(kAuto), std::end(kAuto),
                    [&](const char* name) { return knows(name, option.name); });
    if (known ? knows(net, option.name) : net == kAuto[0]) {
      own.push_back(option);
    }
  }
  return own;
}

void ReadEstimator(const DensityEstimatorSpec& given, Problem& problem,
                   Lines& lines) {
  Diagnostics diagnostics;
  if (given.name == "auto") {
    for (const char* net : kAuto) {
      auto spec =
          ReadEstimatorSpec(net, OptionsFor(net, given.options), diagnostics);
      if (spec) problem.specs.push_back(*std::move(spec));
    }
  } else {
    auto spec = ReadEstimatorSpec(given.name.empty() ? "maf" : given.name,
                                  given.options, diagnostics);
    if (spec) problem.specs.push_back(*std::move(spec));
  }
  Keep(diagnostics.ToStatus(), lines);
  Diagnostics about_layers;
  const auto declared = ReadEmbedding(given, problem.e(), about_layers);
  Keep(about_layers.ToStatus(), lines);
  const bool automatic = problem.columns.raw() && declared &&
                         declared->embedding.layers.empty() &&
                         declared->script.empty();
  if (declared) problem.script = declared->script;
  const bool scaled = std::any_of(
      given.options.begin(), given.options.end(),
      [](const NamedText& option) { return option.name == "z_score_x"; });
  for (EstimatorSpec& spec : problem.specs) {
    if (problem.prior != nullptr) spec.support = problem.prior->support();
    if (declared) {
      spec.x_shape = declared->x_shape;
      spec.embedding =
          automatic ? DefaultTraceEmbedding() : declared->embedding;
    }
    // Steps of a trace are of one kind, and differ by what is to be seen.
    if (problem.columns.raw() && !scaled) spec.z_score_x = ZScore::kStructured;
  }
  if (automatic) {
    problem.messages.push_back(absl::StrCat(
        "x is raw traces, ", problem.e(),
        " numbers, and no embedding is declared: two fully connected layers, "
        "50 and 20 wide, are trained with the estimator"));
  }
  problem.ensemble = given.ensemble == 0 ? 1 : given.ensemble;
  if (problem.ensemble < 1 || problem.ensemble > kMaxEnsemble) {
    lines.push_back(absl::StrCat("estimator.ensemble is ", given.ensemble,
                                 ", not 1 to ", kMaxEnsemble));
  }
}

template <typename T>
void Override(T given, T& value) {
  if (given != T{}) value = given;
}

void ReadTraining(const TrainingSpec& given, Problem& problem, Lines& lines) {
  TrainingOptions& options = problem.training;
  Override(given.training_batch_size, options.training_batch_size);
  Override(given.learning_rate, options.learning_rate);
  Override(given.validation_fraction, options.validation_fraction);
  Override(given.stop_after_epochs, options.stop_after_epochs);
  Override(given.max_num_epochs, options.max_num_epochs);
  if (given.clip_max_norm) {
    options.clip_max_norm = *given.clip_max_norm == 0 ? std::optional<double>()
                                                      : *given.clip_max_norm;
  }
  options.discard_prior_samples = given.discard_prior_samples;
  options.retrain_from_scratch = given.retrain_from_scratch;
  options.force_first_round_loss = given.force_first_round_loss;
  options.average_weights = given.average_weights.value_or(true);
  Keep(CheckTrainingOptions(options), lines);

  if (!given.device.empty()) {
    const absl::Status device = ResolveDevice(given.device).status();
    if (device.ok()) {
      options.device = given.device;
    } else if (absl::IsFailedPrecondition(device)) {
      // A GPU makes it faster, not right.
      problem.messages.push_back(
          absl::StrCat(std::string(device.message()), "; trained on the CPU"));
    } else {
      lines.push_back(
          absl::StrCat("training.device: ", std::string(device.message())));
    }
  }
  Override(given.num_atoms, problem.num_atoms);
  if (problem.num_atoms < 2) {
    lines.push_back(absl::StrCat("training.num_atoms is ", given.num_atoms,
                                 ", but 2 are the least"));
  }
  problem.use_combined_loss = given.use_combined_loss;
  problem.largest_weight = given.largest_weight;
  if (given.largest_weight != 0 &&
      !(given.largest_weight > 1 && std::isfinite(given.largest_weight))) {
    lines.push_back(absl::StrCat("training.largest_weight is ",
                                 ShortestText(given.largest_weight),
                                 ", but must be above 1, or 0 for no limit"));
  }
  const auto kernel = MakeCalibrationKernel(given.calibration_kernel,
                                            given.calibration_bandwidth);
  if (kernel.ok()) {
    problem.calibration = *kernel;
  } else {
    lines.push_back(
        absl::StrCat("training: ", std::string(kernel.status().message())));
  }
  Override(given.truncation, problem.truncation);
  if (!(problem.truncation >= 1e-6 && problem.truncation < 0.5)) {
    lines.push_back(absl::StrCat("training.truncation is ",
                                 ShortestText(given.truncation),
                                 ", but must be within 1e-6 and 0.5"));
  }
  ReadWord("training.invalid", given.invalid, kInvalidRows, problem.invalid,
           lines);
}

// What NPE-A needs: closed forms, and one net after the other.
void CheckNpeA(const Problem& problem, Lines& lines) {
  for (const EstimatorSpec& spec : problem.specs) {
    if (spec.net == "mdn" && spec.theta_space == ThetaSpace::kBounded) continue;
    lines.push_back(
        absl::StrCat("npe_a divides mixtures and needs the estimator mdn over "
                     "bounded parameters, not ",
                     problem.specs.size() > 1 ? "auto" : spec.net,
                     spec.net == "mdn" ? " over unconstrained ones" : "",
                     ": write mdn, or use another algorithm"));
    break;
  }
  if (problem.prior != nullptr && !problem.prior->normal_form().has_value()) {
    lines.push_back(
        "npe_a needs priors that are uniform or normal: declare such ones, or "
        "use another algorithm");
  }
  if (problem.ensemble > 1) {
    lines.push_back(
        "npe_a trains one net, each from the one before: leave out ensemble, "
        "or use another algorithm");
  }
  if (problem.training.retrain_from_scratch) {
    lines.push_back(
        "npe_a goes on from the net of the round before: leave out "
        "retrain_from_scratch");
  }
}

}  // namespace

absl::StatusOr<Problem> ReadProblem(const v1::InferenceProblem& message) {
  Problem problem;
  Lines lines;
  problem.fit = message.fit();
  problem.seed = message.seed();
  problem.stage = message.stage();
  problem.n_rounds = message.n_rounds();
  v1::InferenceProblem identity;
  identity.set_fit(message.fit());
  identity.set_seed(message.seed());
  identity.set_stage(message.stage());
  *identity.mutable_priors() = message.priors();
  problem.key = Sha256Hex(identity.SerializeAsString());
  if (problem.stage < 0 || problem.n_rounds < 0) {
    lines.push_back(absl::StrCat("stage ", problem.stage, " of ",
                                 problem.n_rounds,
                                 " rounds: these cannot be below 0"));
  }
  ReadPrior(message, problem, lines);
  ReadObservation(message, problem, lines);
  ReadWord("algorithm", message.algorithm(), kAlgorithms, problem.algorithm,
           lines);
  ReadEstimator(FromProto(message.estimator()), problem, lines);
  ReadTraining(FromProto(message.training()), problem, lines);
  if (problem.algorithm == Algorithm::kNpeA) CheckNpeA(problem, lines);
  if (lines.empty()) {
    for (const EstimatorSpec& spec : problem.specs) {
      Keep(CheckEstimatorSpec(spec), lines);
    }
  }
  if (lines.empty()) return problem;
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

uint64_t SeedOf(const Problem& problem, Purpose purpose, int64_t round,
                int member) {
  DrawKey key{problem.seed, static_cast<uint32_t>(purpose)};
  for (const auto part :
       {static_cast<uint32_t>(problem.stage), static_cast<uint32_t>(round),
        static_cast<uint32_t>(member)}) {
    key = PartOf(key, part);
  }
  return key.seed;
}

}  // namespace somafit
