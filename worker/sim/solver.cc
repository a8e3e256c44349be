// The steps are Boost.Odeint's. Choosing them is ours: with its controllers the
// numbers would depend on the C library's pow.
#include "worker/sim/solver.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <boost/numeric/odeint/stepper/runge_kutta_cash_karp54.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_fehlberg78.hpp>

#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/sim/rosenbrock_step.h"

namespace somafit {
namespace {

namespace odeint = boost::numeric::odeint;

constexpr double kTooLarge = std::numeric_limits<double>::infinity();

// Chooses the steps. An error is relative to what is allowed: 1 is just good.
class AdaptiveSolver : public Solver {
 public:
  // The error of a step grows with its power of `error_order` + 1.
  AdaptiveSolver(const Integration& integration, int error_order)
      : options_(integration.options),
        exponent_(-1.0 / (error_order + 1)),
        states_(integration.slopes.size()),
        tried_(states_),
        errors_(states_) {}

  bool Integrate(RightSide& right_side, double span, std::span<double> states,
                 double& step) final {
    std::copy(states.begin(), states.end(), states_.begin());
    Begin(right_side);
    const bool done = options_.adaptable_timestep
                          ? Advance(right_side, span, step)
                          : TakeWhole(right_side, span);
    std::copy(states_.begin(), states_.end(), states.begin());
    return done;
  }

 protected:
  using Numbers = std::vector<double>;

  // Of a time step: what was known before is not valid any more.
  virtual void Begin(RightSide& right_side) = 0;
  // A step of `step` from `states` at `elapsed`: the states then, and the
  // method's estimate of the errors in them.
  virtual void Try(RightSide& right_side, const Numbers& states, double elapsed,
                   double step, Numbers& tried, Numbers& errors) = 0;
  // The step was good.
  virtual void Accept() = 0;

 private:
  bool TakeWhole(RightSide& right_side, double span) {
    Try(right_side, states_, 0, span, tried_, errors_);
    Take();
    return std::all_of(states_.begin(), states_.end(),
                       [](double state) { return std::isfinite(state); });
  }

  void Take() {
    std::swap(states_, tried_);
    Accept();
  }

  bool Advance(RightSide& right_side, double span, double& wanted) {
    // Of the span: less is no step, and what is left in the end no time.
    constexpr double kLeast = 1e-12;
    if (!(wanted > kLeast * span && wanted < span)) wanted = span;
    double elapsed = 0;
    for (int64_t n = 0; n < options_.max_steps; ++n) {
      const bool is_last = elapsed + wanted >= span * (1 - kLeast);
      const double step = is_last ? span - elapsed : wanted;
      Try(right_side, states_, elapsed, step, tried_, errors_);
      const double error = Error();
      const double better = std::min(step * Factor(error), span);
      if (error <= 1) {
        Take();
        // A step that was cut short says little about longer ones.
        wanted = is_last ? std::max(wanted, better) : better;
        if (is_last) return true;
        elapsed += step;
      } else {
        wanted = better;
        if (wanted < kLeast * span) return false;
      }
    }
    return false;
  }

  // The largest of all states.
  double Error() const {
    double largest = 0;
    for (size_t i = 0; i < states_.size(); ++i) {
      const double size = std::max(std::fabs(states_[i]), std::fabs(tried_[i]));
      const double allowed =
          std::fma(options_.relative_error, size, options_.absolute_errors[i]);
      const double error =
          errors_[i] == 0 ? 0 : std::fabs(errors_[i]) / allowed;
      if (!std::isfinite(tried_[i]) || !std::isfinite(error)) return kTooLarge;
      largest = std::max(largest, error);
    }
    return largest;
  }

  // By which a step should change after one with this error.
  double Factor(double error) const {
    constexpr double kSafety = 0.9, kLeast = 0.2, kMost = 5;
    if (error == 0) return kMost;
    if (error == kTooLarge) return kLeast;
    return std::clamp(kSafety * Power(error, exponent_), kLeast, kMost);
  }

