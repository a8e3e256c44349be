#include "worker/core/objective/feature_terms.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/objective/raw_traces.h"
#include "worker/core/objective/spec_fields.h"
#include "worker/core/objective/trace_statistics.h"
#include "worker/core/objective/train_statistics.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

constexpr size_t kMaxColumns = 100'000;       // of x: features times traces
constexpr size_t kMaxKept = 2'000'000;        // numbers that a lane keeps
constexpr size_t kMaxObserved = 500'000'000;  // steps of features of all traces

constexpr char kField[] = "inference.features";

std::string FieldOf(const FeatureSpec& spec) {
  return absl::StrCat(kField, ".", spec.name.substr(0, 80));
}

bool IsRawTrace(const FeatureSpec& spec) {
  const FeatureEntry* const entry = FindFeature(spec.feature);
  return entry != nullptr && entry->make == nullptr;
}

// Gives names to those that have none; given ones come first.
void FillNames(std::vector<FeatureSpec>& specs) {
  std::set<std::string> taken;
  std::map<std::string, size_t> latest;  // number that was tried last
  for (const FeatureSpec& spec : specs) taken.insert(spec.name);
  for (FeatureSpec& spec : specs) {
    if (!spec.name.empty()) continue;
    // Of what is too long, enough to see that it is.
    std::string plain = spec.output.substr(0, kLongestName + 1);
    if (!IsRawTrace(spec)) {
      absl::StrAppend(&plain, "_", spec.feature.substr(0, kLongestName + 1));
    }
    size_t& number = latest[plain];
    do {
      ++number;
      spec.name = number == 1 ? plain : absl::StrCat(plain, "_", number);
    } while (!taken.insert(spec.name).second);
  }
}

class Checker {
 public:
  Checker(const Dataset& dataset, std::optional<double> dt,
          Diagnostics& diagnostics)
      : dataset_(dataset), dt_(dt), diagnostics_(diagnostics) {
    for (const Channel& output : dataset.outputs) {
      outputs_.push_back(output.name);
    }
    std::set<size_t> lengths;
    for (size_t i = 0; i < dataset.traces.size(); ++i) {
      const size_t n_steps = dataset.traces[i].n_steps();
      n_steps_ += n_steps;
      if (lengths.insert(n_steps).second) lengths_.push_back({i, n_steps});
    }
  }

  // What simulating and observing cost grows with these.
  bool CheckCount(size_t n) {
    if (n == 0) {
      diagnostics_.FieldError("E_FEATURE", kField,
                              "there is no feature: nothing would be learned "
                              "from simulations",
                              "give at least one, such as the mean of an "
                              "output");
      return false;
    }
    if (n * std::max<size_t>(dataset_.traces.size(), 1) <= kMaxColumns &&
        n * n_steps_ <= kMaxObserved) {
      return true;
    }
    diagnostics_.FieldError(
        "E_LIMIT", kField,
        absl::StrCat("there are ", n, " features of ", dataset_.traces.size(),
                     " traces, which have ", n_steps_, " steps"),
        absl::StrCat("at most ", kMaxColumns, " features times traces, and ",
                     kMaxObserved, " features times steps"));
    return false;
  }

  // A net looks at steps of a trace as neighbours, at features as it comes.
  void CheckKinds(const std::vector<FeatureSpec>& specs) {
    const auto raw = std::find_if(specs.begin(), specs.end(), IsRawTrace);
    const auto other = std::find_if_not(specs.begin(), specs.end(), IsRawTrace);
    if (raw == specs.end() || other == specs.end()) return;
    diagnostics_.FieldError(
        "E_FEATURE", FieldOf(*raw) + ".feature",
        absl::StrCat("the raw trace stands beside other features, such as ",
                     Shown(other->name)),
        "give raw traces alone, or features alone");
  }

