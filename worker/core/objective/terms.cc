#include "worker/core/objective/terms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/quantity.h"
#include "worker/core/objective/spec_fields.h"

namespace somafit {
namespace {

constexpr size_t kMaxTerms = 256;
constexpr size_t kMaxComparisons = 2'000'000;  // of outputs on traces
constexpr size_t kMaxGrouped = 2'000'000;      // numbers that a lane keeps
constexpr size_t kMaxInGroup = 64;

// Whether an expression names the target of this output.
bool NamesTarget(std::string_view text, const std::string& output) {
  const std::string word = output + "_target";
  const auto is_part = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  for (size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_part(text[at - 1])) &&
        (end == text.size() || !is_part(text[end]))) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool AreMeanSquares(const std::vector<Term>& terms, const Dataset& dataset) {
  std::set<size_t> compared;
  for (const Term& term : terms) {
    if (term.outputs.size() != 1 || term.metric == nullptr ||
        !compared.insert(term.outputs[0]).second) {
      return false;
    }
    for (const Trace& trace : dataset.traces) {
      if (term.outputs[0] >= trace.targets.size()) return false;
      const std::vector<double>& target = trace.targets[term.outputs[0]];
      if (target.empty() || term.metric->SquareWeights(target).empty()) {
        return false;
      }
    }
  }
  return true;
}

std::vector<std::string> ComparedBy(const MetricSpec& spec) {
  if (IsExpression(spec)) return {};
  return spec.outputs.empty() ? std::vector<std::string>{spec.output}
                              : spec.outputs;
}

namespace {

class Checker {
 public:
  Checker(const Dataset& dataset, std::optional<double> dt,
          Diagnostics& diagnostics)
      : dataset_(dataset), dt_(dt), diagnostics_(diagnostics) {
    for (const Channel& output : dataset.outputs) {
      names_.push_back(output.name);
    }
    for (const Trace& trace : dataset.traces) {
      zeros_.resize(std::max(zeros_.size(), trace.n_steps()));
    }
  }

  void CheckNames(const std::vector<MetricSpec>& specs) {
    std::set<std::string> seen;
    for (const MetricSpec& spec : specs) {
      const std::string field = FieldOf(spec) + ".output";
      const bool known = Number(spec.output).has_value();
      if (!seen.insert(spec.output).second) {
        diagnostics_.FieldError(
            "E_METRIC", field,
            known ? absl::StrCat("output ", Shown(spec.output),
                                 " has two metrics")
                  : absl::StrCat("two terms are called ", Shown(spec.output)),
            known ? "keep one of them, or give one a name of its own and say "
                    "in `outputs` what it compares"
                  : "give each a name of its own");
      }
      if (IsExpression(spec)) {
        if (known) {
          diagnostics_.FieldError(
              "E_METRIC", field,
              absl::StrCat("the expression ", Shown(spec.output),
                           " is called like an output"),
              "give it a name of its own");
        }
        if (!spec.outputs.empty()) {
          diagnostics_.FieldError(
              "E_METRIC", FieldOf(spec) + ".outputs",
              "an expression names what it compares by itself",
              "leave out `outputs`");
        }
        continue;
      }
      for (const std::string& output : ComparedBy(spec))
        CheckOutput(spec, output);
      const bool itself = spec.outputs.empty() ||
                          spec.outputs == std::vector<std::string>{spec.output};
      if (itself) continue;
      if (known) {
        diagnostics_.FieldError(
            "E_METRIC", field,
            absl::StrCat("a term that compares ",
                         absl::StrJoin(spec.outputs, ", "), " is called ",
                         Shown(spec.output), " like another output"),
            "give it a name of its own");
      } else if (!IsIdentifier(spec.output)) {
        diagnostics_.FieldError(
            "E_METRIC", field,
            absl::StrCat(Shown(spec.output), " cannot name a term"),
            "use letters, digits and \"_\", not beginning with a digit, at "
            "most 60");
      }
    }
  }

  // Adds the default terms; those of outputs in the dataset's order first.
  std::vector<MetricSpec> Complete(const std::vector<MetricSpec>& specs) const {
    std::vector<MetricSpec> all;
    for (const std::string& name : names_) {
      const auto own =
          std::find_if(specs.begin(), specs.end(),
                       [&](const MetricSpec& s) { return s.output == name; });
      if (own != specs.end()) {
        all.push_back(*own);
        continue;
      }
      const bool compared =
          std::any_of(specs.begin(), specs.end(), [&](const MetricSpec& spec) {
            const std::string* const text = FindOption(spec, "expression");
            if (IsExpression(spec)) {
              return text != nullptr && NamesTarget(*text, name);
            }
            const std::vector<std::string> outputs = ComparedBy(spec);
            return std::find(outputs.begin(), outputs.end(), name) !=
                   outputs.end();
          });
      if (compared) continue;
      MetricSpec term;
      term.output = name;
      all.push_back(std::move(term));
    }
    for (const MetricSpec& spec : specs) {
      if (!Number(spec.output)) all.push_back(spec);
    }
    return all;
  }

