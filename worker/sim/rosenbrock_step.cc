#include "worker/sim/rosenbrock_step.h"

#include <algorithm>
#include <cmath>
#include <utility>

// Its checks would throw where a matrix is nearly singular; here such a step is
// one whose error is too large.
#define BOOST_UBLAS_NDEBUG 1
#define BOOST_UBLAS_TYPE_CHECK 0
#include <boost/numeric/odeint/stepper/rosenbrock4.hpp>

namespace somafit {

namespace {

// Those of RODAS (E. Hairer, G. Wanner, Solving ordinary differential equations
// II, IV.7). Odeint's d4 lacks its sign, so that equations with t were solved
// to order 1.
struct Coefficients
    : boost::numeric::odeint::default_rosenbrock_coefficients<double> {
  const double d4 = -0.3620000000000023e-01;
};

}  // namespace

struct RosenbrockStep::Work {
  using Stepper = boost::numeric::odeint::rosenbrock4<double, Coefficients>;
  using Vector = Stepper::state_type;
  using Matrix = Stepper::matrix_type;
  static_assert(Stepper::error_order == kErrorOrder);

  Stepper stepper;
  Vector from, to, errors;
};

RosenbrockStep::RosenbrockStep(size_t n_states)
    : n_states_(n_states), work_(std::make_unique<Work>()) {
  for (Work::Vector* vector : {&work_->from, &work_->to, &work_->errors}) {
    vector->resize(n_states);
  }
}

RosenbrockStep::~RosenbrockStep() = default;

void RosenbrockStep::Take(RightSide& right_side, const double* states,
                          double elapsed, double step, double* after,
                          double* errors) {
  using Vector = Work::Vector;
  const auto slopes = [&right_side](const Vector& at, Vector& result,
                                    double time) {
    right_side.Slopes(&at[0], time, &result[0]);
  };
  const auto jacobian = [&right_side](const Vector& at, Work::Matrix& by_state,
                                      double time, Vector& by_time) {
    right_side.Jacobian(&at[0], time, &by_state.data()[0], &by_time[0]);
    // Where slopes have no derivative, or an infinite one, the step is one
    // without: of a lower order, which its error shows.
    for (double& each : by_state.data()) each = std::isfinite(each) ? each : 0;
    for (double& each : by_time) each = std::isfinite(each) ? each : 0;
  };
  std::copy_n(states, n_states_, work_->from.begin());
  work_->stepper.do_step(std::make_pair(slopes, jacobian), work_->from, elapsed,
                         work_->to, step, work_->errors);
  std::copy_n(work_->to.begin(), n_states_, after);
  std::copy_n(work_->errors.begin(), n_states_, errors);
}

}  // namespace somafit
