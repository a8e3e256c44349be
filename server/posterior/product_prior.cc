// Independent priors, one a parameter; and how any prior's draws are keyed.

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/posterior/marginal.h"
#include "server/posterior/normal.h"
#include "server/posterior/prior.h"
#include "worker/core/base/check.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

class ProductPrior final : public Prior {
 public:
  ProductPrior(std::vector<std::unique_ptr<Marginal>> marginals,
               std::optional<NormalForm> normal_form)
      : marginals_(std::move(marginals)), normal_form_(std::move(normal_form)) {
    for (const auto& marginal : marginals_) {
      support_.push_back(marginal->support());
    }
  }

  size_t size() const override { return marginals_.size(); }
  void ToUniform(std::span<const double> theta,
                 std::span<double> u) const override {
    SOMAFIT_CHECK(theta.size() == size() && u.size() == size());
    for (size_t i = 0; i < size(); ++i) u[i] = marginals_[i]->Cdf(theta[i]);
  }
  void FromUniform(std::span<const double> u,
                   std::span<double> theta) const override {
    SOMAFIT_CHECK(theta.size() == size() && u.size() == size());
    for (size_t i = 0; i < size(); ++i) {
      theta[i] = marginals_[i]->Quantile(InsideUnit(u[i]));
    }
  }
  double LogDensity(std::span<const double> theta) const override {
    SOMAFIT_CHECK(theta.size() == size());
    double sum = 0;
    for (size_t i = 0; i < size(); ++i) {
      sum += marginals_[i]->LogDensity(theta[i]);
    }
    return sum;
  }
  const std::vector<Support>& support() const override { return support_; }
  std::vector<double> mean() const override {
    std::vector<double> mean;
    for (const auto& marginal : marginals_) mean.push_back(marginal->mean());
    return mean;
  }
  std::vector<double> standard_deviation() const override {
    std::vector<double> sd;
    for (const auto& marginal : marginals_) {
      sd.push_back(marginal->standard_deviation());
    }
    return sd;
  }
  std::optional<NormalForm> normal_form() const override {
    return normal_form_;
  }
  bool improper() const override {
    return std::any_of(marginals_.begin(), marginals_.end(),
                       [](const auto& each) { return each->improper(); });
  }

 private:
  const std::vector<std::unique_ptr<Marginal>> marginals_;
  const std::optional<NormalForm> normal_form_;
  std::vector<Support> support_;
};

// A product of uniform and normal marginals is one normal form: a uniform one
// is constant along its own axis. Cutting off changes nothing but a constant.
std::optional<NormalForm> FormOf(std::span<const MarginalSpec> specs) {
  const auto n = static_cast<Eigen::Index>(specs.size());
  NormalForm form{Eigen::VectorXd::Zero(n), Eigen::MatrixXd::Zero(n, n)};
  for (Eigen::Index i = 0; i < n; ++i) {
    const MarginalSpec& spec = specs[i];
    if (spec.kind == "normal") {
      const double sigma = spec.options.at("sigma");
      form.mean[i] = spec.options.at("mean");
      form.precision(i, i) = 1 / (sigma * sigma);
    } else if (spec.kind != "uniform") {
      return std::nullopt;
    }
  }
  return form;
}

// The options of `spec` with defaults; mistakes are added to `problems`.
OptionValues Complete(const MarginalSpec& spec, const MarginalEntry& entry,
                      std::vector<std::string>& problems) {
  OptionValues options;
  std::vector<std::string> known;
  for (const OptionSpec& option : entry.options) {
    known.emplace_back(option.name);
    const auto given = spec.options.find(known.back());
    if (given != spec.options.end()) {
      options[known.back()] = given->second;
    } else if (!option.required) {
      options[known.back()] = option.default_value;
    } else {
      problems.push_back(absl::StrCat(known.back(), " is missing: the ",
                                      std::string(option.summary)));
    }
  }
  for (const auto& [name, value] : spec.options) {
    if (options.contains(name)) continue;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    problems.push_back(absl::StrCat("\"", name, "\" is no option of \"",
                                    spec.kind, "\", which knows ",
                                    absl::StrJoin(known, ", ")));
  }
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Prior>> MakePrior(
    std::span<const MarginalSpec> specs) {
  std::vector<std::unique_ptr<Marginal>> marginals;
  std::vector<std::string> all_problems;
  std::vector<MarginalSpec> complete(specs.begin(), specs.end());
  std::set<std::string> seen;
  if (specs.empty()) all_problems.push_back("a prior needs a parameter");
  for (MarginalSpec& spec : complete) {
    std::vector<std::string> problems;
    if (!seen.insert(spec.parameter).second) {
      problems.push_back("there are two priors of it: keep one");
    }
    if (const MarginalEntry* entry = FindMarginal(spec.kind)) {
      const size_t before = problems.size();
      spec.options = Complete(spec, *entry, problems);
      if (problems.size() == before) {
        marginals.push_back(entry->make(spec.options, problems));
      }
    } else {
      std::vector<std::string> known;
      for (const MarginalEntry* one : AllMarginals()) {
        known.emplace_back(one->name);
      }
      problems.push_back(absl::StrCat("there is no kind of prior \"", spec.kind,
                                      "\": choose one of ",
                                      absl::StrJoin(known, ", ")));
    }
    for (const std::string& problem : problems) {
      all_problems.push_back(
          absl::StrCat("prior of \"", spec.parameter, "\": ", problem));
    }
  }
  if (!all_problems.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(all_problems, "; "));
  }
  return std::make_unique<const ProductPrior>(std::move(marginals),
                                              FormOf(complete));
}

std::unique_ptr<const Prior> MakeBoxPrior(std::span<const Support> box) {
  std::vector<MarginalSpec> specs;
  for (const Support& range : box) {
    specs.push_back({absl::StrCat(specs.size()),
                     "uniform",
                     {{"lower", range.lower}, {"upper", range.upper}}});
  }
  auto prior = MakePrior(specs);
  SOMAFIT_CHECK(prior.ok());
  return *std::move(prior);
}

void Prior::Sample(RandomStream& random, std::span<double> theta) const {
  std::vector<double> u(size());
  for (double& one : u) one = OpenUniform(random);
  FromUniform(u, theta);
}

DrawKey PartOf(DrawKey key, uint32_t part) {
  // One block of Philox under a counter that no stream uses (purpose 0).
  const auto block = Philox4x32(
      {key.purpose, part, 1, 0},
      {static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)});
  return {uint64_t{block[1]} << 32 | block[0], block[2]};
}

void SamplePrior(const Prior& prior, DrawKey key, int64_t first,
                 std::span<double> theta) {
  const size_t size = prior.size();
  SOMAFIT_CHECK(theta.size() % size == 0);
  const auto n = static_cast<int64_t>(theta.size() / size);
  SOMAFIT_CHECK(first >= 0 && first + n <= int64_t{1} << 32);
  for (int64_t i = 0; i < n; ++i) {
    RandomStream random(key.seed, StreamPurpose::kPrior, key.purpose,
                        static_cast<uint32_t>(first + i));
    prior.Sample(random, theta.subspan(i * size, size));
  }
}

}  // namespace somafit