  // What planning and simulating cost grows with these.
  bool CheckSizes(const std::vector<MetricSpec>& all) {
    size_t n_compared = 0, n_grouped = 0;
    for (const MetricSpec& spec : all) {
      const size_t n = std::max<size_t>(ComparedBy(spec).size(), 1);
      n_compared += n;
      if (n > 1) n_grouped += n;
    }
    const bool fits = all.size() <= kMaxTerms &&
                      n_compared * dataset_.traces.size() <= kMaxComparisons &&
                      n_grouped * zeros_.size() <= kMaxGrouped;
    if (fits) return true;
    diagnostics_.FieldError(
        "E_LIMIT", "metrics",
        absl::StrCat("there are ", all.size(), " terms, of ", n_compared,
                     " outputs in all, ", n_grouped, " of them in groups, on ",
                     dataset_.traces.size(), " traces of up to ", zeros_.size(),
                     " steps"),
        absl::StrCat("at most ", kMaxTerms, " terms, ", kMaxComparisons,
                     " outputs times traces, ", kMaxGrouped,
                     " outputs in groups times steps"));
    return false;
  }

  // nullopt after an error.
  std::optional<Term> Make(MetricSpec& spec, size_t* n_expressions) {
    Term term;
    term.name = spec.output;
    const std::vector<std::string> compared = ComparedBy(spec);
    const MetricEntry* entry = nullptr;
    if (IsExpression(spec)) {
      entry = FindMetric(spec.metric);
      term.outputs = {names_.size() + (*n_expressions)++};
      const std::optional<Dimension> unit = UnitOf(spec);
      if (!unit) return std::nullopt;
      term.output_dimension = *unit;
      term.counted = CountedBy(spec);
    } else {
      std::string problem, hint;
      entry = ChooseMetric(spec.metric, compared, &problem, &hint);
      if (entry == nullptr) {
        diagnostics_.FieldError("E_METRIC", FieldOf(spec) + ".metric", problem,
                                hint);
        return std::nullopt;
      }
      if (compared.size() < entry->least_outputs ||
          compared.size() > kMaxInGroup) {
        diagnostics_.FieldError(
            "E_METRIC", FieldOf(spec) + ".outputs",
            absl::StrCat("has ", compared.size(), " outputs; ",
                         std::string(entry->name), " takes at least ",
                         entry->least_outputs, " and at most ", kMaxInGroup));
        return std::nullopt;
      }
      spec.metric = std::string(entry->name);
      for (const std::string& name : compared) {
        const std::optional<size_t> output = Number(name);
        if (!output) return std::nullopt;
        term.outputs.push_back(*output);
      }
      term.output_dimension = dataset_.outputs[term.outputs[0]].dimension;
      for (const size_t output : term.outputs) {
        if (!(dataset_.outputs[output].dimension == term.output_dimension)) {
          term.output_dimension = kNoDimension;
        }
      }
    }
    Diagnostics mistakes;
    MetricConfig config;
    config.options = ReadOptions(spec.options, entry->options, FieldOf(spec),
                                 term.output_dimension, mistakes);
    config.t_weights = spec.t_weights;
    config.dt = dt_.value_or(0);
    const bool readable = !mistakes.HasErrors();
    diagnostics_.Append(mistakes);
    if (!readable || !dt_) return std::nullopt;
    if (!CheckTraces(spec, *entry, config, term)) return std::nullopt;
    term.metric = entry->make(config);
    if (!CheckCounts(spec, term)) return std::nullopt;
    term.error_dimension = TakesUnitOut(spec, *entry)
                               ? kNoDimension
                               : entry->error_dimension(term.output_dimension);
    return term;
  }

 private:
  std::optional<size_t> Number(const std::string& output) const {
    const auto found = std::find(names_.begin(), names_.end(), output);
    if (found == names_.end()) return std::nullopt;
    return static_cast<size_t>(found - names_.begin());
  }

  void CheckOutput(const MetricSpec& spec, const std::string& output) {
    const bool in_list = !spec.outputs.empty();
    const std::string field =
        FieldOf(spec) + (in_list ? ".outputs" : ".output");
    if (!Number(output)) {
      const std::string nearest = NearestWord(output, names_);
      diagnostics_.FieldError(
          "E_METRIC", field,
          absl::StrCat("the dataset has no output ", Shown(output)),
          nearest.empty()
              ? absl::StrCat("its outputs are: ", absl::StrJoin(names_, ", "))
              : absl::StrCat("did you mean \"", nearest, "\"?"));
    } else if (std::count(spec.outputs.begin(), spec.outputs.end(), output) >
               1) {
      diagnostics_.FieldError(
          "E_METRIC", field,
          absl::StrCat("output ", Shown(output), " is named twice"),
          "name each once");
    } else if (spec.outputs.size() > 1 && output == kSpikes) {
      diagnostics_.FieldError("E_METRIC", field,
                              "spikes cannot be part of a group",
                              "give them a term of their own");
    }
  }

