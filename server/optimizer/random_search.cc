// Points drawn uniformly; learns nothing. The yardstick for the others, and the
// right choice to sample a space evenly.

#include "server/optimizer/optimizer.h"
#include "server/optimizer/snapshot.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr std::string_view kName = "random";
constexpr uint32_t kVersion = 1;

class RandomSearch final : public Optimizer {
 public:
  explicit RandomSearch(const OptimizerConfig& config) : config_(config) {}

  std::vector<std::vector<double>> Ask(int64_t count,
                                       RandomStream& random) const override {
    std::vector<std::vector<double>> points;
    for (int64_t i = 0; i < count; ++i) {
      std::vector<double>& point = points.emplace_back(config_.dimensions);
      for (double& coordinate : point) coordinate = random.Uniform();
    }
    return points;
  }

  std::vector<double> Limits(int64_t count, double best_error) const override {
    return std::vector<double>(static_cast<size_t>(count), best_error);
  }

  void Tell(std::span<const Told>) override {}

  std::string Snapshot() const override {
    return SealSnapshot(kName, kVersion, config_, "");
  }

  absl::Status Restore(std::string_view snapshot) override {
    SOMAFIT_ASSIGN_OR_RETURN(const std::string_view state,
                             OpenSnapshot(kName, kVersion, config_, snapshot));
    if (!state.empty()) {
      return absl::DataLossError(
          "snapshot of optimizer \"random\" holds a state");
    }
    return absl::OkStatus();
  }

 private:
  const OptimizerConfig config_;
};

}  // namespace

extern const OptimizerEntry kRandomSearch;
const OptimizerEntry kRandomSearch = {
    kName,
    "uniform random points",
    {},
    [](const OptimizerConfig& config) -> std::unique_ptr<Optimizer> {
      return std::make_unique<RandomSearch>(config);
    },
    true};

}  // namespace somafit
