#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/ir/linear_form.h"
#include "worker/core/ir/method.h"
#include "worker/core/ir/symbolic_solution.h"

namespace somafit {
namespace {

// The work grows with the cube of how many states depend on one another.
// With more, a step would be too large for native code.
constexpr size_t kMostCoupled = 6;
constexpr size_t kMostValues = 50'000;  // for all groups together

constexpr ValueId kZero = -1;

// A square matrix of values; kZero where it is known to be 0.
class Matrix {
 public:
  explicit Matrix(size_t n) : n_(n), entries_(n * n, kZero) {}
  size_t n() const { return n_; }
  ValueId& at(size_t i, size_t j) { return entries_[i * n_ + j]; }
  ValueId at(size_t i, size_t j) const { return entries_[i * n_ + j]; }

 private:
  size_t n_;
  std::vector<ValueId> entries_;
};

// (e^A - 1) / A = 1 + A/2! + A^2/3! + ..., the integral of e^(A s) for s from 0
// to 1, which there is whatever A. By scaling and squaring (C. Moler and C. Van
// Loan, SIAM Review 45, 2003): the series for A / 2^s, whose norm is at most
// kLargestNorm, then s times
//
//   E = e^A - 1 = A phi(A);  phi(2A) = phi + phi E / 2;  E(2A) = 2 E + E E.
//
// s differs from lane to lane.
class Phi {
 public:
  explicit Phi(ProgramBuilder& builder) : builder_(builder) {}

  Matrix Of(const Matrix& a) {
    const size_t n = a.n();
    const ValueId norm = Norm(a);
    std::vector<ValueId> doubles;  // per squaring: whether it is done
    ValueId scale = Number(1);
    for (int i = 0; i < kMostSquarings; ++i) {
      const double limit = kLargestNorm * static_cast<double>(1 << i);
      doubles.push_back(builder_.Fold(Op::kLess, Number(limit), norm));
      scale = builder_.Fold(Op::kSelect, doubles.back(),
                            builder_.Fold(Op::kMultiply, scale, Number(0.5)),
                            scale);
    }
    Matrix scaled(n);
    ForEntries(scaled,
               [&](size_t i, size_t j) { return Product(scale, a.at(i, j)); });
    Matrix phi = Series(scaled);
    Matrix e = Times(scaled, phi);
    for (const ValueId is_done : doubles) {
      const Matrix phi_e = Times(phi, e);
      const Matrix e_e = Times(e, e);
      const Matrix old_phi = phi, old_e = e;
      ForEntries(phi, [&](size_t i, size_t j) {
        return Chosen(
            is_done,
            Sum(old_phi.at(i, j), Product(Number(0.5), phi_e.at(i, j))),
            old_phi.at(i, j));
      });
      ForEntries(e, [&](size_t i, size_t j) {
        return Chosen(is_done,
                      Sum(Product(Number(2), old_e.at(i, j)), e_e.at(i, j)),
                      old_e.at(i, j));
      });
    }
    return phi;
  }

  ValueId Product(ValueId a, ValueId b) {
    if (a == kZero || b == kZero) return kZero;
    return builder_.Fold(Op::kMultiply, a, b);
  }
  ValueId Sum(ValueId a, ValueId b) {
    if (a == kZero) return b;
    if (b == kZero) return a;
    return builder_.Fold(Op::kAdd, a, b);
  }

 private:
  // With these the first term left out is below 1e-17 of the first. A step
  // 16384 times as long as the shortest time constant is the longest that
  // works.
  static constexpr double kLargestNorm = 1;
  static constexpr int kTerms = 18;
  static constexpr int kMostSquarings = 14;

  ValueId Number(double number) { return builder_.Constant(number); }

  template <typename F>
  static void ForEntries(Matrix& matrix, const F& entry) {
    for (size_t i = 0; i < matrix.n(); ++i) {
      for (size_t j = 0; j < matrix.n(); ++j) matrix.at(i, j) = entry(i, j);
    }
  }