  // See Term::counted.
  std::vector<std::vector<double>> CountedBy(const MetricSpec& spec) const {
    const std::string* const text = FindOption(spec, "expression");
    if (text == nullptr) return {};
    std::vector<size_t> named;
    for (size_t o = 0; o < names_.size(); ++o) {
      if (NamesTarget(*text, names_[o])) named.push_back(o);
    }
    bool any = false;
    std::vector<std::vector<double>> counted;
    for (const Trace& trace : dataset_.traces) {
      counted.emplace_back(trace.n_steps(), 0.0);
      for (const size_t output : named) {
        for (size_t k = 0; k < trace.n_steps(); ++k) {
          if (!std::isnan(trace.targets[output][k])) continue;
          counted.back()[k] = std::numeric_limits<double>::quiet_NaN();
          any = true;
        }
      }
    }
    if (!any) counted.clear();
    return counted;
  }

  std::optional<Dimension> UnitOf(const MetricSpec& spec) {
    const std::string* const unit = FindOption(spec, "unit");
    if (unit == nullptr) return kNoDimension;
    const std::optional<Quantity> quantity =
        EvaluateQuantity({FieldOf(spec) + ".unit", *unit}, {}, diagnostics_);
    if (!quantity) return std::nullopt;
    return quantity->dimension;
  }

  // A normalization with a unit takes the unit out of the error.
  static bool TakesUnitOut(const MetricSpec& spec, const MetricEntry& entry) {
    for (const OptionSpec& option : entry.options) {
      if (option.name != "normalization") continue;
      const std::string* const text = FindOption(spec, option.name);
      if (text == nullptr) return false;
      Diagnostics checked_before;
      const auto value = EvaluateQuantity({"", *text}, {}, checked_before);
      return value && !value->dimension.IsNone();
    }
    return false;
  }

  // Each distinct mistake once, whatever the number of traces.
  bool CheckTraces(const MetricSpec& spec, const MetricEntry& entry,
                   const MetricConfig& config, const Term& term) {
    for (size_t i = 0; i < dataset_.traces.size(); ++i) {
      for (const auto& target : TargetsOf(term, dataset_, i, zeros_)) {
        const absl::Status status = ValidateMetric(entry, config, target);
        if (status.ok()) continue;
        diagnostics_.FieldError(
            "E_METRIC",
            FieldOf(spec) + (spec.t_weights.empty() ? "" : ".t_weights"),
            absl::StrCat("trace ", i, ": ", std::string(status.message())));
        return false;
      }
    }
    return true;
  }

  bool CheckCounts(const MetricSpec& spec, const Term& term) {
    if (dataset_.traces.empty()) return true;  // an outline
    for (size_t i = 0; i < dataset_.traces.size(); ++i) {
      const auto targets = TargetsOf(term, dataset_, i, zeros_);
      if (term.metric->CountedGroupSteps(targets) > 0) return true;
    }
    diagnostics_.FieldError(
        "E_METRIC",
        FieldOf(spec) + (spec.t_weights.empty() ? "" : ".t_weights"),
        absl::StrCat(term.outputs.size() > 1 ? "too few points of term \""
                                             : "no point of output \"",
                     spec.output, "\" take", term.outputs.size() > 1 ? "" : "s",
                     " part in the error of any trace"),
        "let the comparison start earlier, or give targets that are not all "
        "missing");
    return false;
  }

  const Dataset& dataset_;
  const std::optional<double> dt_;
  Diagnostics& diagnostics_;
  std::vector<std::string> names_;  // of outputs
  std::vector<double> zeros_;
};

}  // namespace

std::vector<std::span<const double>> TargetsOf(
    const Term& term, const Dataset& dataset, size_t trace,
    const std::vector<double>& zeros) {
  const Trace& data = dataset.traces[trace];
  std::vector<std::span<const double>> targets;
  for (const size_t output : term.outputs) {
    if (output < data.targets.size()) {
      targets.emplace_back(data.targets[output]);
    } else if (!term.counted.empty()) {
      targets.emplace_back(term.counted[trace]);
    } else {
      targets.emplace_back(std::span(zeros).first(data.n_steps()));
    }
  }
  return targets;
}

std::vector<Term> MakeTerms(std::vector<MetricSpec>& specs,
                            const Dataset& dataset, std::optional<double> dt,
                            Diagnostics& diagnostics) {
  Checker checker(dataset, dt, diagnostics);
  checker.CheckNames(specs);
  specs = checker.Complete(specs);
  std::vector<Term> terms;
  if (!checker.CheckSizes(specs)) return terms;
  size_t n_expressions = 0;
  for (MetricSpec& spec : specs) {
    std::optional<Term> term = checker.Make(spec, &n_expressions);
    if (term) terms.push_back(*std::move(term));
  }
  return terms;
}

}  // namespace somafit
