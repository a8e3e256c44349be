#include "worker/core/ir/symbolic_solution.h"

#include <cmath>
#include <cstdint>

#include <Eigen/Dense>

#include "worker/core/base/random.h"

namespace somafit {
namespace {

constexpr uint64_t kTrials = 3;
// Below this, of the largest number of its kind, a number is rounding.
constexpr double kRounding = 1e-7;

// Every value where all that a program is given are random numbers of order 1.
std::vector<double> Evaluate(const ProgramBuilder& builder, uint64_t trial) {
  RandomStream random(trial, StreamPurpose::kTrial, 0, 0);
  std::vector<double> numbers;
  const auto number = [&numbers](ValueId id) {
    return id < 0 ? 0 : numbers[static_cast<size_t>(id)];
  };
  for (size_t id = 0; id < builder.size(); ++id) {
    const Value& value = builder.value(static_cast<ValueId>(id));
    if (value.op == Op::kConstant) {
      numbers.push_back(value.constant);
    } else if (OpArity(value.op) == 0 || value.op == Op::kElement) {
      numbers.push_back(0.5 + random.Uniform());
    } else {
      numbers.push_back(
          ApplyOp(value.op, number(value.a), number(value.b), number(value.c)));
    }
  }
  return numbers;
}

// The states of a group in sets whose members all depend on one another: a
// matrix of these alone has the eigenvalues of the whole.
std::vector<std::vector<size_t>> Circles(const std::vector<LinearForm>& forms,
                                         const std::vector<size_t>& group) {
  const size_t n = group.size();
  std::vector<std::vector<bool>> reaches(n, std::vector<bool>(n));
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      reaches[i][j] =
          forms[group[i]].factors.count(static_cast<int32_t>(group[j])) > 0;
    }
  }
  for (size_t k = 0; k < n; ++k) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) {
        if (reaches[i][k] && reaches[k][j]) reaches[i][j] = true;
      }
    }
  }
  std::vector<std::vector<size_t>> circles;
  std::vector<bool> done(n);
  for (size_t i = 0; i < n; ++i) {
    if (done[i]) continue;
    circles.emplace_back();
    for (size_t j = i; j < n; ++j) {
      if (j != i && !(reaches[i][j] && reaches[j][i])) continue;
      circles.back().push_back(group[j]);
      done[j] = true;
    }
  }
  return circles;
}

Eigen::MatrixXd MatrixOf(const std::vector<LinearForm>& forms,
                         const std::vector<size_t>& states,
                         const std::vector<double>& numbers) {
  const auto n = static_cast<Eigen::Index>(states.size());
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const auto& factors = forms[states[static_cast<size_t>(i)]].factors;
    for (Eigen::Index j = 0; j < n; ++j) {
      const auto found =
          factors.find(static_cast<int32_t>(states[static_cast<size_t>(j)]));
      if (found == factors.end()) continue;
      matrix(i, j) = numbers[static_cast<size_t>(found->second)];
    }
  }
  return matrix;
}

// Units of states differ by many orders of magnitude. Scales the states, by
// powers of 2, so that what a state takes from the others is about as large as
// what it gives (E. Osborne, J. ACM 7, 1960); eigenvalues and rank stay.
void Balance(Eigen::MatrixXd& matrix) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
      const double own = std::fabs(matrix(i, i));
      const double takes = matrix.row(i).cwiseAbs().sum() - own;
      const double gives = matrix.col(i).cwiseAbs().sum() - own;
      if (!(takes > 0) || !(gives > 0)) continue;
      const double exponent = (std::log2(takes) - std::log2(gives)) / 2;
      const double scale = std::exp2(std::nearbyint(exponent));
      matrix.row(i) /= scale;
      matrix.col(i) *= scale;
    }
  }
}

bool IsSingular(Eigen::MatrixXd matrix) {
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    const double largest = matrix.row(i).cwiseAbs().maxCoeff();
    if (!(largest > 0)) return true;
    matrix.row(i) /= largest;
  }
  Eigen::FullPivLU<Eigen::MatrixXd> decomposition(matrix);
  decomposition.setThreshold(kRounding);
  return !decomposition.isInvertible();
}

bool Oscillates(const Eigen::MatrixXd& matrix) {
  if (matrix.rows() == 1) return false;
  const Eigen::EigenSolver<Eigen::MatrixXd> solver(matrix, false);
  if (solver.info() != Eigen::Success) return false;
  const Eigen::VectorXcd eigenvalues = solver.eigenvalues();
  const double largest = eigenvalues.cwiseAbs().maxCoeff();
  return eigenvalues.imag().cwiseAbs().maxCoeff() > kRounding * largest;
}

}  // namespace

SymbolicSolution::SymbolicSolution(const ProgramBuilder& builder,
                                   const std::vector<LinearForm>& forms)
    : forms_(forms) {
  for (uint64_t trial = 0; trial < kTrials; ++trial) {
    trials_.push_back(Evaluate(builder, trial));
  }
}

std::string SymbolicSolution::WhyNot(const std::vector<size_t>& group) const {
  for (const std::vector<size_t>& circle : Circles(forms_, group)) {
    bool singular = true, oscillates = false, any = false;
    for (const std::vector<double>& numbers : trials_) {
      Eigen::MatrixXd matrix = MatrixOf(forms_, circle, numbers);
      if (!matrix.allFinite()) continue;
      Balance(matrix);
      if (!matrix.allFinite()) continue;
      any = true;
      singular = singular && IsSingular(matrix);
      oscillates = oscillates || Oscillates(matrix);
    }
    if (any && singular) return "the matrix of the equations has no inverse";
    if (oscillates) return "the solution oscillates";
  }
  return "";
}

}  // namespace somafit