  // The largest sum of a row's sizes.
  ValueId Norm(const Matrix& a) {
    ValueId norm = Number(0);
    for (size_t i = 0; i < a.n(); ++i) {
      ValueId row = Number(0);
      for (size_t j = 0; j < a.n(); ++j) {
        if (a.at(i, j) == kZero) continue;
        row = builder_.Fold(Op::kAdd, row, builder_.Fold(Op::kAbs, a.at(i, j)));
      }
      norm = builder_.Fold(Op::kSelect, builder_.Fold(Op::kLess, norm, row),
                           row, norm);
    }
    return norm;
  }

  Matrix Series(const Matrix& a) {
    double coefficient = 1;
    for (int k = 2; k <= kTerms; ++k) coefficient /= k;
    Matrix sum(a.n());
    for (size_t i = 0; i < a.n(); ++i) sum.at(i, i) = Number(coefficient);
    for (int k = kTerms; k > 1; --k) {
      coefficient *= k;
      sum = Times(a, sum);
      for (size_t i = 0; i < a.n(); ++i) {
        sum.at(i, i) = Sum(Number(coefficient), sum.at(i, i));
      }
    }
    return sum;
  }

  Matrix Times(const Matrix& a, const Matrix& b) {
    Matrix result(a.n());
    ForEntries(result, [&](size_t i, size_t j) {
      ValueId sum = kZero;
      for (size_t k = 0; k < a.n(); ++k) {
        sum = Sum(sum, Product(a.at(i, k), b.at(k, j)));
      }
      return sum;
    });
    return result;
  }

  ValueId Chosen(ValueId condition, ValueId a, ValueId b) {
    if (a == b) return a;
    const auto present = [&](ValueId id) {
      return id == kZero ? Number(0) : id;
    };
    return builder_.Fold(Op::kSelect, condition, present(a), present(b));
  }

