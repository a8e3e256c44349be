// An error in the model language: the mean, largest, last or sum of an
// expression over the steps that count. What it is made of (outputs, their
// targets, parameters, t) is computed by the model: terms.h. So the series that
// this sees is the error of each step, and its target says only which count.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "worker/core/objective/step_window.h"

namespace somafit {
namespace {

enum class Reduction : uint8_t { kMean, kSum, kMax, kLast };

struct Reduced {
  Reduction reduction = Reduction::kMean;
  size_t n = 0;
  double value = 0;

  void Add(double /*weight*/, double simulated, double /*target*/) {
    switch (reduction) {
      case Reduction::kMean:
      case Reduction::kSum:
        value += simulated;
        break;
      case Reduction::kMax:
        // Not a number once it was.
        if (n == 0 || (!std::isnan(value) && !(simulated <= value))) {
          value = simulated;
        }
        break;
      case Reduction::kLast:
        value = simulated;
        break;
    }
    ++n;
  }
  double Error() const {
    if (n == 0) return std::numeric_limits<double>::quiet_NaN();
    return reduction == Reduction::kMean ? value / static_cast<double>(n)
                                         : value;
  }
};

class ExpressionMetric final : public WindowedMetric {
 public:
  explicit ExpressionMetric(const MetricConfig& config)
      : WindowedMetric(config) {
    for (const auto& [name, reduction] :
         {std::pair{"sum", Reduction::kSum}, std::pair{"max", Reduction::kMax},
          std::pair{"last", Reduction::kLast}}) {
      if (config.options.at(name) != 0) reduction_ = reduction;
    }
  }

  std::unique_ptr<MetricAccumulator> Start(std::span<const double> target,
                                           size_t n_lanes) const override {
    return std::make_unique<LaneSums<Reduced>>(
        window(), target, n_lanes, Reduced{.reduction = reduction_});
  }

 private:
  Reduction reduction_ = Reduction::kMean;
};

OptionSpec Choice(std::string_view name, std::string_view summary) {
  return {.name = name, .summary = summary, .kind = OptionSpec::Kind::kBoolean};
}

}  // namespace

extern const MetricEntry kExpressionMetric = {
    "expression",
    "an error in the model language, in the mean over steps",
    MetricFamily::kExpression,
    &OutputDimension,
    {{.name = "expression",
      .summary = "error of a step, e.g. \"abs(v - v_target)\"",
      .kind = OptionSpec::Kind::kText,
      .required = true},
     {.name = "unit",
      .summary = "of the expression, e.g. \"volt\"; none is a plain number",
      .kind = OptionSpec::Kind::kText},
     Choice("sum", "add up in place of the mean"),
     Choice("max", "take the largest in place of the mean"),
     Choice("last", "take the last step's in place of the mean"),
     TimeOfStart(),
     SizeOfDifferences("number or quantity that the error is divided by")},
    [](const MetricConfig& config) -> std::unique_ptr<Metric> {
      return std::make_unique<ExpressionMetric>(config);
    }};

}  // namespace somafit
