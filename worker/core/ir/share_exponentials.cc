#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "worker/core/base/elementary.h"
#include "worker/core/ir/passes.h"
#include "worker/core/ir/rebuild.h"

namespace somafit {
namespace {

// The largest power that is formed: it multiplies the rounding of the
// exponential that it is formed from.
constexpr double kMaxPower = 10;
// Of the factor exp(offset) between a power and an exponential: so much before
// the exponential itself a power overflows, or loses bits and becomes 0.
constexpr double kMaxOffset = 50;

// slope * base + offset; base -1: the constant `offset`.
struct Affine {
  ValueId base = -1;
  double slope = 0;
  double offset = 0;
};

// An exponential, as the power of another one times a constant.
struct Share {
  Affine exponent;  // of the other one
  int power = 1;
  double factor = 1;
};

Affine Scaled(const Affine& a, double factor) {
  return {a.base, a.slope * factor, a.offset * factor};
}

// What value `id` is as an affine function, those before it being known.
Affine AffineOf(const Program& program, ValueId id,
                const std::vector<Affine>& known) {
  const Value& value = program.values[id];
  const Affine opaque = {id, 1, 0};
  const auto is_constant = [](const Affine& a) { return a.base < 0; };
  switch (value.op) {
    case Op::kConstant:
      return {-1, 0, value.constant};
    case Op::kNegate:
      return Scaled(known[value.a], -1);
    case Op::kAdd:
    case Op::kSubtract: {
      const Affine& a = known[value.a];
      const Affine b =
          Scaled(known[value.b], value.op == Op::kAdd ? 1.0 : -1.0);
      if (!is_constant(a) && !is_constant(b) && a.base != b.base) {
        return opaque;
      }
      return {std::max(a.base, b.base), a.slope + b.slope, a.offset + b.offset};
    }
    case Op::kMultiply:
      if (is_constant(known[value.a])) {
        return Scaled(known[value.b], known[value.a].offset);
      }
      if (is_constant(known[value.b])) {
        return Scaled(known[value.a], known[value.b].offset);
      }
      return opaque;
    case Op::kDivide:
      if (is_constant(known[value.b])) {
        return Scaled(known[value.a], 1 / known[value.b].offset);
      }
      return opaque;
    default:
      return opaque;
  }
}

// `member` as a power of exp(generator), if that is exact enough.
std::optional<Share> PowerOf(const Affine& generator, const Affine& member) {
  const double ratio = member.slope / generator.slope;
  const double power = std::nearbyint(ratio);
  if (power == 0 || std::abs(power) > kMaxPower ||
      std::abs(ratio - power) > 1e-15 * std::abs(power)) {
    return std::nullopt;
  }
  const double offset = member.offset - power * generator.offset;
  if (!(std::abs(offset) <= kMaxOffset)) return std::nullopt;
  return Share{generator, static_cast<int>(power), Exp(offset)};
}

using Exponent = std::pair<ValueId, Affine>;  // of the exponential `first`

// Forms all that can be formed from the exponential of the smallest slope, then
// likewise of what is left.
void ShareAmong(std::vector<Exponent> exponents,
                std::map<ValueId, Share>& shares) {
  // Beyond any model that a person writes; the search is quadratic.
  constexpr size_t kMost = 1000;
  if (exponents.size() > kMost) return;
  std::stable_sort(exponents.begin(), exponents.end(),
                   [](const Exponent& a, const Exponent& b) {
                     return std::abs(a.second.slope) < std::abs(b.second.slope);
                   });
  while (!exponents.empty()) {
    const Affine generator = exponents.front().second;
    std::map<ValueId, Share> formed;
    std::vector<Exponent> left;
    for (const auto& [id, exponent] : exponents) {
      const auto share = PowerOf(generator, exponent);
      if (share) {
        formed.emplace(id, *share);
      } else {
        left.emplace_back(id, exponent);
      }
    }
    if (formed.empty()) left.erase(left.begin());
    if (formed.size() > 1) shares.merge(formed);
    exponents = std::move(left);
  }
}

std::map<ValueId, Share> FindShares(const Program& program) {
  std::vector<Affine> affine;
  std::map<ValueId, std::vector<Exponent>> by_base;
  const std::vector<Rate> rates = Rates(program);
  for (size_t i = 0; i < program.values.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    affine.push_back(AffineOf(program, id, affine));
    if (program.values[i].op != Op::kExp || rates[i] != Rate::kPerStep) {
      continue;
    }
    const Affine& exponent = affine[program.values[i].a];
    if (exponent.base >= 0 && std::isnormal(exponent.slope) &&
        std::isfinite(exponent.offset)) {
      by_base[exponent.base].emplace_back(id, exponent);
    }
  }
  std::map<ValueId, Share> shares;
  for (auto& [base, exponents] : by_base) {
    ShareAmong(std::move(exponents), shares);
  }
  return shares;
}

// As a product of squares, which other powers share.
ValueId Power(ProgramBuilder& builder, ValueId value, int power) {
  ValueId square = value;
  ValueId result = -1;
  while (true) {
    if ((power & 1) != 0) {
      result =
          result < 0 ? square : builder.Emit(Op::kMultiply, result, square);
    }
    power >>= 1;
    if (power == 0) return result;
    square = builder.Emit(Op::kMultiply, square, square);
  }
}

}  // namespace

Program ShareExponentials(Program program) {
  const std::map<ValueId, Share> shares = FindShares(program);
  return Rebuild(program, [&shares](ValueId id, const Value& value,
                                    const std::vector<ValueId>& renamed,
                                    ProgramBuilder& builder) {
    const auto found = shares.find(id);
    if (found == shares.end()) {
      return builder.Copy(value, renamed, /*fold=*/false);
    }
    const Share& share = found->second;
    const ValueId product =
        builder.Fold(Op::kMultiply, renamed[share.exponent.base],
                     builder.Constant(share.exponent.slope));
    ValueId shared = builder.Emit(
        Op::kExp, builder.Fold(Op::kAdd, product,
                               builder.Constant(share.exponent.offset)));
    if (share.power < 0) {
      shared = builder.Emit(Op::kDivide, builder.Constant(1.0), shared);
    }
    return builder.Fold(Op::kMultiply,
                        Power(builder, shared, std::abs(share.power)),
                        builder.Constant(share.factor));
  });
}

}  // namespace somafit