  ProgramBuilder& builder_;
};

void Refuse(StepContext& context, size_t state, const std::string& why) {
  context.Refuse("exact", state, why,
                 "use exponential_euler, rk4 or another method");
}

// Of each state, the derivative as a linear form; empty after an error.
std::vector<LinearForm> Forms(StepContext& context) {
  LinearForms forms(context.builder, context.states);
  std::vector<LinearForm> result;
  bool all = true;
  for (size_t i = 0; i < context.derivatives.size(); ++i) {
    auto form = forms.Of(context.derivatives[i]);
    if (!form) {
      Refuse(context, i,
             forms.is_full()
                 ? "the right-hand sides are too long together"
                 : "its right-hand side is not linear in the states");
      all = false;
      continue;
    }
    bool moves = form->rest >= 0 && forms.UsesTime(form->rest);
    for (const auto& [state, factor] : form->factors) {
      moves |= forms.UsesTime(factor);
    }
    if (moves) {
      Refuse(context, i, "its right-hand side changes with t within a step");
      all = false;
    }
    result.push_back(*std::move(form));
  }
  if (!all) result.clear();
  return result;
}

// States that depend on one another, each group in their order.
std::vector<std::vector<size_t>> Groups(const std::vector<LinearForm>& forms) {
  std::vector<size_t> parent(forms.size());  // a lower one, or itself
  std::iota(parent.begin(), parent.end(), size_t{0});
  const auto first_of = [&parent](size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (size_t i = 0; i < forms.size(); ++i) {
    for (const auto& [state, factor] : forms[i].factors) {
      const size_t a = first_of(static_cast<size_t>(state)), b = first_of(i);
      parent[std::max(a, b)] = std::min(a, b);
    }
  }
  std::vector<std::vector<size_t>> groups(forms.size());
  for (size_t i = 0; i < forms.size(); ++i) groups[first_of(i)].push_back(i);
  groups.erase(std::remove_if(groups.begin(), groups.end(),
                              [](const auto& each) { return each.empty(); }),
               groups.end());
  return groups;
}

// x + h (a x + b) exprel(a h)
ValueId StepAlone(StepContext& context, ValueId x, size_t state,
                  const LinearForm& form) {
  ProgramBuilder& builder = context.builder;
  const auto factor = form.factors.find(static_cast<int32_t>(state));
  ValueId slope = form.rest, span = context.h();
  if (factor != form.factors.end()) {
    const ValueId a = factor->second;
    slope = builder.Fold(Op::kMultiply, a, x);
    if (form.rest >= 0) slope = builder.Fold(Op::kAdd, slope, form.rest);
    const ValueId growth =
        builder.Fold(Op::kExprel, builder.Fold(Op::kMultiply, a, span));
    span = builder.Fold(Op::kMultiply, span, growth);
  }
  if (slope < 0) return x;
  return builder.Fold(Op::kAdd, x, builder.Fold(Op::kMultiply, slope, span));
}

// Adds to `next` of the group h phi(M h) times its derivatives; where
// `is_frozen` says so of a state, its row of M and its derivative are 0.
void AddChange(StepContext& context, const std::vector<size_t>& group,
               const std::vector<LinearForm>& forms,
               const std::vector<bool>& is_frozen, std::vector<ValueId>& next) {
  ProgramBuilder& builder = context.builder;
  Matrix steps(group.size());  // M h
  for (size_t i = 0; i < group.size(); ++i) {
    for (size_t j = 0; j < group.size() && !is_frozen[group[i]]; ++j) {
      const auto& factors = forms[group[i]].factors;
      const auto factor = factors.find(static_cast<int32_t>(group[j]));
      if (factor == factors.end()) continue;
      steps.at(i, j) = builder.Fold(Op::kMultiply, factor->second, context.h());
    }
  }
  Phi phi(builder);
  const Matrix weights = phi.Of(steps);
  for (size_t i = 0; i < group.size(); ++i) {
    ValueId change = kZero;
    for (size_t j = 0; j < group.size(); ++j) {
      if (is_frozen[group[j]]) continue;
      const ValueId weight = phi.Product(context.h(), weights.at(i, j));
      change =
          phi.Sum(change, phi.Product(weight, context.derivatives[group[j]]));
    }
    if (change == kZero) continue;
    next[group[i]] = builder.Fold(Op::kAdd, next[group[i]], change);
  }
}

// A refractory state is a number to the others: then the system is another one.
void StepTogether(StepContext& context, const std::vector<size_t>& group,
                  const std::vector<LinearForm>& forms,
                  std::vector<ValueId>& next) {
  std::vector<bool> is_frozen(forms.size(), false);
  const std::vector<ValueId> before = next;
  AddChange(context, group, forms, is_frozen, next);
  bool any = false;
  for (const size_t state : group) {
    is_frozen[state] = context.model.states[state].unless_refractory;
    any = any || is_frozen[state];
  }
  if (!any) return;
  std::vector<ValueId> refractory = before;
  AddChange(context, group, forms, is_frozen, refractory);
  for (const size_t state : group) {
    next[state] = context.builder.Fold(Op::kSelect, context.not_refractory(),
                                       next[state], refractory[state]);
  }
}

// x + h phi(M h) (M x + B): exact for x' = M x + B with M and B held over the
// step, M being singular or not.
std::optional<std::vector<ValueId>> Step(StepContext& context) {
  if (context.RefusesNoise("exact")) return std::nullopt;
  const std::vector<LinearForm> forms = Forms(context);
  if (forms.size() != context.derivatives.size()) return std::nullopt;
  ProgramBuilder& builder = context.builder;
  std::optional<SymbolicSolution> as_brian;
  if (context.model.method_choice == MethodChoice::kBrian) {
    as_brian.emplace(builder, forms);
  }
  std::vector<ValueId> next = context.states;
  const size_t most_values = builder.size() + kMostValues;
  for (const std::vector<size_t>& group : Groups(forms)) {
    if (group.size() > kMostCoupled) {
      Refuse(context, group[0],
             absl::StrCat("it is coupled with ", group.size() - 1,
                          " other states, at most ", kMostCoupled - 1,
                          " can be solved together"));
      return std::nullopt;
    }
    if (as_brian) {
      const std::string why = as_brian->WhyNot(group);
      if (!why.empty()) {
        Refuse(context, group[0],
               absl::StrCat("Brian 2 would not, since ", why));
        return std::nullopt;
      }
    }
    if (group.size() == 1) {
      next[group[0]] =
          StepAlone(context, next[group[0]], group[0], forms[group[0]]);
      continue;
    }
    if (builder.size() > most_values) {
      Refuse(context, group[0], "too many states are coupled in the model");
      return std::nullopt;
    }
    StepTogether(context, group, forms, next);
  }
  return next;
}

}  // namespace

extern const MethodEntry kExact = {
    "exact", "linear systems solved exactly over each step", 0, &Step};

}  // namespace somafit