  void CheckTrains(const std::vector<FeatureSpec>& specs) {
    for (size_t output = 0; output < outputs_.size(); ++output) {
      const bool wanted =
          FamilyOf(outputs_[output]) == MetricFamily::kSpikes &&
          std::any_of(specs.begin(), specs.end(), [&](const FeatureSpec& spec) {
            return spec.output == outputs_[output];
          });
      if (!wanted) continue;
      for (size_t i = 0; i < dataset_.traces.size(); ++i) {
        const absl::Status status =
            CheckTrain(dataset_.traces[i].targets[output]);
        if (status.ok()) continue;
        diagnostics_.FieldError(
            "E_FEATURE", kField,
            absl::StrCat("trace ", i, ": ", std::string(status.message())));
        return;
      }
    }
  }

  // nullopt after an error.
  std::optional<FeatureTerm> Make(const FeatureSpec& spec, bool named) {
    // One that was filled in is as good as what it is made of.
    if (named) CheckName(spec);
    const auto output =
        std::find(outputs_.begin(), outputs_.end(), spec.output);
    if (output == outputs_.end()) {
      ReportOutput(spec);
      return std::nullopt;
    }
    std::string problem, hint;
    const FeatureEntry* const entry =
        ChooseFeature(spec.feature, spec.output, &problem, &hint);
    if (entry == nullptr) {
      diagnostics_.FieldError("E_FEATURE", FieldOf(spec) + ".feature", problem,
                              hint);
      return std::nullopt;
    }
    if (!named) CheckName(spec);
    FeatureTerm term;
    term.name = spec.name;
    term.output = static_cast<size_t>(output - outputs_.begin());
    const Dimension& of_output = dataset_.outputs[term.output].dimension;
    Diagnostics mistakes;
    term.config.options = ReadOptions(spec.options, entry->options,
                                      FieldOf(spec), of_output, mistakes);
    term.config.dt = dt_.value_or(0);
    const bool readable = !mistakes.HasErrors();
    diagnostics_.Append(mistakes);
    if (!readable || !CheckOnce(spec, *entry, term) || !dt_ ||
        !CheckWindows(spec, *entry, term.config)) {
      return std::nullopt;
    }
    if (entry->make != nullptr) {
      term.feature = entry->make(term.config);
    } else if (!CountColumns(spec, term.config)) {
      return std::nullopt;
    }
    term.dimension = entry->dimension(of_output);
    term.unit = ReadableDimension(term.dimension);
    return term;
  }

 private:
  void CheckName(const FeatureSpec& spec) {
    if (!IsIdentifier(spec.name)) {
      diagnostics_.FieldError(
          "E_FEATURE", FieldOf(spec) + ".name",
          absl::StrCat(Shown(spec.name), " cannot name a feature"),
          absl::StrCat("give a name of letters, digits and \"_\", not "
                       "beginning with a digit, at most ",
                       kLongestName));
    } else if (!names_.insert(spec.name).second) {
      diagnostics_.FieldError(
          "E_FEATURE", FieldOf(spec) + ".name",
          absl::StrCat("two features are called ", Shown(spec.name)),
          "give each a name of its own, or none");
    }
  }

  void ReportOutput(const FeatureSpec& spec) {
    const std::string nearest =
        NearestWord(spec.output.substr(0, kLongestName), outputs_);
    diagnostics_.FieldError(
        "E_FEATURE", FieldOf(spec) + ".output",
        absl::StrCat("the dataset has no output ", Shown(spec.output)),
        nearest.empty()
            ? absl::StrCat("its outputs are: ", absl::StrJoin(outputs_, ", "))
            : absl::StrCat("did you mean \"", nearest, "\"?"));
  }

  // The same number twice would be no more to learn from, and a direction in
  // which x never varies.
  bool CheckOnce(const FeatureSpec& spec, const FeatureEntry& entry,
                 const FeatureTerm& term) {
    std::string key = absl::StrCat(term.output, " ", std::string(entry.name));
    for (const auto& [name, value] : term.config.options) {
      absl::StrAppend(&key, " ", std::bit_cast<uint64_t>(value + 0.0));
    }
    const auto [first, is_new] = made_.emplace(std::move(key), spec.name);
    if (is_new) return true;
    diagnostics_.FieldError(
        "E_FEATURE", FieldOf(spec),
        absl::StrCat("is the same as ", Shown(first->second)),
        "leave one of them out, or give it another window");
    return false;
  }

