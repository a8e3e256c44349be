// Differential evolution, strategy current-to-best/1/bin.
//
// R. Storn and K. Price (1997), "Differential Evolution - A Simple and
// Efficient Heuristic for Global Optimization over Continuous Spaces",
// J. Global Optim. 11:341-359. Symbols follow the paper: F, CR. The strategy,
// and F for both of its differences, is what nevergrad's "DE" does.

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/optimizer/optimizer.h"
#include "server/optimizer/snapshot.h"
#include "worker/core/base/check.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr std::string_view kName = "de";
constexpr uint32_t kVersion = 1;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Reflects once at the bound that was crossed, then clips.
double Bounce(double x) {
  const double clipped = std::clamp(x, 0.0, 1.0);
  return std::clamp(2 * clipped - x, 0.0, 1.0);
}

class DifferentialEvolution final : public Optimizer {
 public:
  explicit DifferentialEvolution(const OptimizerConfig& config)
      : config_(config),
        population_(static_cast<size_t>(config.options.at("population"))),
        f_(config.options.at("F")),
        cr_(config.options.at("CR")) {
    SOMAFIT_CHECK(population_ > 0);
  }

  std::vector<std::vector<double>> Ask(int64_t count,
                                       RandomStream& random) const override {
    std::vector<std::vector<double>> points;
    const bool started = members_.size() == population_;
    const std::vector<double>* const best = started ? &Best() : nullptr;
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t k = n_told_ + static_cast<uint64_t>(i);
      points.push_back(
          started ? Breed(members_[k % population_].point, *best, random)
                  : Uniform(random));
    }
    return points;
  }

  // A child that is worse than the parent is forgotten. Parents can only become
  // better within a round.
  std::vector<double> Limits(int64_t count,
                             double /*best_error*/) const override {
    std::vector<double> limits(static_cast<size_t>(count), kInfinity);
    if (members_.size() < population_) return limits;
    for (size_t i = 0; i < limits.size(); ++i) {
      limits[i] = members_[(n_told_ + i) % population_].error;
    }
    return limits;
  }

  // The k-th point since the start competes with member k mod population.
  void Tell(std::span<const Told> round) override {
    for (const Told& told : round) {
      SOMAFIT_CHECK(told.point.size() == config_.dimensions);
      const double error = std::isfinite(told.error) ? told.error : kInfinity;
      if (members_.size() < population_) {
        members_.push_back({told.point, error});
      } else if (Told& member = members_[n_told_ % population_];
                 error <= member.error) {
        member = {told.point, error};
      }
      ++n_told_;
    }
  }

  std::string Snapshot() const override {
    ByteWriter writer;
    writer.U64(n_told_);
    for (const Told& member : members_) {
      writer.F64s(member.point);
      writer.F64(member.error);
    }
    return SealSnapshot(kName, kVersion, config_, writer.bytes());
  }

  absl::Status Restore(std::string_view snapshot) override {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string_view state,
                             OpenSnapshot(kName, kVersion, config_, snapshot));
    const auto refuse = [](const char* why) {
      return absl::DataLossError(std::string("snapshot of optimizer \"de\" ") +
                                 why);
    };
    ByteReader reader(state);
    uint64_t n_told = 0;
    if (!reader.U64(n_told)) return refuse("is cut short");
    const size_t n_members = std::min<uint64_t>(n_told, population_);
    const size_t member_bytes = 8 * (config_.dimensions + 1);
    if (reader.rest() % member_bytes != 0 ||
        reader.rest() / member_bytes != n_members) {
      return refuse("has a wrong number of members");
    }
    std::vector<Told> members(n_members);
    for (Told& member : members) {
      member.point.resize(config_.dimensions);
      if (!reader.F64s(member.point) || !reader.F64(member.error)) {
        return refuse("is cut short");
      }
      for (const double x : member.point) {
        if (!(x >= 0 && x <= 1)) return refuse("has a point outside the cube");
      }
      if (std::isnan(member.error) || member.error == -kInfinity) {
        return refuse("has an error that is no number");
      }
    }
    n_told_ = n_told;
    members_ = std::move(members);
    return absl::OkStatus();
  }

 private:
  std::vector<double> Uniform(RandomStream& random) const {
    std::vector<double> point(config_.dimensions);
    for (double& coordinate : point) coordinate = random.Uniform();
    return point;
  }

  const std::vector<double>& Best() const {
    return std::min_element(members_.begin(), members_.end(),
                            [](const Told& one, const Told& other) {
                              return one.error < other.error;
                            })
        ->point;
  }

  std::vector<double> Breed(const std::vector<double>& parent,
                            const std::vector<double>& best,
                            RandomStream& random) const {
    const auto& a = members_[random.Below(population_)].point;
    const auto& b = members_[random.Below(population_)].point;
    const uint64_t always = random.Below(std::max<size_t>(parent.size(), 1));
    std::vector<double> child = parent;
    for (size_t j = 0; j < child.size(); ++j) {
      // Drawn also where it is not needed, so that every child uses the same
      // part of the stream.
      const bool crosses = random.Uniform() < cr_;
      if (!crosses && j != always) continue;
      const double x = parent[j];
      child[j] = Bounce(x + f_ * (a[j] - b[j]) + f_ * (best[j] - x));
    }
    return child;
  }

  const OptimizerConfig config_;
  const size_t population_;
  const double f_;
  const double cr_;
  uint64_t n_told_ = 0;
  std::vector<Told> members_;  // the first min(n_told_, population_)
};

}  // namespace

extern const OptimizerEntry kDifferentialEvolution;
const OptimizerEntry kDifferentialEvolution = {
    kName,
    "differential evolution (current-to-best/1, binomial crossover); a robust "
    "default for 2 to 30 parameters",
    {{.name = "population",
      .summary = "number of members",
      .kind = OptionSpec::Kind::kInteger,
      .default_value = 30,
      .minimum = 4,
      .maximum = 100'000},
     {.name = "F",
      .summary = "weight of the differences",
      .default_value = 0.8,
      .minimum = 0,
      .maximum = 2},
     {.name = "CR",
      .summary = "chance that a coordinate crosses over",
      .default_value = 0.5,
      .minimum = 0,
      .maximum = 1}},
    [](const OptimizerConfig& config) -> std::unique_ptr<Optimizer> {
      return std::make_unique<DifferentialEvolution>(config);
    },
    true};

}  // namespace somafit
