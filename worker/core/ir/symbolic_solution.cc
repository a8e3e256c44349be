#include "worker/core/ir/symbolic_solution.h"

#include <cmath>

#include <Eigen/Dense>

#include "worker/core/base/random.h"

namespace somafit {
namespace {

constexpr int kTrials = 3;
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

Eigen::MatrixXd MatrixOf(const std::vector<LinearForm>& forms,
                         const std::vector<double>& numbers) {
  const auto n = static_cast<Eigen::Index>(forms.size());
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (const auto& [state, factor] : forms[static_cast<size_t>(i)].factors) {
      matrix(i, state) = numbers[static_cast<size_t>(factor)];
    }
  }
  return matrix;
}

// Units of states differ by many orders of magnitude. Scales the states so that
// what a state takes from the others is as large as what it gives (E. Osborne,
// J. ACM 7, 1960); eigenvalues and rank stay.
void Balance(Eigen::MatrixXd& matrix) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
      const double own = std::fabs(matrix(i, i));
      const double takes = matrix.row(i).cwiseAbs().sum() - own;
      const double gives = matrix.col(i).cwiseAbs().sum() - own;
      if (!(takes > 0) || !(gives > 0)) continue;
      const double scale = std::sqrt(takes / gives);
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
  for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
    const double largest = matrix.col(j).cwiseAbs().maxCoeff();
    if (!(largest > 0)) return true;
    matrix.col(j) /= largest;
  }
  Eigen::FullPivLU<Eigen::MatrixXd> decomposition(matrix);
  decomposition.setThreshold(kRounding);
  return !decomposition.isInvertible();
}

bool Oscillates(const Eigen::MatrixXd& matrix) {
  const Eigen::VectorXcd eigenvalues =
      Eigen::EigenSolver<Eigen::MatrixXd>(matrix, false).eigenvalues();
  const double largest = eigenvalues.cwiseAbs().maxCoeff();
  return eigenvalues.imag().cwiseAbs().maxCoeff() > kRounding * largest;
}

}  // namespace

std::string WhyNoSymbolicSolution(const ProgramBuilder& builder,
                                  const std::vector<LinearForm>& forms) {
  if (forms.empty()) return "";
  bool singular = true, oscillates = false;
  for (uint64_t trial = 0; trial < kTrials; ++trial) {
    Eigen::MatrixXd matrix = MatrixOf(forms, Evaluate(builder, trial));
    if (!matrix.allFinite()) continue;
    Balance(matrix);
    singular = singular && IsSingular(matrix);
    oscillates = oscillates || Oscillates(matrix);
  }
  if (singular) return "the matrix of the equations has no inverse";
  if (oscillates) return "the solution oscillates";
  return "";
}

}  // namespace somafit