  // Each distinct mistake once, whatever the number of traces.
  bool CheckWindows(const FeatureSpec& spec, const FeatureEntry& entry,
                    const FeatureConfig& config) {
    size_t most = 0;
    for (const auto& [trace, n_steps] : lengths_) {
      const absl::Status status = CheckWindow(config, n_steps);
      if (!status.ok()) {
        diagnostics_.FieldError(
            "E_FEATURE", FieldOf(spec),
            absl::StrCat("trace ", trace, ": ", std::string(status.message())),
            "choose other times; each trace needs at least one step");
        return false;
      }
      most = std::max(most, WindowOf(config, n_steps).size());
    }
    if (!entry.keeps_steps) return true;
    if (most > kMostKept) {
      diagnostics_.FieldError(
          "E_LIMIT", FieldOf(spec),
          absl::StrCat("this feature keeps every step, at most ", kMostKept,
                       " of them; its window has ", most),
          "choose a shorter window");
      return false;
    }
    const bool fitted = kept_ <= kMaxKept;
    kept_ += most;
    if (kept_ <= kMaxKept || !fitted) return true;
    diagnostics_.FieldError(
        "E_LIMIT", FieldOf(spec),
        absl::StrCat("with this feature, more than ", kMaxKept,
                     " steps are kept, of all features that keep them"),
        "choose shorter windows, or fewer medians, quantiles and isi_cv");
    return false;
  }

  // Says it once that there are too many.
  bool CountColumns(const FeatureSpec& spec, const FeatureConfig& config) {
    const auto every = static_cast<size_t>(config.options.at("every"));
    const bool fitted = raw_columns_ <= kMaxRawColumns;
    for (const Trace& trace : dataset_.traces) {
      const size_t n = WindowOf(config, trace.n_steps()).size();
      raw_columns_ += (n + every - 1) / every;
    }
    if (raw_columns_ <= kMaxRawColumns || !fitted) return true;
    diagnostics_.FieldError(
        "E_LIMIT", FieldOf(spec),
        absl::StrCat("with this trace, a sample's x has ", raw_columns_,
                     " numbers; at most ", kMaxRawColumns),
        "take one of `every` so many steps, a shorter window (t_start, t_end), "
        "or features");
    return false;
  }

  const Dataset& dataset_;
  const std::optional<double> dt_;
  Diagnostics& diagnostics_;
  struct Length {
    size_t trace;  // the first that has it
    size_t n_steps;
  };
  std::vector<std::string> outputs_;
  std::vector<Length> lengths_;
  size_t n_steps_ = 0;  // of all traces
  std::set<std::string> names_;
  std::map<std::string, std::string> made_;  // what it is, its name
  size_t kept_ = 0;
  size_t raw_columns_ = 0;
};

}  // namespace

std::vector<FeatureTerm> MakeFeatures(std::vector<FeatureSpec>& specs,
                                      const Dataset& dataset,
                                      std::optional<double> dt,
                                      Diagnostics& diagnostics) {
  Checker checker(dataset, dt, diagnostics);
  std::vector<FeatureTerm> terms;
  if (!checker.CheckCount(specs.size())) return terms;
  std::vector<bool> named;
  for (const FeatureSpec& spec : specs) named.push_back(!spec.name.empty());
  FillNames(specs);
  checker.CheckKinds(specs);
  checker.CheckTrains(specs);
  for (size_t i = 0; i < specs.size() && !diagnostics.full(); ++i) {
    std::optional<FeatureTerm> term = checker.Make(specs[i], named[i]);
    if (term) terms.push_back(*std::move(term));
  }
  return terms;
}

}  // namespace somafit