  const SolverOptions options_;
  const double exponent_;
  Numbers states_, tried_, errors_;
};

// A Runge-Kutta method of Odeint. `kKeepsSlopes`: its last evaluation is the
// first of the next step. `kMayBeBlind`: its estimate of the error is 0 for
// slopes that depend on time alone, whatever the error; then two half steps
// tell.
template <typename Stepper, bool kKeepsSlopes, bool kMayBeBlind = false>
class ExplicitSolver final : public AdaptiveSolver {
 public:
  explicit ExplicitSolver(const Integration& integration)
      : AdaptiveSolver(integration, Stepper::error_order_value),
        slopes_(integration.slopes.size()),
        next_slopes_(slopes_),
        halfway_(slopes_),
        compared_(slopes_),
        ignored_(slopes_) {}

 private:
  void Begin(RightSide&) override { has_slopes_ = false; }

  void Try(RightSide& right_side, const Numbers& states, double elapsed,
           double step, Numbers& tried, Numbers& errors) override {
    const auto system = [&right_side](const Numbers& at, Numbers& slopes,
                                      double time) {
      right_side.Slopes(at.data(), time, slopes.data());
    };
    if (!has_slopes_) system(states, slopes_, elapsed);
    has_slopes_ = true;
    if constexpr (kKeepsSlopes) {
      stepper_.do_step(system, states, slopes_, elapsed, tried, next_slopes_,
                       step, errors);
    } else {
      stepper_.do_step(system, states, slopes_, elapsed, tried, step, errors);
    }
    if constexpr (kMayBeBlind) {
      if (MayBeBlind(states, tried, errors)) {
        CompareHalves(system, states, elapsed, step, tried, errors);
      }
    }
  }

  // Adds to the errors what two steps half as long differ by.
  template <typename System>
  void CompareHalves(const System& system, const Numbers& states,
                     double elapsed, double step, const Numbers& tried,
                     Numbers& errors) {
    stepper_.do_step(system, states, slopes_, elapsed, halfway_, step / 2,
                     ignored_);
    stepper_.do_step(system, halfway_, elapsed + step / 2, compared_, step / 2,
                     ignored_);
    for (size_t i = 0; i < errors.size(); ++i) {
      errors[i] = std::fabs(errors[i]) + std::fabs(compared_[i] - tried[i]);
    }
  }

  // Whether a state moved, and its error looks like none.
  static bool MayBeBlind(const Numbers& states, const Numbers& tried,
                         const Numbers& errors) {
    constexpr double kRounding = 1e-14;
    for (size_t i = 0; i < tried.size(); ++i) {
      if (tried[i] != states[i] &&
          std::fabs(errors[i]) <= kRounding * std::fabs(tried[i])) {
        return true;
      }
    }
    return false;
  }

  void Accept() override {
    if (kKeepsSlopes) {
      std::swap(slopes_, next_slopes_);
    } else {
      has_slopes_ = false;
    }
  }

  Stepper stepper_;
  bool has_slopes_ = false;
  Numbers slopes_, next_slopes_, halfway_, compared_, ignored_;
};

// For stiff equations, with the Jacobian.
class Rosenbrock final : public AdaptiveSolver {
 public:
  explicit Rosenbrock(const Integration& integration)
      : AdaptiveSolver(integration, RosenbrockStep::kErrorOrder),
        stepper_(integration.slopes.size()) {}

 private:
  void Begin(RightSide&) override {}
  void Try(RightSide& right_side, const Numbers& states, double elapsed,
           double step, Numbers& tried, Numbers& errors) override {
    stepper_.Take(right_side, states.data(), elapsed, step, tried.data(),
                  errors.data());
  }
  void Accept() override {}

  RosenbrockStep stepper_;
};

}  // namespace

std::unique_ptr<Solver> MakeSolver(const Integration& integration) {
  using Numbers = std::vector<double>;
  const std::string& name = integration.solver;
  if (name == "dopri5") {
    return std::make_unique<
        ExplicitSolver<odeint::runge_kutta_dopri5<Numbers>, true>>(integration);
  }
  if (name == "cash_karp54") {
    return std::make_unique<
        ExplicitSolver<odeint::runge_kutta_cash_karp54<Numbers>, false>>(
        integration);
  }
  if (name == "fehlberg78") {
    return std::make_unique<
        ExplicitSolver<odeint::runge_kutta_fehlberg78<Numbers>, false, true>>(
        integration);
  }
  SOMAFIT_CHECK(name == "rosenbrock4");
  return std::make_unique<Rosenbrock>(integration);
}

}  // namespace somafit
